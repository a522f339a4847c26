//! Lambda `bap-on-subscribe`; see `bap::on_subscribe`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bap::on_subscribe::FUNCTION).await
}

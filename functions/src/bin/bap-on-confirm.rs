//! Lambda `bap-on-confirm`; see `bap::on_confirm`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bap::on_confirm::FUNCTION).await
}

//! Lambda `bap-on-status`; see `bap::on_status`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bap::on_status::FUNCTION).await
}

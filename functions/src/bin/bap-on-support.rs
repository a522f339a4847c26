//! Lambda `bap-on-support`; see `bap::on_support`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bap::on_support::FUNCTION).await
}

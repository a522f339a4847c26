//! Lambda `bap-on-init`; see `bap::on_init`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bap::on_init::FUNCTION).await
}

//! Lambda `bap-on-update`; see `bap::on_update`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bap::on_update::FUNCTION).await
}

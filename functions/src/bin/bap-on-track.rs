//! Lambda `bap-on-track`; see `bap::on_track`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bap::on_track::FUNCTION).await
}

//! Lambda `bpp-on-track`; see `bpp::on_track`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bpp::on_track::FUNCTION).await
}

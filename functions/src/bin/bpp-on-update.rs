//! Lambda `bpp-on-update`; see `bpp::on_update`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bpp::on_update::FUNCTION).await
}

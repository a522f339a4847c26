//! Lambda `bpp-update`; see `bpp::update`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bpp::update::FUNCTION).await
}

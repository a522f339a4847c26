//! Lambda `bpp-expire`; see `bpp::expire`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bpp::expire::FUNCTION).await
}

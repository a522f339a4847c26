//! Lambda `bpp-status`; see `bpp::status`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bpp::status::FUNCTION).await
}

//! Lambda `bpp-support`; see `bpp::support`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bpp::support::FUNCTION).await
}

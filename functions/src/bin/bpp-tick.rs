//! Lambda `bpp-tick`; see `bpp::tick`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bpp::tick::FUNCTION).await
}

//! Lambda `bpp-dispatch`; see `bpp::dispatch`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bpp::dispatch::FUNCTION).await
}

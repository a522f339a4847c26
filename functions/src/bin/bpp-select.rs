//! Lambda `bpp-select`; see `bpp::select`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bpp::select::FUNCTION).await
}

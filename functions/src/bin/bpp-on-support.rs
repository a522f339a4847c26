//! Lambda `bpp-on-support`; see `bpp::on_support`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bpp::on_support::FUNCTION).await
}

//! Lambda `bpp-on-confirm`; see `bpp::on_confirm`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bpp::on_confirm::FUNCTION).await
}

//! Lambda `bpp-on-status`; see `bpp::on_status`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bpp::on_status::FUNCTION).await
}

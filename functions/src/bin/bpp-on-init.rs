//! Lambda `bpp-on-init`; see `bpp::on_init`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bpp::on_init::FUNCTION).await
}

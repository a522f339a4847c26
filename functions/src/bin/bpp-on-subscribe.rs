//! Lambda `bpp-on-subscribe`; see `bpp::on_subscribe`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bpp::on_subscribe::FUNCTION).await
}

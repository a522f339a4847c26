//! Lambda `bpp-on-cancel`; see `bpp::on_cancel`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bpp::on_cancel::FUNCTION).await
}

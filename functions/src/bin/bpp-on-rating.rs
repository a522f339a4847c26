//! Lambda `bpp-on-rating`; see `bpp::on_rating`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bpp::on_rating::FUNCTION).await
}

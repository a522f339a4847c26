//! Lambda `bpp-on-search`; see `bpp::on_search`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bpp::on_search::FUNCTION).await
}

//! Lambda `bpp-on-select`; see `bpp::on_select`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bpp::on_select::FUNCTION).await
}

//! Lambda `bap-on-select`; see `bap::on_select`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bap::on_select::FUNCTION).await
}

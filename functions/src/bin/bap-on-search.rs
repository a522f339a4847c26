//! Lambda `bap-on-search`; see `bap::on_search`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bap::on_search::FUNCTION).await
}

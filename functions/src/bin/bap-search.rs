//! Lambda `bap-search`; see `bap::search`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bap::search::FUNCTION).await
}

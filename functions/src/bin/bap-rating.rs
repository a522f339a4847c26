//! Lambda `bap-rating`; see `bap::rating`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bap::rating::FUNCTION).await
}

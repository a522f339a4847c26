//! Lambda `bap-support`; see `bap::support`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bap::support::FUNCTION).await
}

//! Lambda `gateway-search`; see `gateway::search`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::gateway::search::FUNCTION).await
}

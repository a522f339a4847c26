//! Lambda `gateway-relay`; see `gateway::relay`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::gateway::relay::FUNCTION).await
}

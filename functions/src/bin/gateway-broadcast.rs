//! Lambda `gateway-broadcast`; see `gateway::broadcast`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::gateway::broadcast::FUNCTION).await
}

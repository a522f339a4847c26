//! Lambda `gateway-on-search`; see `gateway::on_search`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::gateway::on_search::FUNCTION).await
}

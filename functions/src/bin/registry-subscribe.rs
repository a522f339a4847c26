//! Lambda `registry-subscribe`; see `registry::subscribe`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::registry::subscribe::FUNCTION).await
}

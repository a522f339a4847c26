//! Lambda `bap-init`; see `bap::init`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bap::init::FUNCTION).await
}

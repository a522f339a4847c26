//! Lambda `bap-cancel`; see `bap::cancel`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bap::cancel::FUNCTION).await
}

//! Lambda `bap-on-rating`; see `bap::on_rating`.

#[tokio::main]
async fn main() -> Result<(), beckn_health_platform::lambda::Error> {
    beckn_health_platform::lambda::run(beckn_health_functions::bap::on_rating::FUNCTION).await
}

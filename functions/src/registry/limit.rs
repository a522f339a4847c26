//! How much a participant may ask of the registry.
//!
//! Invariant: only who has proved who it is is counted, so nobody uses up what is another's.

use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::Response;
use beckn_health_platform::receive::{nack, unavailable};
use beckn_health_platform::store::limits::{Limited, Limits};
use beckn_health_protocol::error::Code;
use beckn_health_protocol::ids::SubscriberId;
use http::{HeaderValue, StatusCode, header};
use tracing::error;

/// Counts one request of a subscriber.
///
/// # Errors
/// The response to give instead: 429 when it has had its share of this minute, 503 when nobody could count.
pub(super) async fn within_limit(deps: &Deps, what: Limited, subscriber: &SubscriberId) -> Result<(), Response> {
    let limit = match what {
        Limited::Lookup => deps.settings.lookups_per_minute,
        Limited::Subscribe => deps.settings.subscribes_per_minute,
    };
    let now = deps.clock.now();
    match Limits::new(deps.tables.clone()).count(what, subscriber, limit, now).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            let message = format!("{subscriber} has asked {limit} times in this minute, which is the limit");
            let mut response = nack(StatusCode::TOO_MANY_REQUESTS, Code::PolicyError, "", message);
            let seconds = 60 - now.as_second().rem_euclid(60);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            Err(response)
        }
        Err(fault) => {
            error!(peer = %subscriber, %fault, "not counted");
            Err(unavailable())
        }
    }
}

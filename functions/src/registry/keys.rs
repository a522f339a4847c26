//! `registry-keys`: the registry's own keys, for newcomers and for whoever it challenges.
//!
//! Registry API 1.1.0 says that the registry signs `on_subscribe` and not where its key is had. A newcomer cannot
//! look it up before it is listed, so this needs no signature; that the answer is the registry's is vouched for
//! by the address alone.

use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, Response, Route, Trigger};
use beckn_health_platform::hop::Outcome;
use beckn_health_platform::receive::{ending, json, unavailable};
use beckn_health_protocol::registry::RegistryKeys;
use http::{HeaderValue, StatusCode, header};
use tracing::error;

/// How long others may keep the answer.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=60");

/// The registry's own keys.
pub const FUNCTION: Function = Function {
    name: "registry-keys",
    trigger: Trigger::Http {
        route: Route::get("/registry/keys"),
        handler: |deps, _request| Box::pin(async move { tell(&deps).await }),
    },
    tables: &[],
    sends_to: &[],
    prepare: None,
};

async fn tell(deps: &Deps) -> Response {
    let us = &deps.participant;
    let ring = match us.keys.ring(deps.clock.now()).await {
        Ok(ring) => ring,
        Err(fault) => {
            error!(%fault, "keys not told");
            return unavailable();
        }
    };
    let active = ring.active();
    let Some(encryption) = &active.encryption else {
        error!(key_id = %active.key_id, "keys not told: the registry's secret holds no encr_private_key");
        return unavailable();
    };
    let keys = RegistryKeys {
        subscriber_id: us.subscriber_id.clone(),
        key_id: active.key_id.clone(),
        signing_public_key: active.signing.verifying_key(),
        encr_public_key: encryption.public_key(),
    };
    let mut response = ending(Outcome::Answered, json(StatusCode::OK, &keys));
    response.headers_mut().insert(header::CACHE_CONTROL, CACHED);
    response
}

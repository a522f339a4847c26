//! `on_subscribe`: the registry challenges one of our keys, or tells us where we stand (Beckn 1.1.0
//! `registry.yaml`). The same for every role.
//!
//! Invariant: only what the registry has signed is decrypted or believed; its keys are those it tells at the
//! configured address.

use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Request, Response};
use beckn_health_platform::hop::Outcome;
use beckn_health_platform::participant::ring::KeyRing;
use beckn_health_platform::possession::{claimed, prove, refused};
use beckn_health_platform::receive::{MAX_REQUEST, check_shape, ending, json, refuse, unavailable};
use beckn_health_protocol::challenge;
use beckn_health_protocol::fault::Fault;
use beckn_health_protocol::registry::{OnSubscribe, OnSubscribeAnswer, RegistryKeys};
use beckn_health_protocol::signature;
use http::StatusCode;
use tracing::{error, info};

const AUTHORIZATION: &str = "authorization";

/// Answers one request.
pub(crate) async fn answer(deps: &Deps, request: Request) -> Response {
    handle(deps, request).await.unwrap_or_else(|refusal| refusal)
}

async fn handle(deps: &Deps, request: Request) -> Result<Response, Response> {
    let (parts, body) = request.into_parts();
    check_shape(&parts.headers, &body, MAX_REQUEST)?;
    let header = claimed(deps, &parts.headers, AUTHORIZATION)?;
    // The right key under the right name; perhaps a new one, which verifies what the known one does not.
    let is_theirs = |keys: &RegistryKeys| {
        keys.subscriber_id == header.key_id.subscriber_id
            && keys.key_id == header.key_id.key_id
            && signature::verify(&header, &body, &keys.signing_public_key).is_ok()
    };
    let keys = deps.registry.registry_keys(is_theirs).await.map_err(|fault| {
        error!(%fault, "challenge cannot be checked");
        unavailable()
    })?;
    let keys = keys.ok_or_else(|| refused(deps, "expected a signature by the registry"))?;
    prove(deps, AUTHORIZATION, &header, &body, &keys.signing_public_key, None)?;
    let told = OnSubscribe::parse(&body).map_err(bad)?;
    let us = &deps.participant.subscriber_id;
    if told.subscriber_id.as_ref().is_some_and(|id| id != us) {
        return Err(bad(Fault::invalid("subscriber_id", format!("expected {us}"))));
    }
    if let Some(status) = &told.status {
        let key_id = told.key_id.as_ref().map(|key_id| key_id.as_str());
        info!(key_id, status = status.as_str(), "the registry tells where we stand");
    }
    let Some(text) = &told.challenge else {
        return Ok(ending(Outcome::Answered, json(StatusCode::OK, &serde_json::json!({}))));
    };
    let now = deps.clock.now();
    let ring = match &told.key_id {
        Some(key_id) => deps.participant.keys.ring_with(key_id, now).await,
        None => deps.participant.keys.ring(now).await,
    };
    let ring = ring.map_err(|fault| {
        error!(%fault, "challenge not answered");
        unavailable()
    })?;
    let answer = decrypted(&ring, &told, text, &keys)
        .ok_or_else(|| bad(Fault::invalid("challenge", "expected a text encrypted for one of our keys")))?;
    info!(key_id = told.key_id.as_ref().map(|key_id| key_id.as_str()), "challenge answered");
    Ok(ending(Outcome::Answered, json(StatusCode::OK, &OnSubscribeAnswer { answer })))
}

/// The text of a challenge: by the key it names, or by the first key that makes sense of it.
fn decrypted(ring: &KeyRing, told: &OnSubscribe, text: &str, keys: &RegistryKeys) -> Option<String> {
    let named = told.key_id.as_ref().and_then(|key_id| ring.find(key_id));
    let tried = ring.keys().filter(|key| named.is_none_or(|named| named.key_id == key.key_id));
    tried
        .filter_map(|key| key.encryption.as_ref())
        .find_map(|key| challenge::decrypt(text, key, &keys.encr_public_key).ok())
}

fn bad(fault: Fault) -> Response {
    refuse(StatusCode::BAD_REQUEST, fault)
}

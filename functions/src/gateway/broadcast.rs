//! `gateway-broadcast`: carries one search to every provider of its place.
//!
//! Invariant: the signed bytes are forwarded unchanged, with the sender's own `Authorization` and the
//! gateway's signature over the same bytes beside it, so both verify at the far end. No provider
//! waits for another, and one that failed is tried again on its own until the search has lapsed.

use std::collections::BTreeMap;
use std::time::Duration;

use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, QueueRecord, RecordFailure, Trigger};
use beckn_health_platform::queue::Outgoing;
use beckn_health_platform::registry::Peer;
use beckn_health_protocol::ack;
use beckn_health_protocol::action::{Action, Verb};
use beckn_health_protocol::dialect;
use beckn_health_protocol::ids::SubscriberId;
use beckn_health_protocol::registry::SubscriberType;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use tracing::{info, warn};

use super::place::place;

/// The queue of searches to carry.
pub const QUEUE: &str = "gateway-broadcast";
/// Providers written to at the same time.
const CONCURRENCY: usize = 64;

/// The gateway's broadcaster.
pub const FUNCTION: Function = Function {
    name: "gateway-broadcast",
    trigger: Trigger::Queue {
        queue: QUEUE,
        timeout_seconds: 30,
        max_receive_count: 5,
        handler: |deps, record| Box::pin(async move { carry(&deps, record).await }),
    },
    tables: &[],
    sends_to: &[QUEUE],
    prepare: None,
};

async fn carry(deps: &Deps, record: QueueRecord) -> Result<(), RecordFailure> {
    let expires_at: Timestamp = record
        .attribute("expires_at")?
        .parse()
        .map_err(|_| RecordFailure::Malformed("message attribute expires_at is malformed".to_owned()))?;
    if record.receive_count > 1 && expires_at < deps.clock.now() {
        return Err(RecordFailure::Lapsed);
    }
    let authorization = record.attribute("authorization")?.to_owned();
    let body = Bytes::from(record.body.clone());
    if let Some(target) = record.attributes.get("target") {
        let target = SubscriberId::parse(target.as_str())
            .map_err(|_| RecordFailure::Malformed("message attribute target is malformed".to_owned()))?;
        let Some(peer) = deps.registry.peer(&target, SubscriberType::Bpp).await.map_err(RecordFailure::temporary)?
        else {
            // It left the network meanwhile.
            return Ok(());
        };
        return forward(deps, &peer, &authorization, body).await.map_err(RecordFailure::Temporary);
    }
    let envelope = dialect::read(record.body.as_bytes(), Verb::Request(Action::Search), dialect::Reading::Compat)
        .map_err(|fault| {
            RecordFailure::Malformed(format!("the queued search cannot be read: {} at {}", fault.code, fault.path))
        })?;
    let providers = deps.registry.providers(place(&envelope.context)).await.map_err(RecordFailure::temporary)?;
    let failed: Vec<SubscriberId> = stream::iter(providers)
        .map(|peer| {
            let (authorization, body) = (&authorization, body.clone());
            async move {
                let outcome = forward(deps, &peer, authorization, body).await;
                outcome.err().map(|reason| {
                    warn!(peer = %peer.subscriber_id, reason, "search queued for retry");
                    peer.subscriber_id
                })
            }
        })
        .buffer_unordered(CONCURRENCY)
        .filter_map(|failed| async move { failed })
        .collect()
        .await;
    for target in failed {
        let message = Outgoing {
            body: record.body.clone(),
            attributes: BTreeMap::from([
                ("authorization", authorization.clone()),
                ("expires_at", expires_at.to_string()),
                ("target", target.to_string()),
            ]),
            group: target.to_string(),
            delay: Duration::from_secs(1),
        };
        deps.queues.send(QUEUE, message).await.map_err(RecordFailure::temporary)?;
    }
    Ok(())
}

/// Posts the search to one provider. An answer of the provider, even a refusal, ends the matter; only
/// silence and server errors are worth another try.
async fn forward(deps: &Deps, peer: &Peer, authorization: &str, body: Bytes) -> Result<(), String> {
    let gateway_authorization = deps.participant.sign(&body, deps.clock.now()).map_err(|error| error.to_string())?;
    let headers = [("authorization", authorization.to_owned()), ("x-gateway-authorization", gateway_authorization)];
    let url = format!("{}/search", peer.url);
    let answer = deps.egress.post(&url, &headers, body).await.map_err(|error| error.to_string())?;
    match (answer.status, ack::Response::parse(&answer.body)) {
        (200..=299, Ok(response)) => {
            info!(peer = %peer.subscriber_id, ack = response.is_ack(), "search forwarded");
            Ok(())
        }
        (408 | 425 | 429, _) => Err(format!("status {}", answer.status)),
        (status @ 400..=499, _) => {
            warn!(peer = %peer.subscriber_id, status, "search refused by the provider");
            Ok(())
        }
        (status, _) => Err(format!("status {status}")),
    }
}

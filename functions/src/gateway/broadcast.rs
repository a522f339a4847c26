//! `gateway-broadcast`: carries one search to every provider of its place.
//!
//! A record without the attribute `targets` is a search as it was taken; one with it is for those of its
//! providers that are named there. A search of many providers is split into such shares first.
//!
//! Invariant: no provider waits for another, and one that failed is tried again on its own, as a record of its
//! own, until the search has lapsed or its deliveries are used up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use beckn_health_platform::deliver::{Attempt, Refusal};
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, QueueRecord, RecordFailure, Trigger};
use beckn_health_platform::hop::{self, Outcome};
use beckn_health_platform::queue::Outgoing;
use beckn_health_platform::registry::Peer;
use beckn_health_protocol::action::{Action, Verb};
use beckn_health_protocol::dialect;
use beckn_health_protocol::ids::SubscriberId;
use futures_util::future::join_all;
use tracing::warn;

use super::carry::Carried;
use super::lanes::Lanes;
use super::place::providers;

/// The queue of searches to carry.
pub const QUEUE: &str = "gateway-broadcast";
/// Most providers that one record is carried to: what is done twice when a process dies in the middle.
const SHARE: usize = 100;

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
    let verb = Verb::Request(Action::Search);
    hop::verb(verb);
    let envelope = dialect::read(record.body.as_bytes(), verb, dialect::Reading::Compat).map_err(|fault| {
        RecordFailure::Malformed(format!("the queued search cannot be read: {} at {}", fault.code, fault.path))
    })?;
    hop::about(&envelope.context);
    let carried = Carried::from_record(deps, &record, verb).await?;
    let named = targets(&record)?;
    let providers = providers(deps, &envelope.context).await.map_err(RecordFailure::temporary)?;
    // Whoever is named and no longer there has left the network.
    let is_meant = |peer: &Peer| named.as_ref().is_none_or(|named| named.contains(&peer.subscriber_id));
    let providers: Vec<Peer> = providers.into_iter().filter(is_meant).collect();
    if providers.len() > SHARE {
        // A consumer's shares wait for each other, not for those of other consumers.
        let group = envelope.context.bap_id.as_ref().map_or("", SubscriberId::as_str);
        let shares = providers.chunks(SHARE).map(|share| again(&record, share, group, Duration::ZERO));
        let shares = shares.collect::<Result<_, _>>()?;
        return deps.queues.send_batch(QUEUE, shares).await.map_err(RecordFailure::temporary);
    }
    if let [only] = providers.as_slice() {
        hop::peer(&only.subscriber_id);
        // It has the record to itself, which the queue delivers again.
        return match to(deps, &carried, only).await {
            None => Ok(()),
            Some(reason) => {
                hop::ends(Outcome::Retry);
                Err(RecordFailure::Temporary(reason))
            }
        };
    }
    // Of the whole process, whatever it carries at the same time.
    let lanes = deps.memory.of::<Lanes>();
    let tried = join_all(providers.iter().map(|peer| lanes.through(to(deps, &carried, peer)))).await;
    let mut failed = Vec::new();
    for (peer, outcome) in providers.iter().zip(tried) {
        let Some(reason) = outcome else { continue };
        warn!(peer = %peer.subscriber_id, reason, "search queued for retry");
        failed.push(again(&record, std::slice::from_ref(peer), peer.subscriber_id.as_str(), Duration::from_secs(1))?);
    }
    let retries = failed.len();
    deps.queues.send_batch(QUEUE, failed).await.map_err(RecordFailure::temporary)?;
    (0..retries).for_each(|_| hop::ends(Outcome::Retry));
    Ok(())
}

/// Posts the search to one provider. What it answers, even a refusal, ends the matter; otherwise says why
/// another try is worth it.
async fn to(deps: &Deps, carried: &Carried, peer: &Peer) -> Option<String> {
    match carried.to(deps, peer).await {
        Attempt::Delivered => hop::ends(Outcome::Delivered),
        Attempt::Refused(Refusal { reason, .. }) => {
            warn!(peer = %peer.subscriber_id, reason, "search refused by the provider");
            hop::ends(Outcome::Refused);
        }
        Attempt::Failed(reason) => return Some(reason),
    }
    None
}

/// Whom the record is for; everybody if it does not say.
fn targets(record: &QueueRecord) -> Result<Option<BTreeSet<SubscriberId>>, RecordFailure> {
    let malformed = |_| RecordFailure::Malformed("message attribute targets: expected a list of ids".to_owned());
    record.attributes.get("targets").map(|targets| serde_json::from_str(targets)).transpose().map_err(malformed)
}

/// The same search for these providers alone.
fn again(record: &QueueRecord, targets: &[Peer], group: &str, delay: Duration) -> Result<Outgoing, RecordFailure> {
    let targets: Vec<&SubscriberId> = targets.iter().map(|peer| &peer.subscriber_id).collect();
    Ok(Outgoing {
        body: record.body.clone(),
        attributes: BTreeMap::from([
            ("authorization", record.attribute("authorization")?.to_owned()),
            ("expires_at", record.attribute("expires_at")?.to_owned()),
            ("targets", serde_json::to_string(&targets).map_err(RecordFailure::temporary)?),
        ]),
        group: group.to_owned(),
        delay,
    })
}

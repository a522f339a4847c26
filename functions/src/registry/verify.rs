//! `registry-verify`: challenges whoever wants to be listed, and tells participants where they stand.
//!
//! Invariant: nobody is listed whose `on_subscribe` did not give back, at the URL that is to be listed, a text that
//! only the holder of the listed encryption key can read; and only as it was asked for: a request that was
//! replaced meanwhile comes to nothing. A wrong answer ends the request at once, silence after five tries.

use std::collections::BTreeMap;
use std::time::Duration;

use beckn_health_platform::deps::Deps;
use beckn_health_platform::egress::EgressError;
use beckn_health_platform::function::{Function, QueueRecord, RecordFailure, Trigger};
use beckn_health_platform::hop::{self, Outcome};
use beckn_health_platform::queue::{Outgoing, QueueError};
use beckn_health_platform::store::participants::{Entry, Participants, Request, Standing, Subscriber};
use beckn_health_platform::store::table;
use beckn_health_protocol::challenge::{self, EncryptionPublicKey};
use beckn_health_protocol::ids::{KeyId, SubscriberId};
use beckn_health_protocol::registry::{OnSubscribe, OnSubscribeAnswer, Subscription, SubscriptionStatus};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

/// The queue of participants to challenge or to tell something.
pub const QUEUE: &str = "registry-verify";
/// Deliveries of a message; at the last one silence is taken for an answer.
const DELIVERIES: u32 = 5;
/// Deliveries of an announcement: it is tried twice.
const ANNOUNCEMENTS: u32 = 2;
/// Times a change is decided anew because another came first.
const ATTEMPTS: usize = 5;

/// The registry's challenger.
pub const FUNCTION: Function = Function {
    name: "registry-verify",
    trigger: Trigger::Queue {
        queue: QUEUE,
        timeout_seconds: 30,
        max_receive_count: DELIVERIES,
        handler: |deps, record| Box::pin(async move { handle(&deps, &record).await }),
    },
    tables: &[table::PARTICIPANTS],
    sends_to: &[QUEUE],
    prepare: None,
};

/// What is to be done.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub(super) enum Task {
    /// Challenge the key of a request.
    Challenge {
        /// Whose key.
        subscriber_id: SubscriberId,
        /// Which key.
        key_id: KeyId,
        /// Which request for it.
        request_id: String,
    },
    /// Tell a participant where it stands.
    Announce {
        /// Where it listens.
        url: String,
        /// What it is told; `subscriber_id` says whom.
        body: OnSubscribe,
    },
}

impl Task {
    /// Puts the task on the queue.
    pub(super) async fn send(&self, deps: &Deps) -> Result<(), QueueError> {
        let group = match self {
            Self::Challenge { subscriber_id, .. } => subscriber_id.to_string(),
            Self::Announce { body, .. } => body.subscriber_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        };
        // Text, ids and words alone: writing them cannot fail.
        let body = serde_json::to_string(self).unwrap_or_default();
        deps.queues.send(QUEUE, Outgoing { body, attributes: BTreeMap::new(), group, delay: Duration::ZERO }).await
    }
}

/// Tells a participant, soon, that the row of this key now has that status. Best effort: whoever misses it can ask.
pub(super) async fn announce(deps: &Deps, row: &Subscription, status: SubscriptionStatus, reason: Option<String>) {
    let Some(url) = row.url.clone() else { return };
    let body = OnSubscribe {
        subscriber_id: row.subscriber_id.clone(),
        key_id: row.key_id.clone(),
        status: Some(status),
        reason,
        ..OnSubscribe::default()
    };
    if let Err(fault) = (Task::Announce { url, body }).send(deps).await {
        warn!(%fault, "status not announced");
    }
}

async fn handle(deps: &Deps, record: &QueueRecord) -> Result<(), RecordFailure> {
    let task: Task = serde_json::from_str(&record.body)
        .map_err(|error| RecordFailure::Malformed(format!("it is no task of the registry (line {})", error.line())))?;
    match task {
        Task::Challenge { subscriber_id, key_id, request_id } => {
            hop::peer(&subscriber_id);
            verify(deps, record.receive_count, &subscriber_id, &key_id, &request_id).await
        }
        Task::Announce { url, body } => {
            if let Some(subscriber_id) = &body.subscriber_id {
                hop::peer(subscriber_id);
            }
            let answer = post(deps, &url, &body).await?;
            let outcome = match answer {
                Ok((200..=299, _)) => Outcome::Delivered,
                Ok((status, _)) if !is_silence(status) => Outcome::Refused,
                Ok(_) | Err(_) if record.receive_count < ANNOUNCEMENTS => {
                    return Err(RecordFailure::Temporary("the announcement was not taken".to_owned()));
                }
                Ok(_) | Err(_) => Outcome::Lapsed,
            };
            hop::ends(outcome);
            Ok(())
        }
    }
}

/// How a challenge came out.
enum Verdict {
    /// The right answer.
    Right,
    /// The request is over.
    LeftOut(SubscriptionStatus, String),
    /// No answer; another try may bring one.
    Silent(SubscriptionStatus, String),
}

async fn verify(
    deps: &Deps,
    delivery: u32,
    subscriber_id: &SubscriberId,
    key_id: &KeyId,
    request_id: &str,
) -> Result<(), RecordFailure> {
    let participants = Participants::new(deps.tables.clone());
    let read = async || {
        let found = participants.subscriber(subscriber_id, deps.clock.now()).await;
        found.map_err(RecordFailure::temporary)
    };
    let seen = read().await?;
    let Some((_, request)) = pending(&seen, key_id, request_id) else {
        // It was replaced, withdrawn or decided meanwhile.
        return Ok(());
    };
    let asked = request.asked.clone();
    let (status, reason) = match challenge(deps, &asked).await? {
        Verdict::Right => (SubscriptionStatus::Subscribed, None),
        Verdict::Silent(_, reason) if delivery < DELIVERIES => return Err(RecordFailure::Temporary(reason)),
        Verdict::Silent(status, reason) => (status, Some(format!("{reason}; it was asked {DELIVERIES} times"))),
        Verdict::LeftOut(status, reason) => (status, Some(reason)),
    };
    let mut seen = seen;
    for _ in 0..ATTEMPTS {
        let Some((entry, request)) = pending(&seen, key_id, request_id) else { return Ok(()) };
        let now = deps.clock.now();
        let (status, reason) =
            if status == SubscriptionStatus::Subscribed && request.newcomer && seen.in_force(now).next().is_some() {
                let reason = "another key of this subscriber was registered meanwhile: sign with that one".to_owned();
                (SubscriptionStatus::Initiated, Some(reason))
            } else {
                (status.clone(), reason.clone())
            };
        let mut changed = entry.clone();
        match &reason {
            None => {
                let created = entry.row.as_ref().and_then(|row| row.created).or(Some(now));
                let served =
                    Subscription { status: Some(status.clone()), created, updated: Some(now), ..asked.clone() };
                (changed.row, changed.request) = (Some(served), None);
            }
            Some(reason) => {
                let standing = Standing::LeftOut { status: status.clone(), reason: reason.clone() };
                changed.request = Some(Request { standing, ..request.clone() });
            }
        }
        if participants.change(&seen, &[changed]).await.map_err(RecordFailure::temporary)? {
            info!(peer = %subscriber_id, key_id = %key_id, status = status.as_str(), "subscription decided");
            hop::ends(if reason.is_none() { Outcome::Delivered } else { Outcome::Refused });
            announce(deps, &asked, status, reason).await;
            return Ok(());
        }
        seen = read().await?;
    }
    Err(RecordFailure::Temporary("the subscriber kept changing".to_owned()))
}

/// The key and its request, if that request still waits for its challenge.
fn pending<'s>(seen: &'s Subscriber, key_id: &KeyId, request_id: &str) -> Option<(&'s Entry, &'s Request)> {
    let entry = seen.entry(key_id)?;
    let request = entry.request.as_ref()?;
    (request.id == request_id && request.standing == Standing::UnderSubscription).then_some((entry, request))
}

/// Sends a fresh challenge and judges the answer.
async fn challenge(deps: &Deps, asked: &Subscription) -> Result<Verdict, RecordFailure> {
    let malformed = |what: &str| RecordFailure::Malformed(format!("the request has no usable {what}"));
    let url = asked.url.as_deref().ok_or_else(|| malformed("url"))?;
    let theirs = asked.encr_public_key.as_deref().and_then(|key| EncryptionPublicKey::from_base64(key).ok());
    let theirs = theirs.ok_or_else(|| malformed("encr_public_key"))?;
    let ring = deps.participant.keys.ring(deps.clock.now()).await.map_err(RecordFailure::temporary)?;
    let ours = ring.active().encryption.as_ref();
    let ours =
        ours.ok_or_else(|| RecordFailure::Temporary("the registry's secret holds no encr_private_key".to_owned()))?;
    let plain = digits(deps);
    let text = challenge::encrypt(&plain, ours, &theirs).map_err(RecordFailure::temporary)?;
    let body = OnSubscribe {
        subscriber_id: asked.subscriber_id.clone(),
        key_id: asked.key_id.clone(),
        challenge: Some(text),
        ..OnSubscribe::default()
    };
    let left_out = |reason: String| Verdict::LeftOut(SubscriptionStatus::Initiated, reason);
    Ok(match post(deps, url, &body).await? {
        Ok((200..=299, answer)) => match OnSubscribeAnswer::parse(&answer) {
            Ok(answer) if answer.answer == plain => Verdict::Right,
            Ok(_) => left_out("on_subscribe gave a wrong answer: decrypt the challenge with the private half of encr_public_key and the registry's key from /keys".to_owned()),
            Err(_) => left_out("on_subscribe gave no answer: expected {\"answer\": \"<text>\"}".to_owned()),
        },
        Ok((status, _)) if is_silence(status) => {
            Verdict::Silent(SubscriptionStatus::Initiated, format!("on_subscribe answered with status {status}"))
        }
        Ok((status, _)) => left_out(format!("on_subscribe answered with status {status}; expected 200, and no redirect")),
        Err(EgressError::Unreachable(reason)) => {
            // The reason is the TLS library's or the operating system's, not the peer's.
            let status = match reason.contains("certificate") {
                true => SubscriptionStatus::InvalidSsl,
                false => SubscriptionStatus::Initiated,
            };
            Verdict::Silent(status, format!("on_subscribe cannot be reached: {reason}"))
        }
        Err(error) => left_out(format!("on_subscribe cannot be used: {error}")),
    })
}

/// Whether a status says that there was no answer this time. So does 401: its clock, or what it knows of our keys,
/// may recover.
fn is_silence(status: u16) -> bool {
    matches!(status, 401 | 408 | 425 | 429 | 500..)
}

/// Posts to a participant's `on_subscribe`, signed by us: the status and the body of the answer.
async fn post(deps: &Deps, url: &str, body: &OnSubscribe) -> Result<Result<(u16, Bytes), EgressError>, RecordFailure> {
    let body = serde_json::to_vec(body).map_err(RecordFailure::temporary)?;
    let authorization = deps.participant.sign(&body, deps.clock.now()).await.map_err(RecordFailure::temporary)?;
    let url = format!("{}/on_subscribe", url.trim_end_matches('/'));
    let answer = deps.egress.post(&url, &[("authorization", authorization)], Bytes::from(body)).await;
    Ok(answer.map(|answer| (answer.status, answer.body)))
}

/// 32 random decimal digits.
fn digits(deps: &Deps) -> String {
    const SIXTEEN: u128 = 10_000_000_000_000_000;
    // The 62 random bits at the end of each id leave no digit preferred by more than a part in four hundred.
    let half = || deps.fresh_id().as_u128() % SIXTEEN;
    format!("{:016}{:016}", half(), half())
}

//! Delivery of callbacks.
//!
//! Invariant: a reply that could not be delivered is on the `bpp-callbacks` queue before the
//! record that led to it is given up, so a reply is never lost; it is tried until `context.ttl`
//! has passed and then rests, whole, in the dead-letter queue.

use std::collections::BTreeMap;
use std::time::Duration;

use beckn_health_protocol::ack;
use beckn_health_protocol::action::{Callback, Verb};
use beckn_health_protocol::error::Code;
use beckn_health_protocol::ids::{MessageId, SubscriberId, TransactionId};
use beckn_health_protocol::registry::SubscriberType;
use bytes::Bytes;
use jiff::Timestamp;
use tracing::warn;

use crate::deps::Deps;
use crate::egress::{Answer, EgressError};
use crate::function::{QueueRecord, RecordFailure};
use crate::hop::{self, Outcome};
use crate::queue::Outgoing;
use crate::store::replies::{ClaimKey, Delivery, Replies};

/// The queue of callbacks to try again.
pub const CALLBACKS: &str = "bpp-callbacks";
/// Times a callback is taken from its queue before it rests in the dead-letter queue: with the
/// backoff of [`crate::batch::backoff`] about a quarter of an hour, longer than the default TTL.
pub const CALLBACKS_MAX_RECEIVE: u32 = 12;

/// A callback to deliver.
#[derive(Clone)]
pub struct Reply {
    /// To whom.
    pub to: SubscriberId,
    /// Which callback.
    pub callback: Callback,
    /// The bytes to sign and send.
    pub body: Bytes,
    /// When nobody waits for it any more.
    pub expires_at: Timestamp,
    /// The claim under which it is stored; absent for read-only actions.
    pub claim: Option<ClaimKey>,
    /// For the log.
    pub transaction_id: Option<TransactionId>,
    /// For the log.
    pub message_id: MessageId,
}

/// How one attempt to deliver a message ended.
#[derive(Debug)]
pub enum Attempt {
    /// The peer acknowledged it.
    Delivered,
    /// The peer answered NACK, or a status that no repetition will change.
    Refused(Refusal),
    /// It is worth another try; why it failed.
    Failed(String),
}

/// What is told of a refusal: nothing that the peer worded.
#[derive(Debug)]
pub struct Refusal {
    /// Status, and code and path of the NACK.
    pub reason: String,
    /// The code of the peer's NACK.
    pub code: Option<Code>,
}

impl Reply {
    /// Delivers now, or leaves the reply on the callbacks queue.
    ///
    /// # Errors
    /// Neither was possible; the record must be tried again.
    pub async fn deliver(self, deps: &Deps) -> Result<(), RecordFailure> {
        match self.attempt(deps).await {
            Attempt::Failed(reason) => {
                warn!(
                    transaction_id = self.transaction_id.as_ref().map(TransactionId::as_str),
                    message_id = %self.message_id, action = %self.callback, peer = %self.to, reason, "callback queued for retry"
                );
                let message = Outgoing {
                    group: self.to.to_string(),
                    delay: Duration::from_secs(1),
                    attributes: self.attributes(),
                    body: String::from_utf8(self.body.to_vec())
                        .map_err(|_| RecordFailure::Malformed("the reply is not UTF-8".to_owned()))?,
                };
                deps.queues.send(CALLBACKS, message).await.map_err(RecordFailure::temporary)?;
                hop::ends(Outcome::Retry);
                Ok(())
            }
            ended => {
                self.finish(deps, ended).await;
                Ok(())
            }
        }
    }

    /// Tries a reply from the callbacks queue again. The first try after it was queued, or after an
    /// operator moved it back from the dead-letter queue, is always made; later ones only until the
    /// message's TTL has passed.
    ///
    /// # Errors
    /// The peer is still not reachable, or nobody waits for the reply any more.
    pub async fn retry(deps: &Deps, record: &QueueRecord) -> Result<(), RecordFailure> {
        let reply = Self::from_record(record)?;
        hop::verb(Verb::Callback(reply.callback));
        hop::ids(reply.transaction_id.as_ref(), Some(&reply.message_id));
        if record.receive_count > 1 && reply.expires_at < deps.clock.now() {
            return Err(RecordFailure::Lapsed);
        }
        match reply.attempt(deps).await {
            Attempt::Failed(reason) => {
                hop::ends(Outcome::Retry);
                Err(RecordFailure::Temporary(reason))
            }
            ended => {
                reply.finish(deps, ended).await;
                Ok(())
            }
        }
    }

    async fn attempt(&self, deps: &Deps) -> Attempt {
        hop::peer(&self.to);
        let peer = match deps.registry.peer(&self.to, SubscriberType::Bap).await {
            Ok(Some(peer)) => peer,
            Ok(None) => return Attempt::Failed("the subscriber has no live row in the registry".to_owned()),
            Err(error) => return Attempt::Failed(error.to_string()),
        };
        let authorization = match deps.participant.sign(&self.body, deps.clock.now()).await {
            Ok(authorization) => authorization,
            Err(error) => return Attempt::Failed(error.to_string()),
        };
        let url = format!("{}/{}", peer.url, self.callback);
        classify(deps.egress.post(&url, &[("authorization", authorization)], self.body.clone()).await)
    }

    /// Notes the end, and marks the stored reply where somebody will ask for it: what a peer refused, and what told of
    /// a lapse. A reply to a message is delivered again to whoever repeats the message, whatever became of it before.
    async fn finish(&self, deps: &Deps, ended: Attempt) {
        let transaction_id = self.transaction_id.as_ref().map(TransactionId::as_str);
        let delivery = match &ended {
            Attempt::Refused(Refusal { reason, code }) => {
                warn!(transaction_id, message_id = %self.message_id, action = %self.callback, peer = %self.to, reason, "callback refused by the peer");
                if let Some(code) = code {
                    hop::code(code);
                }
                hop::ends(Outcome::Refused);
                Delivery::Refused
            }
            Attempt::Delivered | Attempt::Failed(_) => {
                hop::ends(Outcome::Delivered);
                Delivery::Delivered
            }
        };
        if let Some(claim) = &self.claim
            && (delivery == Delivery::Refused || claim.is_on_lapse())
            && let Err(error) = Replies::new(deps.tables.clone()).mark(claim, delivery).await
        {
            // The peer has seen it; at worst it sees it once more.
            warn!(transaction_id, message_id = %self.message_id, %error, "delivery not recorded");
        }
    }

    fn attributes(&self) -> BTreeMap<&'static str, String> {
        let mut attributes = BTreeMap::from([
            ("to", self.to.to_string()),
            ("callback", self.callback.to_string()),
            ("expires_at", self.expires_at.to_string()),
            ("message_id", self.message_id.to_string()),
        ]);
        if let Some(claim) = &self.claim {
            attributes.insert("claim", claim.as_str().to_owned());
        }
        if let Some(transaction) = &self.transaction_id {
            attributes.insert("transaction_id", transaction.to_string());
        }
        attributes
    }

    fn from_record(record: &QueueRecord) -> Result<Self, RecordFailure> {
        let malformed = |name: &str| RecordFailure::Malformed(format!("message attribute {name} is malformed"));
        Ok(Self {
            to: SubscriberId::parse(record.attribute("to")?).map_err(|_| malformed("to"))?,
            callback: record.attribute("callback")?.parse().map_err(|_| malformed("callback"))?,
            expires_at: record.attribute("expires_at")?.parse().map_err(|_| malformed("expires_at"))?,
            message_id: MessageId::parse(record.attribute("message_id")?).map_err(|_| malformed("message_id"))?,
            transaction_id: record
                .attributes
                .get("transaction_id")
                .and_then(|id| TransactionId::parse(id.as_str()).ok()),
            claim: record.attributes.get("claim").map(|claim| ClaimKey::from_attribute(claim)),
            body: Bytes::from(record.body.clone()),
        })
    }
}

/// 2xx with ACK is delivered; a NACK, or a 4xx other than 408, 425 and 429, is final; anything else
/// is worth another try. 401 is tried again: our clock or the peer's view of our key may recover.
pub fn classify(outcome: Result<Answer, EgressError>) -> Attempt {
    let refused = |reason: String| Attempt::Refused(Refusal { reason, code: None });
    let answer = match outcome {
        Ok(answer) => answer,
        Err(EgressError::Refused(reason)) => return refused(reason),
        Err(error) => return Attempt::Failed(error.to_string()),
    };
    let status = answer.status;
    let response = ack::Response::parse(&answer.body);
    match (status, response) {
        (200..=299, Ok(response)) if response.is_ack() => Attempt::Delivered,
        (200..=299, Ok(response)) => Attempt::Refused(Refusal::of(&response, status)),
        (200..=299, Err(_)) => Attempt::Failed(format!("status {status} without an acknowledgement")),
        (401 | 408 | 425 | 429, _) => Attempt::Failed(format!("status {status}")),
        (400..=499, Ok(response)) => Attempt::Refused(Refusal::of(&response, status)),
        (400..=499, Err(_)) => refused(format!("status {status}")),
        _ => Attempt::Failed(format!("status {status}")),
    }
}

impl Refusal {
    /// The status, and the peer's code and path if they can only be that: its words may quote personal data, so
    /// they stay out of our log.
    fn of(response: &ack::Response, status: u16) -> Self {
        let Some(error) = &response.error else {
            return Self { reason: format!("status {status}, NACK"), code: None };
        };
        let mut reason = format!("status {status}");
        if hop::is_code(&error.code) {
            reason.push_str(&format!(", code {}", error.code));
        }
        if let Some(path) = error.paths.as_deref().filter(|path| hop::is_path(path)) {
            reason.push_str(&format!(", path {path}"));
        }
        Self { reason, code: Some(error.code.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Result<Answer, EgressError> {
        Ok(Answer { status, body: Bytes::from(body.to_owned()) })
    }

    #[test]
    fn answers_are_told_apart() {
        let ack = r#"{"message":{"ack":{"status":"ACK"}}}"#;
        let nack = r#"{"message":{"ack":{"status":"NACK"}},"error":{"code":"30000","paths":"context","message":"no"}}"#;
        assert!(matches!(classify(answer(200, ack)), Attempt::Delivered));
        assert!(matches!(classify(answer(202, ack)), Attempt::Delivered));
        assert!(matches!(classify(answer(200, nack)), Attempt::Refused(_)));
        assert!(matches!(classify(answer(400, nack)), Attempt::Refused(_)));
        assert!(matches!(classify(answer(404, "")), Attempt::Refused(_)));
        assert!(matches!(classify(answer(401, nack)), Attempt::Failed(_)));
        assert!(matches!(classify(answer(429, "")), Attempt::Failed(_)));
        assert!(matches!(classify(answer(200, "<html>")), Attempt::Failed(_)));
        assert!(matches!(classify(answer(302, "")), Attempt::Failed(_)));
        assert!(matches!(classify(answer(503, "")), Attempt::Failed(_)));
        assert!(matches!(classify(Err(EgressError::Unreachable("x".to_owned()))), Attempt::Failed(_)));
    }
}

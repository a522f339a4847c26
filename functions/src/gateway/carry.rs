//! A message of one participant on its way through the gateway to another.
//!
//! Invariant: the signed bytes are carried unchanged, with the sender's own `Authorization` and the gateway's
//! signature over the same bytes beside it, so both verify at the far end. Nothing is carried on once the
//! sender's signature has expired: whoever got it would have to refuse it.

use beckn_health_platform::deliver::{self, Attempt};
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{QueueRecord, RecordFailure};
use beckn_health_platform::receive::Verified;
use beckn_health_platform::registry::Peer;
use beckn_health_protocol::action::Verb;
use beckn_health_protocol::signature::AuthorizationHeader;
use bytes::Bytes;
use jiff::Timestamp;

/// A message with both signatures.
pub(super) struct Carried {
    verb: Verb,
    body: Bytes,
    authorization: String,
    gateway_authorization: String,
}

impl Carried {
    /// The message of a record, signed by the gateway now. The first try after it was queued, or after an operator
    /// moved it back from the dead-letter queue, is always made.
    ///
    /// # Errors
    /// The record is malformed, nobody waits for the message any more, or it cannot be signed.
    pub(super) async fn from_record(deps: &Deps, record: &QueueRecord, verb: Verb) -> Result<Self, RecordFailure> {
        let expires_at: Timestamp = record
            .attribute("expires_at")?
            .parse()
            .map_err(|_| RecordFailure::Malformed("message attribute expires_at is malformed".to_owned()))?;
        let now = deps.clock.now();
        if record.receive_count > 1 && expires_at < now {
            return Err(RecordFailure::Lapsed);
        }
        let authorization = record.attribute("authorization")?.to_owned();
        let body = Bytes::from(record.body.clone());
        let gateway_authorization = deps.participant.sign(&body, now).await.map_err(RecordFailure::temporary)?;
        Ok(Self { verb, body, authorization, gateway_authorization })
    }

    /// Posts it to a participant, once.
    pub(super) async fn to(&self, deps: &Deps, peer: &Peer) -> Attempt {
        let headers = [
            ("authorization", self.authorization.clone()),
            ("x-gateway-authorization", self.gateway_authorization.clone()),
        ];
        let url = format!("{}/{}", peer.url, self.verb.as_str());
        deliver::classify(deps.egress.post(&url, &headers, self.body.clone()).await)
    }
}

/// When a message can be carried no further: at the end of its own time to live, or of its sender's signature,
/// whichever comes first.
pub(super) fn until(verified: &Verified) -> Timestamp {
    let signed = AuthorizationHeader::parse(&verified.authorization).ok();
    let signed = signed.and_then(|header| Timestamp::from_second(header.expires).ok());
    signed.map_or(verified.expires_at, |signed| signed.min(verified.expires_at))
}

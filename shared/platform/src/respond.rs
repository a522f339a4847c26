//! From an acknowledged request to its callback: what all responders share.
//!
//! Invariant: the effect of a message, the claim on it and its reply are written in one
//! transaction, so a message takes effect at most once however often it is delivered, and whoever
//! repeats it gets the reply of the first time.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::TransactWriteItem;
use beckn_health_protocol::action::{Action, Verb};
use beckn_health_protocol::dialect::{self, Envelope, Reading};
use beckn_health_protocol::error::{Code, Error};
use beckn_health_protocol::ids::{MessageId, SubscriberId};
use beckn_health_protocol::message::Message;
use beckn_health_protocol::signature;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use tracing::error;

use crate::deliver::Reply;
use crate::deps::Deps;
use crate::function::{QueueRecord, RecordFailure, Request, Response};
use crate::hop;
use crate::queue::Outgoing;
use crate::receive::{acknowledged, nack, receive, unavailable};
use crate::store::replies::{ClaimKey, Replies};
use crate::store::{Commit, Purpose};

/// Receives a request of a BAP and puts it on `queue` for its responder. The ACK is given once
/// the queue has accepted it.
pub async fn receive_and_enqueue(deps: &Deps, request: Request, action: Action, queue: &str) -> Response {
    let verified = match receive(deps, request, Verb::Request(action)).await {
        Ok(verified) => verified,
        Err(response) => return response,
    };
    let context = &verified.context;
    let Ok(body) = String::from_utf8(verified.raw.into()) else {
        return nack(http::StatusCode::OK, Code::InvalidRequest, "", "the body is not UTF-8".to_owned());
    };
    let message = Outgoing {
        body,
        attributes: BTreeMap::from([
            ("subscriber_id", verified.subscriber.to_string()),
            ("expires_at", verified.expires_at.to_string()),
        ]),
        group: verified.subscriber.to_string(),
        delay: Duration::ZERO,
    };
    let (transaction_id, message_id) = (context.transaction_id.as_ref(), context.message_id.as_ref());
    match deps.queues.send(queue, message).await {
        Ok(()) => acknowledged(),
        Err(fault) if fault.message_at_fault => nack(
            http::StatusCode::OK,
            Code::InvalidRequest,
            "",
            "the body holds characters that cannot be carried".to_owned(),
        ),
        Err(fault) => {
            error!(
                transaction_id = transaction_id.map(|id| id.as_str()),
                message_id = message_id.map(|id| id.as_str()),
                action = %action, %fault, "not acknowledged"
            );
            unavailable()
        }
    }
}

/// An acknowledged request, read back from its queue.
pub struct Inbound {
    /// Who signed it.
    pub subscriber: SubscriberId,
    /// What it asks for.
    pub action: Action,
    /// The parsed message.
    pub envelope: Envelope,
    /// Its message id.
    pub message_id: MessageId,
    /// BLAKE2b-512 of the signed bytes.
    pub digest: String,
    /// When nobody waits for the answer any more.
    pub expires_at: Timestamp,
}

/// What a responder decided for an action that changes state.
pub struct Decision<T> {
    /// The domain's own writes, each under its condition.
    pub writes: Vec<(Purpose, TransactWriteItem)>,
    /// What the callback says.
    pub answer: Answer<T>,
}

/// Which time a message is being decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// The first. What the conditions of the writes will tell need not be read: nearly always it is as expected.
    First,
    /// After a condition failed: something is not as expected, so that it has to be looked at.
    Again,
}

/// The content of a callback: the message, or why there is none.
pub type Answer<T> = Result<T, Error>;

impl Inbound {
    /// Reads a record that [`receive_and_enqueue`] wrote.
    ///
    /// # Errors
    /// [`RecordFailure::Malformed`]: the record was not written by this version's receiver.
    pub fn from_record(record: &QueueRecord, action: Action) -> Result<Self, RecordFailure> {
        hop::verb(Verb::Callback(action.callback()));
        let malformed = |what: &str| RecordFailure::Malformed(what.to_owned());
        let subscriber =
            SubscriberId::parse(record.attribute("subscriber_id")?).map_err(|_| malformed("subscriber_id"))?;
        hop::peer(&subscriber);
        // It was accepted in its sender's reading; a stricter setting since then must not lose it.
        let envelope =
            dialect::read(record.body.as_bytes(), Verb::Request(action), Reading::Compat).map_err(|fault| {
                RecordFailure::Malformed(format!("the queued message cannot be read: {} at {}", fault.code, fault.path))
            })?;
        hop::about(&envelope.context);
        let message_id = envelope.context.message_id.clone().ok_or_else(|| malformed("context.message_id"))?;
        Ok(Self {
            expires_at: record.attribute("expires_at")?.parse().map_err(|_| malformed("expires_at"))?,
            digest: signature::digest(record.body.as_bytes()),
            subscriber,
            action,
            envelope,
            message_id,
        })
    }

    /// The typed message.
    ///
    /// # Errors
    /// What the consumer got wrong, with its path; the receiver checks the required fields, so
    /// this is about the shape of optional ones.
    pub fn message<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        self.envelope.message().map_err(Error::from)
    }

    /// Delivers the answer of an action that changes nothing.
    ///
    /// # Errors
    /// The answer could neither be delivered nor queued.
    pub async fn answer<T: Serialize>(&self, deps: &Deps, answer: Answer<T>) -> Result<(), RecordFailure> {
        let body = self.render(deps, answer)?;
        self.reply(body, None).deliver(deps).await
    }

    /// Decides, writes and delivers, once: if the message has been answered before, the stored
    /// answer is delivered again. `decide` is called again when a condition of its writes failed,
    /// because what it read had changed or what it took for granted is not so.
    ///
    /// # Errors
    /// A table, the registry or the queue failed; nothing is half done and the record is retried.
    pub async fn decide_once<T, F, Fut>(&self, deps: &Deps, decide: F) -> Result<(), RecordFailure>
    where
        T: Serialize,
        F: Fn(Round) -> Fut,
        Fut: Future<Output = Result<Decision<T>, RecordFailure>>,
    {
        const ATTEMPTS: usize = 5;
        let replies = Replies::new(deps.tables.clone());
        let claim = ClaimKey::new(&self.subscriber, self.action, &self.message_id);
        if self.expires_at < deps.clock.now() {
            return self.answer_late(deps, &replies, claim).await;
        }
        for attempt in 0..ATTEMPTS {
            let decision = decide(if attempt == 0 { Round::First } else { Round::Again }).await?;
            let body = self.render(deps, decision.answer)?;
            let now = deps.clock.now();
            let mut writes = vec![replies.claim(&claim, &self.digest, &body, now)];
            writes.extend(decision.writes);
            match deps.tables.commit(writes).await.map_err(RecordFailure::temporary)? {
                Commit::Done => return self.reply(body, Some(claim)).deliver(deps).await,
                Commit::Refused(Purpose::Claim) => return self.answer_again(deps, &replies, claim).await,
                Commit::Refused(_) => {}
            }
        }
        Err(RecordFailure::Temporary("the order kept changing while it was being decided".to_owned()))
    }

    /// The message lapsed before it was handled (its queue was behind). Nobody waits for the effect
    /// any more, so there is none, unless an earlier delivery had it already.
    async fn answer_late(&self, deps: &Deps, replies: &Replies, claim: ClaimKey) -> Result<(), RecordFailure> {
        if replies.find(&claim, deps.clock.now()).await.map_err(RecordFailure::temporary)?.is_some() {
            return self.answer_again(deps, replies, claim).await;
        }
        let error = Error::new(
            Code::StaleRequest,
            format!("the message lapsed at {} before it was handled; nothing was changed", self.expires_at),
        )
        .at("context.ttl");
        self.answer::<()>(deps, Err(error)).await
    }

    /// The message id is claimed: the same message gets its stored answer again, another message
    /// under the same id gets an error and has no effect.
    async fn answer_again(&self, deps: &Deps, replies: &Replies, claim: ClaimKey) -> Result<(), RecordFailure> {
        let stored = replies.find(&claim, deps.clock.now()).await.map_err(RecordFailure::temporary)?;
        match stored {
            Some(stored) if stored.digest == self.digest => self.reply(stored.body, Some(claim)).deliver(deps).await,
            Some(_) => {
                let error = Error::new(
                    Code::InvalidRequest,
                    "this message id was used before with another body; nothing was changed",
                )
                .at("context.message_id");
                self.answer::<()>(deps, Err(error)).await
            }
            None => Err(RecordFailure::Temporary("the claim lapsed while it was being read".to_owned())),
        }
    }

    fn reply(&self, body: Vec<u8>, claim: Option<ClaimKey>) -> Reply {
        Reply {
            to: self.subscriber.clone(),
            callback: self.action.callback(),
            body: Bytes::from(body),
            expires_at: self.expires_at,
            claim,
            transaction_id: self.envelope.context.transaction_id.clone(),
            message_id: self.message_id.clone(),
        }
    }

    fn render<T: Serialize>(&self, deps: &Deps, answer: Answer<T>) -> Result<Vec<u8>, RecordFailure> {
        let context = self.envelope.context.reply(
            self.action.callback(),
            &deps.participant.subscriber_id,
            &deps.participant.url,
            deps.clock.now(),
        );
        let error = match answer {
            Ok(message) => return Ok(dialect::write(&Message::new(context, message))),
            Err(error) => error,
        };
        hop::code(&error.code);
        // Of all callbacks the 1.1.0 schema requires a body of `on_rating` alone, an error beside it or not.
        let message = (self.action == Action::Rating).then(serde_json::Map::new);
        Ok(dialect::write(&Message { context, message, error: Some(error) }))
    }
}

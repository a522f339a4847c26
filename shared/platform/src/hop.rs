//! A hop: one function handling one message. Each hop leaves one event, from which its log line and
//! its metrics are made ([`crate::log`]).
//!
//! Invariant: an event holds ids, an action, a peer, codes and times: nothing else of a message, and no
//! text that a peer wrote. What a hop has to do with is noted where it becomes known ([`about`], [`peer`],
//! [`ends`]); outside a hop these do nothing.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use beckn_health_protocol::action::Verb;
use beckn_health_protocol::context::Context;
use beckn_health_protocol::error::Code;
use beckn_health_protocol::ids::{MessageId, SubscriberId, TransactionId};
use beckn_health_protocol::registry::SubscriberType;
use futures_util::FutureExt as _;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::deps::Deps;
use crate::function::{HttpHandler, Request, Response};
use crate::trace::Trace;

/// The target of the events.
pub const TARGET: &str = "beckn_health::hop";
/// The longest path of a fault that is noted, in bytes; a longer one is left out.
const MAX_PATH: usize = 100;

tokio::task_local! {
    static CURRENT: Hop;
}

/// How a hop ended, or one of the things it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// We acknowledged the message.
    Ack,
    /// We refused the message with this code.
    Nack(Code),
    /// We refused the message with this code, because nobody we know signed it: also a [`Outcome::Nack`].
    SignatureFailure(Code),
    /// The peer acknowledged our message.
    Delivered,
    /// The peer refused our message for good.
    Refused,
    /// Our message could not be delivered and will be tried again.
    Retry,
    /// A hold was released because it lapsed.
    Lapse,
    /// A question was answered; there is nothing to acknowledge.
    Answered,
    /// The app's message was wrong and did not leave.
    Rejected(Code),
    /// Nobody waits for the message any more; it was given up.
    Lapsed,
    /// Something of ours, or on the way to the peer, failed.
    Failed,
}

/// A handler stopped by a panic. What it said may quote a message, so it is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the handler panicked")]
pub struct Panicked;

/// A hop that has begun.
#[derive(Clone)]
pub struct Hop(Arc<Inner>);

struct Inner {
    function: &'static str,
    deployment: String,
    role: &'static str,
    clock: Arc<dyn Clock>,
    begun: Instant,
    trace: Trace,
    seen: Mutex<Seen>,
}

/// What is known of a hop so far.
#[derive(Default)]
struct Seen {
    action: Option<&'static str>,
    peer: Option<SubscriberId>,
    transaction_id: Option<TransactionId>,
    message_id: Option<MessageId>,
    code: Option<Code>,
    path: Option<String>,
    counts: Counts,
    ended: Option<&'static str>,
}

/// How often each thing that is counted happened.
#[derive(Default)]
struct Counts {
    ack: u64,
    nack: u64,
    signature_failure: u64,
    delivered: u64,
    refused: u64,
    retry: u64,
    lapse: u64,
}

impl Hop {
    /// A hop of `function` that begins now, in the given trace, in that of the hop around it, or in one of
    /// its own.
    pub fn begin(deps: &Deps, function: &'static str, trace: Option<Trace>) -> Self {
        let deployment = deps.settings.table_prefix.trim_end_matches('-');
        Self(Arc::new(Inner {
            function,
            // CloudWatch takes no empty dimension.
            deployment: if deployment.is_empty() { "none" } else { deployment }.to_owned(),
            role: match deps.participant.role {
                SubscriberType::Bap => "bap",
                SubscriberType::Bpp => "bpp",
                SubscriberType::Bg => "gateway",
                SubscriberType::Breg => "registry",
                _ => "other",
            },
            clock: deps.clock.clone(),
            begun: Instant::now(),
            trace: trace.or_else(self::trace).unwrap_or_else(|| Trace::fresh(deps.clock.now(), deps.fresh_id())),
            seen: Mutex::default(),
        }))
    }

    /// Does the work of the hop and leaves its event. `end` says how the hop ended if the work did not
    /// ([`ends`]); one that has no end was about no message and leaves no event.
    ///
    /// # Errors
    /// The work panicked.
    pub async fn run<T>(
        self,
        work: impl Future<Output = T>,
        end: impl FnOnce(&T) -> Option<Outcome>,
    ) -> Result<T, Panicked> {
        let worked = CURRENT.scope(self.clone(), AssertUnwindSafe(work).catch_unwind()).await;
        match &worked {
            Ok(_) if self.has_ended() => {}
            Ok(done) => {
                if let Some(outcome) = end(done) {
                    self.ends(outcome);
                }
            }
            Err(_) => self.ends(Outcome::Failed),
        }
        self.leave_event();
        worked.map_err(|_| Panicked)
    }

    /// Runs `work`, whose requests and messages belong to the hop's trace, without an event of its own.
    pub async fn carry<T>(self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self, work).await
    }

    fn note(&self, what: impl FnOnce(&mut Seen)) {
        what(&mut self.0.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn has_ended(&self) -> bool {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner).ended.is_some()
    }

    fn ends(&self, outcome: Outcome) {
        self.note(|seen| {
            let counts = &mut seen.counts;
            seen.ended = Some(match outcome {
                Outcome::Ack => {
                    counts.ack += 1;
                    "ack"
                }
                Outcome::Nack(code) => {
                    counts.nack += 1;
                    seen.code = Some(code);
                    "nack"
                }
                Outcome::SignatureFailure(code) => {
                    counts.nack += 1;
                    counts.signature_failure += 1;
                    seen.code = Some(code);
                    "nack"
                }
                Outcome::Delivered => {
                    counts.delivered += 1;
                    "delivered"
                }
                Outcome::Refused => {
                    counts.refused += 1;
                    "refused"
                }
                Outcome::Retry => {
                    counts.retry += 1;
                    "retry"
                }
                Outcome::Lapse => {
                    counts.lapse += 1;
                    "lapse"
                }
                Outcome::Answered => "answered",
                Outcome::Rejected(code) => {
                    seen.code = Some(code);
                    "rejected"
                }
                Outcome::Lapsed => "lapsed",
                Outcome::Failed => "failed",
            });
        });
    }

    fn leave_event(&self) {
        let hop = &*self.0;
        let seen = std::mem::take(&mut *hop.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(outcome) = seen.ended else { return };
        let some = |count: u64| (count > 0).then_some(count);
        let counts = &seen.counts;
        macro_rules! leave {
            ($level:ident) => {
                $level!(
                    target: TARGET,
                    at = hop.clock.now().as_millisecond(),
                    deployment = hop.deployment,
                    role = hop.role,
                    function = hop.function,
                    outcome,
                    ack = some(counts.ack),
                    nack = some(counts.nack),
                    signature_failure = some(counts.signature_failure),
                    delivered = some(counts.delivered),
                    refused = some(counts.refused),
                    retry = some(counts.retry),
                    lapse = some(counts.lapse),
                    // Tenths of a millisecond: a refusal takes less than one.
                    duration_ms = (hop.begun.elapsed().as_secs_f64() * 10_000.0).round() / 10.0,
                    code = seen.code.as_ref().map(Code::as_str),
                    action = seen.action,
                    peer = seen.peer.as_ref().map(SubscriberId::as_str),
                    transaction_id = seen.transaction_id.as_ref().map(TransactionId::as_str),
                    message_id = seen.message_id.as_ref().map(MessageId::as_str),
                    trace_id = hop.trace.root(),
                    path = seen.path,
                    "hop"
                )
            };
        }
        // Whoever runs a network by hand sees only what is wrong.
        match outcome {
            "failed" => leave!(warn),
            _ if counts.signature_failure > 0 => leave!(warn),
            _ => leave!(info),
        }
    }
}

/// Answers one request with `handler`, as a hop in the request's trace.
///
/// # Errors
/// The handler panicked.
pub async fn serve(
    function: &'static str,
    deps: Arc<Deps>,
    handler: HttpHandler,
    request: Request,
) -> Result<Response, Panicked> {
    let hop = Hop::begin(&deps, function, Trace::of_headers(request.headers()));
    hop.run(async move { handler(deps, request).await }, |response| response.extensions().get().cloned()).await
}

/// The hop this is called in, for work that goes on beside it ([`Hop::carry`]).
pub fn current() -> Option<Hop> {
    CURRENT.try_with(Hop::clone).ok()
}

/// The trace of the hop this is called in.
pub fn trace() -> Option<Trace> {
    CURRENT.try_with(|hop| hop.0.trace.clone()).ok()
}

/// The hop is about a message of this kind.
pub fn verb(verb: Verb) {
    note(|seen| seen.action = Some(verb.as_str()));
}

/// The hop is about the message of this context.
pub fn about(context: &Context) {
    ids(context.transaction_id.as_ref(), context.message_id.as_ref());
}

/// The hop is about the message of these ids.
pub fn ids(transaction_id: Option<&TransactionId>, message_id: Option<&MessageId>) {
    note(|seen| {
        seen.transaction_id = transaction_id.cloned();
        seen.message_id = message_id.cloned();
    });
}

/// The message came from, or goes to, this participant.
pub fn peer(subscriber: &SubscriberId) {
    note(|seen| seen.peer = Some(subscriber.clone()));
}

/// The answer of the hop is an error of this code.
pub fn code(code: &Code) {
    note(|seen| seen.code = Some(code.clone()).filter(is_code));
}

/// The fault is at this path of the message; it is noted if it can only be the name of a field.
pub fn path(path: &str) {
    note(|seen| seen.path = is_path(path).then(|| path.to_owned()));
}

/// The hop did this, or ends so.
pub fn ends(outcome: Outcome) {
    let _ = CURRENT.try_with(|hop| hop.ends(outcome));
}

/// Whether a code is a number: one that we do not know was worded by a peer.
pub(crate) fn is_code(code: &Code) -> bool {
    let text = code.as_str();
    text.len() <= 6 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text is a path below `context`, `message` or `error` and cannot be a sentence.
pub(crate) fn is_path(text: &str) -> bool {
    let root = text.split(['.', '[']).next().unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.[]".contains(&byte);
    matches!(root, "context" | "message" | "error") && text.len() <= MAX_PATH && text.bytes().all(plain)
}

fn note(what: impl FnOnce(&mut Seen)) {
    let _ = CURRENT.try_with(|hop| hop.note(what));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_from_a_sentence() {
        for path in ["context", "context.bpp_id", "message.order.items[0].id", "message.order.fulfillments[12]"] {
            assert!(is_path(path), "{path}");
        }
        for text in [
            "",
            "Nila Raman",
            "order.billing",
            "message.order of Nila",
            "message/order",
            "messages.order",
            "message.Nila",
        ] {
            assert!(!is_path(text), "{text}");
        }
        assert!(!is_path(&format!("message.{}", "a".repeat(MAX_PATH))));
    }
}

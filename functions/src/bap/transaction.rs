//! `bap-transaction`: what was exchanged in a transaction, for the app.
//!
//! `GET /client/transactions/{transaction_id}` answers `{transaction_id, order, messages}`: every
//! message as it was signed, oldest first, and the last order a provider reported. With
//! `?for=on_search&wait=5` it answers as soon as that callback is there, at the latest after so many
//! seconds; `&message_id=…` waits for the answer to one message.
//!
//! Invariant: the order shown is the *last known* state as the provider told it, never our guess. A
//! transaction is shown to the caller who began it; to others it is one that does not exist.

use std::time::Duration;

use beckn_health_platform::caller::Caller;
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, Request, Response, Route, Trigger};
use beckn_health_platform::receive::{json, unavailable};
use beckn_health_platform::store::table;
use beckn_health_platform::store::transactions::{Exchanged, Received, Transactions};
use beckn_health_protocol::action::Callback;
use beckn_health_protocol::error::{Code, Error};
use beckn_health_protocol::ids::{MessageId, TransactionId};
use http::StatusCode;
use serde_json::{Value, json as value};
use tracing::error;

use super::UNKNOWN_TRANSACTION;

/// Longest wait, in seconds; an HTTP API gives up after 30.
const LONGEST_WAIT: u64 = 25;

/// The app's view of a transaction.
pub const FUNCTION: Function = Function {
    name: "bap-transaction",
    trigger: Trigger::Http {
        route: Route::get("/client/transactions/{transaction_id}"),
        handler: |deps, request| Box::pin(async move { show(&deps, request).await }),
    },
    tables: &[table::TRANSACTIONS],
    sends_to: &[],
    prepare: None,
};

/// What the app waits for.
struct Awaited {
    callback: Callback,
    message_id: Option<MessageId>,
    wait: Duration,
}

async fn show(deps: &Deps, request: Request) -> Response {
    let caller = Caller::of(&request);
    let segment = request.uri().path().rsplit('/').next().unwrap_or_default();
    let Ok(transaction_id) = TransactionId::parse(segment) else {
        return refuse(StatusCode::BAD_REQUEST, "transaction_id", "expected a transaction id");
    };
    let awaited = match awaited(request.uri().query().unwrap_or_default()) {
        Ok(awaited) => awaited,
        Err((parameter, expected)) => return refuse(StatusCode::BAD_REQUEST, parameter, &expected),
    };
    let transactions = Transactions::new(deps.tables.clone());
    let deadline = tokio::time::Instant::now() + awaited.as_ref().map_or(Duration::ZERO, |awaited| awaited.wait);
    let mut pause = Duration::from_millis(2);
    loop {
        let exchanged = match transactions.exchanged(&transaction_id).await {
            Ok(exchanged) => exchanged,
            Err(fault) => {
                error!(transaction_id = %transaction_id, %fault, "transaction not shown");
                return unavailable();
            }
        };
        if exchanged.sent.is_empty() || !Caller::may_see(caller, exchanged.owner.as_ref()) {
            return refuse(StatusCode::NOT_FOUND, "transaction_id", UNKNOWN_TRANSACTION);
        }
        let satisfied =
            awaited.as_ref().is_none_or(|awaited| exchanged.received.iter().any(|received| awaited.is(received)));
        if satisfied || tokio::time::Instant::now() >= deadline {
            return json(StatusCode::OK, &view(&transaction_id, &exchanged));
        }
        tokio::time::sleep(pause).await;
        // Quick at first, when answers of a healthy network come; then light on the table.
        pause = (pause * 3 / 2).min(Duration::from_millis(250));
    }
}

impl Awaited {
    fn is(&self, received: &Received) -> bool {
        received.callback == self.callback && self.message_id.as_ref().is_none_or(|id| received.message_id == *id)
    }
}

/// Reads `for`, `wait` and `message_id`.
fn awaited(query: &str) -> Result<Option<Awaited>, (&'static str, String)> {
    let mut callback = None;
    let mut wait = None;
    let mut message_id = None;
    for (name, text) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "for" => {
                callback = Some(text.parse().map_err(|_| ("for", "expected a callback such as on_search".to_owned()))?)
            }
            "wait" => {
                let seconds: u64 = text
                    .parse()
                    .ok()
                    .filter(|seconds| *seconds <= LONGEST_WAIT)
                    .ok_or_else(|| ("wait", format!("expected whole seconds from 0 to {LONGEST_WAIT}")))?;
                wait = Some(Duration::from_secs(seconds));
            }
            "message_id" => {
                message_id = Some(
                    MessageId::parse(text.as_ref()).map_err(|_| ("message_id", "expected a message id".to_owned()))?,
                );
            }
            _ => {}
        }
    }
    match (callback, wait) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(("for", "expected the callback to wait for, such as on_search".to_owned())),
        (Some(callback), wait) => Ok(Some(Awaited { callback, message_id, wait: wait.unwrap_or_default() })),
    }
}

fn view(transaction_id: &TransactionId, exchanged: &Exchanged) -> Value {
    let mut messages: Vec<(jiff::Timestamp, Value)> = exchanged
        .sent
        .iter()
        .map(|sent| {
            let message = value!({
                "direction": "sent", "action": sent.action.as_str(), "message_id": sent.message_id, "at": sent.at.to_string(),
                "peer": sent.to, "ack": sent.outcome, "milliseconds": sent.milliseconds, "body": body(&sent.body),
            });
            (sent.at, message)
        })
        .chain(exchanged.received.iter().map(|received| {
            let message = value!({
                "direction": "received", "action": received.callback.as_str(), "message_id": received.message_id,
                "at": received.at.to_string(), "peer": received.bpp_id, "body": body(&received.body),
            });
            (received.at, message)
        }))
        .collect();
    messages.sort_by_key(|(at, _)| *at);
    let messages: Vec<Value> = messages.into_iter().map(|(_, message)| message).collect();
    value!({ "transaction_id": transaction_id, "order": last_order(&messages), "messages": messages })
}

/// The order of the latest callback that carries one without an error, by the provider's own clock. Once an order
/// was placed, it is that provider's: others that were asked before have no say in it.
fn last_order(messages: &[Value]) -> Value {
    let places = |message: &&Value| {
        message["direction"] == "sent" && matches!(message["action"].as_str(), Some("init" | "confirm"))
    };
    let provider = messages.iter().rfind(places).map(|message| &message["peer"]);
    messages
        .iter()
        .filter(|message| message["direction"] == "received" && message["body"]["error"].is_null())
        .filter(|message| provider.is_none_or(|provider| message["peer"] == *provider))
        .filter(|message| message["body"]["message"]["order"].is_object())
        .max_by_key(|message| {
            message["body"]["context"]["timestamp"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok())
        })
        .map_or(Value::Null, |message| message["body"]["message"]["order"].clone())
}

fn body(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or(Value::Null)
}

fn refuse(status: StatusCode, path: &str, message: &str) -> Response {
    json(status, &value!({ "error": Error::new(Code::InvalidRequest, message).at(path) }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn waiting_is_bounded_and_named() {
        assert!(awaited("").unwrap().is_none());
        let search = awaited("for=on_search&wait=5").unwrap().unwrap();
        assert_eq!((search.callback, search.wait), (Callback::OnSearch, Duration::from_secs(5)));
        assert_eq!(awaited("for=search").err().unwrap().0, "for");
        assert_eq!(awaited("wait=5").err().unwrap().0, "for");
        for absurd in ["26", "-1", "1e9", "99999999999999999999", ""] {
            assert_eq!(awaited(&format!("for=on_search&wait={absurd}")).err().unwrap().0, "wait", "{absurd}");
        }
    }

    #[test]
    fn the_last_order_is_the_providers_latest_word() {
        let message = |action: &str, at: &str, order: Value, error: Value| {
            value!({ "direction": "received", "action": action,
                "body": { "context": { "timestamp": at }, "message": { "order": order }, "error": error } })
        };
        let messages = [
            message("on_confirm", "2026-11-21T10:00:05Z", value!({"id": "o", "state": 2}), Value::Null),
            message("on_init", "2026-11-21T10:00:01Z", value!({"id": "o", "state": 1}), Value::Null),
            message("on_update", "2026-11-21T10:00:09Z", value!({"id": "o", "state": 9}), value!({"code": "50002"})),
        ];
        assert_eq!(last_order(&messages)["state"], 2);
        let of = |peer: &str, mut message: Value| {
            message["peer"] = value!(peer);
            message
        };
        let placed = value!({ "direction": "sent", "action": "init", "peer": "a.example" });
        let [first, last] =
            [("a.example", &messages[1]), ("b.example", &messages[0])].map(|(peer, it)| of(peer, it.clone()));
        assert_eq!(last_order(&[first.clone(), last.clone()])["state"], 2);
        assert_eq!(last_order(&[placed, first, last])["state"], 1, "only of whom it was placed with");
        assert_eq!(last_order(&[]), Value::Null);
    }
}

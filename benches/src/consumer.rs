//! A consumer's platform of somebody else: it signs, it listens, and it knows when an answer came.
//!
//! Invariant: it shares nothing with the network but a row of the registry and the wire.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::Request;
use axum::response::IntoResponse as _;
use beckn_health::failure::Failure;
use beckn_health::network::Network;
use beckn_health::network::identity::{Role, new_key, subscription};
use beckn_health_platform::clock::{Clock as _, SystemClock};
use beckn_health_platform::participant::Participant;
use beckn_health_platform::participant::keys::Keys;
use beckn_health_platform::participant::ring::KeyRing;
use beckn_health_platform::store::participants::Participants;
use beckn_health_protocol::ids::{KeyId, SubscriberId};
use beckn_health_protocol::registry::SubscriberType;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Largest callback read, in bytes.
const LARGEST: usize = 4 * 1024 * 1024;

/// An answer and the moment at which all of it was there.
pub type Heard = (Instant, Bytes);

type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<Heard>>>>;

/// A registered BAP.
pub struct Consumer {
    /// Who it is and the key it signs with.
    pub participant: Participant,
    network: String,
    provider: SubscriberId,
    waiting: Waiting,
    callbacks: Arc<AtomicU64>,
}

/// A message ready to be sent.
#[derive(Clone)]
pub struct Signed {
    /// Its `message_id`.
    pub message_id: String,
    /// The `Authorization` header.
    pub authorization: String,
    /// The bytes that were signed.
    pub body: Bytes,
}

impl Consumer {
    /// Listens on a free port of the loopback interface and enters itself into the network's registry.
    ///
    /// # Errors
    /// No port is free, or the registry could not be written.
    pub async fn join(network: &Network) -> Result<Self, Failure> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let participant = Participant {
            subscriber_id: SubscriberId::parse("bap.benches.localhost")?,
            url: format!("http://{}", listener.local_addr()?),
            role: SubscriberType::Bap,
            keys: Keys::fixed(KeyRing::of(None, new_key(KeyId::parse("k1")?))),
        };
        let row = subscription(&participant, None, SystemClock.now());
        Participants::new(network.role(Role::Registry).tables.clone()).put(&row).await?;
        let waiting = Waiting::default();
        let callbacks = Arc::new(AtomicU64::new(0));
        let (ear, count) = (waiting.clone(), callbacks.clone());
        let app = axum::Router::new().fallback(move |request| {
            count.fetch_add(1, Ordering::Relaxed);
            hear(ear.clone(), request)
        });
        tokio::spawn(async move {
            if let Err(problem) = axum::serve(listener, app).await {
                eprintln!("bench-report: callbacks are no longer heard: {problem}");
            }
        });
        let provider = network.role(Role::Bpp).participant.subscriber_id.clone();
        Ok(Self { participant, network: network.base_url(), provider, waiting, callbacks })
    }

    /// Signs a message, valid for the next five minutes. One `to_provider` names the network's BPP; one
    /// that is not names nobody, as a search through the gateway does.
    ///
    /// # Errors
    /// The message cannot be written.
    pub fn sign(&self, action: &str, to_provider: bool, message: &Value) -> Result<Signed, Failure> {
        let message_id = next_id();
        self.signed(&message_id, &message_id, action, to_provider, message)
    }

    /// The same for a further message of a transaction.
    ///
    /// # Errors
    /// The message cannot be written.
    pub fn sign_in(
        &self,
        transaction_id: &str,
        action: &str,
        to_provider: bool,
        message: &Value,
    ) -> Result<Signed, Failure> {
        self.signed(transaction_id, &next_id(), action, to_provider, message)
    }

    fn signed(
        &self,
        transaction_id: &str,
        message_id: &str,
        action: &str,
        to_provider: bool,
        message: &Value,
    ) -> Result<Signed, Failure> {
        let now = SystemClock.now();
        let mut context = json!({
            "domain": "dhp:0.7.3",
            "action": action,
            "version": "1.1.0",
            "location": { "city": { "code": "std:080" }, "country": { "code": "IND" } },
            "bap_id": self.participant.subscriber_id,
            "bap_uri": self.participant.url,
            "transaction_id": transaction_id,
            "message_id": message_id,
            "timestamp": now.to_string(),
            "ttl": "PT10M",
        });
        if to_provider {
            context["bpp_id"] = json!(self.provider);
            context["bpp_uri"] = json!(format!("{}/bpp", self.network));
        }
        let body = serde_json::to_vec(&json!({ "context": context, "message": message }))?;
        let authorization = self.participant.keys.held()?.sign(&self.participant.subscriber_id, &body, now);
        Ok(Signed { message_id: message_id.to_owned(), authorization, body: Bytes::from(body) })
    }

    /// How many callbacks have come.
    #[must_use]
    pub fn callbacks(&self) -> u64 {
        self.callbacks.load(Ordering::Relaxed)
    }

    /// Will be told when the callback to this message has come. Ask before sending.
    #[must_use]
    pub fn await_callback(&self, signed: &Signed) -> oneshot::Receiver<Heard> {
        let (tell, told) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(signed.message_id.clone(), tell);
        told
    }
}

/// An id that no message of this process has yet.
fn next_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("be9c0000-0000-4000-8000-{:012x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

#[derive(Deserialize)]
struct Callback<'a> {
    #[serde(borrow)]
    context: CallbackContext<'a>,
}

#[derive(Deserialize)]
struct CallbackContext<'a> {
    message_id: &'a str,
}

/// Acknowledges every callback, and tells whoever waits for it.
async fn hear(waiting: Waiting, request: Request) -> axum::response::Response {
    const ACK: &str = r#"{"message":{"ack":{"status":"ACK"}}}"#;
    let body = axum::body::to_bytes(request.into_body(), LARGEST).await;
    let heard_at = Instant::now();
    if let Ok(body) = body {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // A load run waits for nothing, so nothing is parsed there.
        if !waiting.is_empty()
            && let Ok(callback) = serde_json::from_slice::<Callback<'_>>(&body)
            && let Some(tell) = waiting.remove(callback.context.message_id)
        {
            let _ = tell.send((heard_at, body));
        }
    }
    ([(http::header::CONTENT_TYPE, "application/json")], ACK).into_response()
}

/// `message` of a search for heart specialists around a point, padded to about `bytes` with tags of the
/// sender's own, such as networks carry.
#[must_use]
pub fn search_message(latitude: f64, longitude: f64, radius_km: u32, bytes: usize) -> Value {
    let mut message = json!({ "intent": {
        "item": { "descriptor": { "name": "consultation" } },
        "fulfillment": { "stops": [{ "location": {
            "gps": format!("{latitude:.6},{longitude:.6}"),
            "radius": { "type": "CONSTANT", "value": radius_km.to_string(), "unit": "km" },
        } }] },
    } });
    let tags = padding(bytes.saturating_sub(message.to_string().len()));
    if !tags.is_empty() {
        message["intent"]["tags"] = Value::Array(tags);
    }
    message
}

/// Tag groups that take so many bytes in all, give or take their list's own; none when there is no room for one.
#[must_use]
pub fn padding(bytes: usize) -> Vec<Value> {
    let group = json!({
        "display": true,
        "descriptor": { "code": "note", "name": "What the sender adds" },
        "list": [
            { "descriptor": { "code": "campaign" }, "value": "autumn check-up" },
            { "descriptor": { "code": "remark" }, "value": "prefers a ground floor" },
        ],
    });
    let length = group.to_string().len() + 1;
    let mut groups = vec![group; bytes / length];
    if let Some(last) = groups.last_mut() {
        last["list"][1]["value"] = json!(format!("prefers a ground floor{}", ".".repeat(bytes % length)));
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_about_as_long_as_asked() {
        for wanted in [1_000usize, 2_048, 20_480] {
            let found = search_message(12.93, 77.61, 5, wanted).to_string().len();
            assert!(found.abs_diff(wanted) <= 16, "{wanted}: {found}");
        }
    }
}

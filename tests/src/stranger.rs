//! A participant of somebody else: own key, own port, own idea of how to answer.
//!
//! Invariant: a stranger shares nothing with the network but the registry's row and the wire.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use beckn_health::network::identity::Role;
use beckn_health_platform::clock::Clock;
use beckn_health_protocol::ids::{KeyId, SubscriberId};
use beckn_health_protocol::registry::{SubscriberType, Subscription, SubscriptionStatus};
use beckn_health_protocol::signature::{self, SigningKey};
use bytes::Bytes;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::network::TestNetwork;
use crate::reply::Reply;
use crate::{fresh_id, http, within};

/// What a stranger answers to a message it receives.
#[derive(Debug, Clone)]
pub enum Answer {
    /// `200` with an ACK.
    Ack,
    /// `200` with a NACK of this code.
    Nack(&'static str),
    /// This status with an empty object.
    Status(u16),
    /// `302` to this path of its own.
    Redirect(&'static str),
    /// Nothing until [`Stranger::release`], then this status (with an ACK if it is 200).
    Held(u16),
}

/// A message a stranger received.
#[derive(Debug, Clone)]
pub struct Received {
    /// The path, such as `/on_search`.
    pub path: String,
    /// The request's headers.
    pub headers: HeaderMap,
    /// The request's bytes.
    pub body: Bytes,
}

impl Received {
    /// The body.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn is(&self, callback: &str, message_id: &str) -> bool {
        self.path == format!("/{callback}") && self.json()["context"]["message_id"] == message_id
    }
}

struct Ear {
    received: watch::Sender<Vec<Received>>,
    next: Mutex<VecDeque<Answer>>,
    otherwise: Mutex<Answer>,
    released: watch::Sender<bool>,
    closed: AtomicBool,
}

impl Ear {
    async fn hear(&self, request: axum::extract::Request) -> axum::response::Response {
        if self.closed.load(Ordering::SeqCst) {
            // It came over a connection that was open before: nobody is at home there either.
            return axum::response::Response::builder().status(503).body(Body::empty()).unwrap();
        }
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let scripted = self.next.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let answer = scripted.unwrap_or_else(|| self.otherwise.lock().unwrap_or_else(PoisonError::into_inner).clone());
        let heard = Received { path: parts.uri.path().to_owned(), headers: parts.headers, body };
        self.received.send_modify(|received| received.push(heard));
        let ack = json!({ "message": { "ack": { "status": "ACK" } } });
        let (status, body) = match &answer {
            Answer::Ack => (200, ack),
            Answer::Nack(code) => (
                200,
                json!({ "message": { "ack": { "status": "NACK" } }, "error": { "code": code, "message": "no, thank you" } }),
            ),
            Answer::Status(status) => (*status, json!({})),
            Answer::Redirect(_) => (302, json!({})),
            Answer::Held(status) => {
                let _ = self.released.subscribe().wait_for(|released| *released).await;
                (*status, if *status == 200 { ack } else { json!({}) })
            }
        };
        let mut response =
            axum::response::Response::builder().status(status).header("content-type", "application/json");
        if let Answer::Redirect(path) = answer {
            response = response.header("location", path);
        }
        response.body(Body::from(body.to_string())).unwrap()
    }
}

struct Serving {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// A participant of somebody else.
pub struct Stranger {
    /// Its subscriber id.
    pub id: SubscriberId,
    /// The id of its key.
    pub key_id: KeyId,
    key: SigningKey,
    role: SubscriberType,
    address: SocketAddr,
    network: String,
    peer: String,
    clock: Arc<dyn Clock>,
    http: reqwest::Client,
    ear: Arc<Ear>,
    serving: tokio::sync::Mutex<Option<Serving>>,
}

impl Stranger {
    /// A registered BAP that listens.
    pub async fn bap(network: &TestNetwork, id: &str) -> Self {
        Self::join(network, id, SubscriberType::Bap).await
    }

    /// A registered BPP that listens.
    pub async fn bpp(network: &TestNetwork, id: &str) -> Self {
        Self::join(network, id, SubscriberType::Bpp).await
    }

    /// A registered participant of this role.
    pub async fn join(network: &TestNetwork, id: &str, role: SubscriberType) -> Self {
        let stranger = Self::unregistered(network, id, role).await;
        network.register(&stranger.row()).await;
        stranger
    }

    /// A participant that listens, but that nobody knows.
    pub async fn unregistered(network: &TestNetwork, id: &str, role: SubscriberType) -> Self {
        let peer = if role == SubscriberType::Bpp { Role::Bap } else { Role::Bpp };
        Self::somewhere(&network.url(), &network.id(peer), network.clock(), id, role).await
    }

    /// The same for a network of another process, of which only the URL is known.
    pub async fn somewhere(network: &str, peer: &str, clock: Arc<dyn Clock>, id: &str, role: SubscriberType) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut seed = [7u8; 32];
        for (place, byte) in seed.iter_mut().zip(id.bytes()) {
            *place ^= byte;
        }
        let stranger = Self {
            id: SubscriberId::parse(id).unwrap(),
            key_id: KeyId::parse("k1").unwrap(),
            key: SigningKey::generate(seed),
            role,
            address: listener.local_addr().unwrap(),
            network: network.to_owned(),
            peer: peer.to_owned(),
            clock,
            http: http(),
            ear: Arc::new(Ear {
                received: watch::channel(Vec::new()).0,
                next: Mutex::default(),
                otherwise: Mutex::new(Answer::Ack),
                released: watch::channel(false).0,
                closed: AtomicBool::new(false),
            }),
            serving: tokio::sync::Mutex::default(),
        };
        stranger.serve(listener).await;
        stranger
    }

    /// The same participant with another key.
    pub fn with_key(mut self, key_id: &str, seed: [u8; 32]) -> Self {
        self.key_id = KeyId::parse(key_id).unwrap();
        self.key = SigningKey::generate(seed);
        self
    }

    /// The same participant, talking to a network that has moved.
    pub fn moved_to(mut self, network: &str) -> Self {
        network.clone_into(&mut self.network);
        self
    }

    /// Its registry row.
    pub fn row(&self) -> Subscription {
        let now = self.clock.now();
        Subscription {
            subscriber_id: Some(self.id.clone()),
            url: Some(self.url()),
            r#type: Some(self.role.clone()),
            key_id: Some(self.key_id.clone()),
            signing_public_key: Some(self.key.verifying_key().to_base64()),
            status: Some(SubscriptionStatus::Subscribed),
            created: Some(now),
            updated: Some(now),
            ..Subscription::default()
        }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    async fn serve(&self, listener: TcpListener) {
        let (stop, mut stopped) = watch::channel(false);
        let ear = self.ear.clone();
        let app = axum::Router::new().fallback(move |request: axum::extract::Request| {
            let ear = ear.clone();
            async move { ear.hear(request).await }
        });
        let task = tokio::spawn(async move {
            let until = async move {
                let _ = stopped.wait_for(|stopped| *stopped).await;
            };
            axum::serve(listener, app).with_graceful_shutdown(until).await.unwrap();
        });
        *self.serving.lock().await = Some(Serving { stop, task });
    }

    /// Stops listening: whoever comes is refused the connection.
    pub async fn close(&self) {
        if let Some(Serving { stop, task }) = self.serving.lock().await.take() {
            self.ear.closed.store(true, Ordering::SeqCst);
            let _ = stop.send(true);
            // A connection that a client opened and never used would hold the server back.
            let abort = task.abort_handle();
            if tokio::time::timeout(Duration::from_secs(1), task).await.is_err() {
                abort.abort();
            }
        }
    }

    /// Listens again at the same address.
    pub async fn open(&self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.ear.closed.store(false, Ordering::SeqCst);
        self.serve(listener).await;
    }

    /// The answers to the next messages; after them the usual one again.
    pub fn answer_next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.ear.next.lock().unwrap_or_else(PoisonError::into_inner).extend(answers);
    }

    /// The usual answer from now on.
    pub fn answer(&self, answer: Answer) {
        *self.ear.otherwise.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// Answers what was held back.
    pub fn release(&self) {
        self.ear.released.send_replace(true);
    }

    /// Everything received so far.
    pub fn received(&self) -> Vec<Received> {
        self.ear.received.borrow().clone()
    }

    /// Waits until `count` messages have been received in all.
    pub async fn heard(&self, count: usize) -> Vec<Received> {
        let mut received = self.ear.received.subscribe();
        let what = format!("{} to receive {count} messages", self.id);
        within(&what, received.wait_for(|received| received.len() >= count)).await.unwrap().clone()
    }

    /// Waits until this callback to this message has come `count` times.
    pub async fn callbacks(&self, callback: &str, message_id: &str, count: usize) -> Vec<Received> {
        let mut received = self.ear.received.subscribe();
        let what = format!("{callback} to {message_id}, {count} times");
        let enough =
            |received: &Vec<Received>| received.iter().filter(|one| one.is(callback, message_id)).count() >= count;
        let found = within(&what, received.wait_for(enough)).await.unwrap().clone();
        found.into_iter().filter(|one| one.is(callback, message_id)).collect()
    }

    /// Waits for the callback to a message of ours.
    pub async fn callback(&self, message: &Value) -> Value {
        let (action, id) = (text(&message["context"]["action"]), text(&message["context"]["message_id"]));
        self.callbacks(&format!("on_{action}"), &id, 1).await.remove(0).json()
    }

    /// A message of ours in a new transaction.
    pub fn message(&self, action: &str, message: Value) -> Value {
        self.message_in(&fresh_id(), action, message)
    }

    /// A message of ours in a transaction.
    pub fn message_in(&self, transaction_id: &str, action: &str, message: Value) -> Value {
        let (ours, theirs) = if self.role == SubscriberType::Bpp { ("bpp", "bap") } else { ("bap", "bpp") };
        let mut context = json!({
            "domain": "dhp:0.7.3",
            "action": action,
            "version": "1.1.0",
            "transaction_id": transaction_id,
            "message_id": fresh_id(),
            "timestamp": self.clock.now().to_string(),
            "ttl": "PT10M",
        });
        context[format!("{ours}_id")] = json!(self.id);
        context[format!("{ours}_uri")] = json!(self.url());
        context[format!("{theirs}_id")] = json!(self.peer);
        context[format!("{theirs}_uri")] = json!(format!("{}/{theirs}", self.network));
        json!({ "context": context, "message": message })
    }

    /// The `Authorization` header for these bytes.
    pub fn sign(&self, bytes: &[u8]) -> String {
        let now = self.clock.now().as_second();
        self.sign_between(bytes, now, now + 300)
    }

    /// The same with other times, in seconds since 1970.
    pub fn sign_between(&self, bytes: &[u8], created: i64, expires: i64) -> String {
        signature::sign(bytes, &self.id, &self.key_id, &self.key, created, expires)
    }

    /// Where a message of ours goes: `/bpp/<action>`, `/bap/<callback>`.
    pub fn path(message: &Value) -> String {
        let action = text(&message["context"]["action"]);
        let role = if action.starts_with("on_") { "bap" } else { "bpp" };
        format!("/{role}/{action}")
    }

    /// Signs a message and posts it where it belongs.
    pub async fn send(&self, message: &Value) -> Reply {
        self.send_bytes(&Self::path(message), message.to_string().into_bytes()).await
    }

    /// Signs bytes and posts them.
    pub async fn send_bytes(&self, path: &str, bytes: Vec<u8>) -> Reply {
        let authorization = self.sign(&bytes);
        self.post(path, &[("content-type", "application/json"), ("authorization", &authorization)], bytes).await
    }

    /// Posts bytes with these headers and no others.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], bytes: Vec<u8>) -> Reply {
        let mut request = self.http.post(format!("{}{path}", self.network));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Reply::read(request.body(bytes).send().await.unwrap()).await
    }

    /// Sends a message, sees it acknowledged and waits for its callback.
    pub async fn ask(&self, message: &Value) -> Value {
        self.send(message).await.ack();
        self.callback(message).await
    }

    /// The same for a message that is made here.
    pub async fn ask_in(&self, transaction_id: &str, action: &str, message: Value) -> Value {
        self.ask(&self.message_in(transaction_id, action, message)).await
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

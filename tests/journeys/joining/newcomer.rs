//! A participant that wants to join: own keys, own port, own idea of how to answer a challenge.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use beckn_health::network::identity::Role;
use beckn_health_platform::clock::Clock;
use beckn_health_platform::participant::ring::RingKey;
use beckn_health_protocol::challenge;
use beckn_health_protocol::ids::{KeyId, SubscriberId};
use beckn_health_protocol::registry::RegistryKeys;
use beckn_health_protocol::signature::{AuthorizationHeader, verify};
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::reply::Reply;
use beckn_health_tests::{http, within};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How a newcomer answers a challenge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Answer {
    Right,
    Wrong,
    /// Right, once [`Newcomer::release`] was called.
    Held,
    /// This status and an empty object.
    Status(u16),
}

struct Ear {
    keys: Mutex<Vec<RingKey>>,
    registry: RegistryKeys,
    next: Mutex<VecDeque<Answer>>,
    heard: watch::Sender<Vec<(String, Value)>>,
    released: watch::Sender<bool>,
}

impl Ear {
    async fn hear(&self, request: axum::extract::Request) -> axum::response::Response {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let message: Value = serde_json::from_slice(&body).unwrap();
        let path = parts.uri.path().to_owned();
        let (mut status, mut answer) = (200, json!({ "message": { "ack": { "status": "ACK" } } }));
        if path.ends_with("/on_subscribe") {
            // As anybody must: nothing is believed that the registry has not signed.
            let header = AuthorizationHeader::parse(parts.headers["authorization"].to_str().unwrap()).unwrap();
            assert_eq!(header.key_id.subscriber_id, self.registry.subscriber_id);
            verify(&header, &body, &self.registry.signing_public_key).unwrap();
            answer = json!({});
        }
        let heard_before = self.heard.borrow().len();
        self.heard.send_modify(|heard| heard.push((path, message.clone())));
        assert!(self.heard.borrow().len() > heard_before);
        if let Some(text) = message["challenge"].as_str() {
            let how = self.next.lock().unwrap().pop_front().unwrap_or(Answer::Right);
            let key_id = message["pub_key_id"].as_str().unwrap();
            let key = self.keys.lock().unwrap().iter().find(|key| key.key_id.as_str() == key_id).unwrap().clone();
            let plain = challenge::decrypt(text, &key.encryption.unwrap(), &self.registry.encr_public_key).unwrap();
            assert!(plain.len() == 32 && plain.bytes().all(|byte| byte.is_ascii_digit()), "{plain}");
            match how {
                Answer::Right => answer = json!({ "answer": plain }),
                Answer::Wrong => answer = json!({ "answer": plain.chars().rev().collect::<String>() + "0" }),
                Answer::Status(other) => status = other,
                Answer::Held => {
                    let _ = self.released.subscribe().wait_for(|released| *released).await;
                    answer = json!({ "answer": plain });
                }
            }
        }
        let response = axum::response::Response::builder().status(status).header("content-type", "application/json");
        response.body(Body::from(answer.to_string())).unwrap()
    }
}

/// A participant that wants to join.
pub(crate) struct Newcomer {
    pub(crate) id: SubscriberId,
    pub(crate) url: String,
    pub(crate) role: &'static str,
    network: String,
    clock: Arc<dyn Clock>,
    http: reqwest::Client,
    ear: Arc<Ear>,
}

/// A key of a newcomer; the same name is the same key, for one newcomer.
pub(crate) fn key(id: &str, name: &str) -> RingKey {
    let mut seed = [11u8; 32];
    for (place, byte) in seed.iter_mut().zip(name.bytes().chain(id.bytes())) {
        *place ^= byte;
    }
    RingKey::generate(KeyId::parse(name).unwrap(), seed, seed.map(|byte| !byte))
}

impl Newcomer {
    pub(crate) async fn bap(network: &TestNetwork, id: &str) -> Self {
        Self::of(network, id, "BAP").await
    }

    /// One that listens, and has read the registry's keys as the documents say.
    pub(crate) async fn of(network: &TestNetwork, id: &str, role: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/beckn", listener.local_addr().unwrap());
        let told = http().get(format!("{}/registry/keys", network.url())).send().await.unwrap();
        let registry = RegistryKeys::parse(&told.bytes().await.unwrap()).unwrap();
        let ear = Arc::new(Ear {
            keys: Mutex::new(vec![key(id, "k1"), key(id, "k2"), key(id, "k3")]),
            registry,
            next: Mutex::default(),
            heard: watch::channel(Vec::new()).0,
            released: watch::channel(false).0,
        });
        let hearing = ear.clone();
        let app = axum::Router::new().fallback(move |request| {
            let ear = hearing.clone();
            async move { ear.hear(request).await }
        });
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            id: SubscriberId::parse(id).unwrap(),
            url,
            role,
            network: network.url(),
            clock: network.clock(),
            http: http(),
            ear,
        }
    }

    /// One that is listed with the key `k1`.
    pub(crate) async fn listed(network: &TestNetwork, id: &str) -> Self {
        let newcomer = Self::bap(network, id).await;
        newcomer.under_subscription(&newcomer.asks("k1"), "k1", None).await;
        network.idle().await;
        assert!(newcomer.is_listed("k1").await);
        newcomer
    }

    pub(crate) fn key(&self, name: &str) -> RingKey {
        key(self.id.as_str(), name)
    }

    /// What it asks for, with one of its keys.
    pub(crate) fn asks(&self, name: &str) -> Value {
        let key = self.key(name);
        json!({
            "subscriber_id": self.id,
            "url": self.url,
            "type": self.role,
            "domain": "dhp:0.7.3",
            "location": { "country": { "code": "IND" }, "city": { "code": "std:044" } },
            "key_id": name,
            "signing_public_key": key.signing.verifying_key().to_base64(),
            "encr_public_key": key.encryption.unwrap().public_key().to_base64(),
        })
    }

    /// The next challenges are answered so; those after them rightly.
    pub(crate) fn answer_next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.ear.next.lock().unwrap().extend(answers);
    }

    /// Answers what was held back.
    pub(crate) fn release(&self) {
        self.ear.released.send_replace(true);
    }

    /// The bodies of `on_subscribe` so far.
    pub(crate) fn told(&self) -> Vec<Value> {
        let heard = self.ear.heard.borrow();
        heard.iter().filter(|(path, _)| path == "/beckn/on_subscribe").map(|(_, body)| body.clone()).collect()
    }

    /// The announcements so far, as key and status.
    pub(crate) fn announced(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let told = self.told();
        let announced = told.iter().filter(|body| !body["status"].is_null());
        announced.map(|body| (text(&body["pub_key_id"]), text(&body["status"]))).collect()
    }

    /// Waits for a message at this path.
    pub(crate) async fn heard(&self, path: &str) -> Value {
        let mut heard = self.ear.heard.subscribe();
        let found = |heard: &Vec<(String, Value)>| heard.iter().any(|(at, _)| at == path);
        let all = within(path, heard.wait_for(found)).await.unwrap().clone();
        all.into_iter().find(|(at, _)| at == path).unwrap().1
    }

    /// `Authorization` over these bytes by one of its keys.
    pub(crate) fn signed(&self, name: &str, bytes: &[u8]) -> String {
        self.key(name).sign(&self.id, bytes, self.clock.now())
    }

    /// Posts bytes with these headers.
    pub(crate) async fn post(&self, path: &str, headers: &[(&'static str, String)], bytes: Vec<u8>) -> Reply {
        let mut request = self.http.post(format!("{}{path}", self.network)).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = request.body(bytes).send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Reply { status, headers, body: serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default() }
    }

    /// Posts a subscription signed by one of its keys, and by a new one if there is one.
    pub(crate) async fn subscribe(&self, body: &Value, by: &str, new: Option<&str>) -> Reply {
        let bytes = body.to_string().into_bytes();
        let mut headers = vec![("authorization", self.signed(by, &bytes))];
        headers.extend(new.map(|new| ("x-new-key-authorization", self.signed(new, &bytes))));
        self.post("/registry/subscribe", &headers, bytes).await
    }

    /// The same, and it is taken.
    #[track_caller]
    pub(crate) fn under_subscription(&self, body: &Value, by: &str, new: Option<&str>) -> impl Future<Output = ()> {
        let at = std::panic::Location::caller();
        let (body, by, new) = (body.clone(), by.to_owned(), new.map(str::to_owned));
        async move {
            let reply = self.subscribe(&body, &by, new.as_deref()).await;
            let taken = reply.status == 200 && reply.body == json!({ "status": "UNDER_SUBSCRIPTION" });
            assert!(taken, "{at}: {} {}", reply.status, reply.body);
        }
    }

    /// A lookup signed by one of its keys.
    pub(crate) async fn lookup(&self, wanted: &Value, by: &str) -> Reply {
        let bytes = wanted.to_string().into_bytes();
        let headers = [("authorization", self.signed(by, &bytes))];
        self.post("/registry/lookup", &headers, bytes).await
    }

    /// Whether a signature by this key is believed by our BPP, which asks the registry as everybody does.
    pub(crate) async fn is_believed(&self, by: &str) -> bool {
        let mut message = self.search();
        message["context"]["message_id"] = json!(beckn_health_tests::fresh_id());
        let bytes = message.to_string().into_bytes();
        let reply = self.post("/bpp/search", &[("authorization", self.signed(by, &bytes))], bytes).await;
        match reply.status {
            200 => {
                reply.ack();
                true
            }
            status => {
                assert_eq!(status, 401, "{}", reply.body);
                false
            }
        }
    }

    /// A search of its own.
    pub(crate) fn search(&self) -> Value {
        json!({
            "context": {
                "domain": "dhp:0.7.3",
                "action": "search",
                "version": "1.1.0",
                "bap_id": self.id,
                "bap_uri": self.url,
                "transaction_id": beckn_health_tests::fresh_id(),
                "message_id": beckn_health_tests::fresh_id(),
                "timestamp": self.clock.now().to_string(),
                "ttl": "PT10M",
            },
            "message": { "intent": {} },
        })
    }

    /// Whether the registry itself knows this key of it, told by somebody who is known to it.
    pub(crate) async fn is_listed(&self, name: &str) -> bool {
        let reply = self.lookup(&json!({ "subscriber_id": self.id, "key_id": name }), name).await;
        match reply.status {
            200 => reply.body[0]["status"] == "SUBSCRIBED",
            status => {
                assert_eq!(status, 401, "{}", reply.body);
                false
            }
        }
    }
}

/// What the registry lists, asked by our BAP, which is always known.
pub(crate) async fn listed(network: &TestNetwork, wanted: Value) -> Vec<String> {
    let us = &network.role(Role::Bap).participant;
    let bytes = wanted.to_string().into_bytes();
    let authorization = us.sign(&bytes, network.now()).await.unwrap();
    let request = http().post(format!("{}/registry/lookup", network.url())).header("content-type", "application/json");
    let response = request.header("authorization", authorization).body(bytes).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let rows: Vec<Value> = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    let name = |row: &Value| format!("{}|{}", row["subscriber_id"].as_str().unwrap(), row["key_id"].as_str().unwrap());
    let mut names: Vec<String> = rows.iter().map(name).collect();
    names.sort_unstable();
    names
}

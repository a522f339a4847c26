//! A BAP of somebody else, entered in the registry by the operator: it can be away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use beckn_health::network::identity::{Role, new_key};
use beckn_health::operator::participants;
use beckn_health_protocol::registry::{SubscriberType, Subscription};
use beckn_health_protocol::signature::{self, SigningKey};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{Local, now, within};

const ACK: &str = r#"{"message":{"ack":{"status":"ACK"}}}"#;

pub(crate) struct Peer {
    pub(crate) id: String,
    url: String,
    key: SigningKey,
    at_home: Arc<AtomicBool>,
    received: watch::Receiver<Vec<Value>>,
}

impl Peer {
    /// A peer that is away: it answers 503 until [`Peer::come_home`].
    pub(crate) async fn away(local: &Local, id: &str) -> Self {
        let at_home = Arc::new(AtomicBool::new(false));
        let (heard, received) = watch::channel(Vec::new());
        let (listener, home) = (tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap(), at_home.clone());
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = axum::Router::new().fallback(move |request: Request| {
            let (home, heard) = (home.clone(), heard.clone());
            async move {
                if !home.load(Ordering::SeqCst) {
                    return Response::builder().status(503).body(Body::empty()).unwrap();
                }
                let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
                heard.send_modify(|heard| heard.push(serde_json::from_slice(&body).unwrap()));
                Response::new(Body::from(ACK))
            }
        });
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let key = new_key("key-1".parse().unwrap()).signing;
        let row = Subscription {
            subscriber_id: id.parse().ok(),
            key_id: "key-1".parse().ok(),
            url: Some(url.clone()),
            r#type: Some(SubscriberType::Bap),
            signing_public_key: Some(key.verifying_key().to_base64()),
            ..Subscription::default()
        };
        participants::add(&local.deployment, row, now()).await.unwrap();
        Self { id: id.to_owned(), url, key, at_home, received }
    }

    pub(crate) fn come_home(&self) {
        self.at_home.store(true, Ordering::SeqCst);
    }

    /// Sends a search to the network's BPP and asserts its ACK.
    pub(crate) async fn search(&self, local: &Local, transaction_id: &str, message_id: &str, now: Timestamp) {
        let body = json!({
            "context": {
                "domain": "dhp:0.7.3", "action": "search", "version": "1.1.0", "bap_id": self.id, "bap_uri": self.url,
                "transaction_id": transaction_id, "message_id": message_id, "timestamp": now.to_string(), "ttl": "PT10M",
            },
            "message": { "intent": {} },
        })
        .to_string();
        let created = now.as_second();
        let (id, key_id) = (self.id.parse().unwrap(), "key-1".parse().unwrap());
        let header = signature::sign(body.as_bytes(), &id, &key_id, &self.key, created, created + 300);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http.post(format!("{}/{}/search", local.network.base_url(), Role::Bpp.path()));
        let request = request.header("content-type", "application/json").header("authorization", header).body(body);
        let answer = request.send().await.unwrap().text().await.unwrap();
        assert_eq!(answer, ACK);
    }

    /// The first `count` messages it took.
    pub(crate) async fn received(&self, count: usize) -> Vec<Value> {
        let mut received = self.received.clone();
        let enough = received.wait_for(|received| received.len() >= count);
        within("the peer to be told", enough).await.unwrap().clone()
    }
}

//! A consumer's app: the client API of our BAP.

use serde_json::{Value, json};

use crate::network::TestNetwork;
use crate::reply::Reply;
use crate::{PATIENCE, http};

/// An app that books through `/client`.
pub struct App {
    base: String,
    token: String,
    http: reqwest::Client,
}

/// What was accepted for sending.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The transaction.
    pub transaction_id: String,
    /// The message.
    pub message_id: String,
}

impl App {
    /// An app of this network's BAP.
    pub fn of(network: &TestNetwork) -> Self {
        Self::at(network.url(), network.token())
    }

    /// An app of the BAP of the network at `base`, such as `http://127.0.0.1:8080`, with a token for it.
    pub fn at(base: String, token: &str) -> Self {
        Self { base, token: token.to_owned(), http: http() }
    }

    /// Its token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The same app with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self::at(self.base.clone(), token)
    }

    /// `POST /client/{action}` with any bytes.
    pub async fn post(&self, action: &str, body: impl Into<reqwest::Body>) -> Reply {
        let request = self.http.post(format!("{}/client/{action}", self.base)).bearer_auth(&self.token);
        Reply::read(request.header("content-type", "application/json").body(body).send().await.unwrap()).await
    }

    /// `POST /client/{action}`.
    pub async fn send(&self, action: &str, context: Value, message: Value) -> Reply {
        self.post(action, json!({ "context": context, "message": message }).to_string()).await
    }

    /// Sends and asserts `202` with the peer's ACK.
    pub async fn accepted(&self, action: &str, context: Value, message: Value) -> Accepted {
        let reply = self.send(action, context, message).await;
        assert_eq!((reply.status, &reply.body["ack"]["status"]), (202, &json!("ACK")), "{action}: {}", reply.body);
        let text = |name: &str| reply.body[name].as_str().unwrap().to_owned();
        Accepted { transaction_id: text("transaction_id"), message_id: text("message_id") }
    }

    /// `GET /client/transactions/{id}` with a query.
    pub async fn transaction(&self, transaction_id: &str, query: &str) -> Reply {
        let url = format!("{}/client/transactions/{transaction_id}{query}", self.base);
        Reply::read(self.http.get(url).bearer_auth(&self.token).send().await.unwrap()).await
    }

    /// The callback to a message, by long polling.
    pub async fn callback(&self, sent: &Accepted, callback: &str) -> Value {
        let query = format!("?for={callback}&message_id={}&wait={}", sent.message_id, PATIENCE.as_secs().min(25));
        let reply = self.transaction(&sent.transaction_id, &query).await;
        let messages = reply.body["messages"].as_array().cloned().unwrap_or_default();
        let mut found = messages.iter().filter(|message| {
            message["direction"] == "received"
                && message["action"] == callback
                && message["message_id"] == sent.message_id.as_str()
        });
        found.next().unwrap_or_else(|| panic!("no {callback} in {}", reply.body))["body"].clone()
    }

    /// Sends and waits for the callback.
    pub async fn ask(&self, action: &str, context: Value, message: Value) -> Value {
        let sent = self.accepted(action, context, message).await;
        self.callback(&sent, &format!("on_{action}")).await
    }
}

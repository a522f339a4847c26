//! The app's side of a BAP: what an app maker writes, in a hundred lines.

use std::time::Duration;

use serde_json::{Value, json};

use crate::failure::Failure;

/// Longest wait for one callback, in seconds.
const WAIT_SECONDS: u64 = 10;

/// Talks to the client API of a network.
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// A message the BAP has sent.
pub struct Accepted {
    /// The transaction.
    pub transaction_id: String,
    /// The message.
    pub message_id: String,
}

impl Client {
    /// A client of the network at `base`, e.g. `http://127.0.0.1:8080`, with the bearer token that its client API
    /// wants, if it wants one.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn with_token(base: &str, token: Option<String>) -> Result<Self, Failure> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
        let token = token.filter(|token| !token.is_empty());
        Ok(Self { http, base: base.trim_end_matches('/').to_owned(), token })
    }

    /// A request with the token, if there is one.
    fn authorized(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// `POST /client/{action}`.
    ///
    /// # Errors
    /// The network cannot be reached, or a peer refused the message.
    pub async fn send(&self, action: &str, context: Value, message: Value) -> Result<Accepted, Failure> {
        let body = json!({ "context": context, "message": message });
        let url = format!("{}/client/{action}", self.base);
        let response =
            self.authorized(self.http.post(&url)).json(&body).send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if matches!(status.as_u16(), 401 | 403) {
            return Err(self.not_let_in());
        }
        let answer: Value = response.json().await.map_err(|error| self.unreachable(&error))?;
        if !status.is_success() {
            return Err(Failure(format!("{action} was not accepted: {}", sentence(&answer["error"]))));
        }
        let id = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Ok(Accepted { transaction_id: id("transaction_id"), message_id: id("message_id") })
    }

    /// Waits for the callback that answers a message.
    ///
    /// # Errors
    /// It did not come in time, or it carries an error.
    pub async fn callback(&self, accepted: &Accepted, callback: &str) -> Result<Value, Failure> {
        let query = format!("for={callback}&message_id={}&wait={WAIT_SECONDS}", accepted.message_id);
        let transaction = self.transaction(&accepted.transaction_id, &query).await?;
        let messages = transaction["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let answer = messages
            .iter()
            .find(|message| message["action"] == callback && message["message_id"] == accepted.message_id.as_str());
        let Some(answer) = answer else {
            return Err(Failure(format!(
                "no {callback} came within {WAIT_SECONDS} seconds; look at the log with RUST_LOG=info"
            )));
        };
        match &answer["body"]["error"] {
            Value::Null => Ok(answer["body"]["message"].clone()),
            error => Err(Failure(format!("{callback} says: {}", sentence(error)))),
        }
    }

    /// `GET /client/transactions/{id}`.
    ///
    /// # Errors
    /// The network cannot be reached, or does not know the transaction.
    pub async fn transaction(&self, transaction_id: &str, query: &str) -> Result<Value, Failure> {
        let url = format!("{}/client/transactions/{transaction_id}?{query}", self.base);
        let response = self.authorized(self.http.get(&url)).send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if matches!(status.as_u16(), 401 | 403) {
            return Err(self.not_let_in());
        }
        let answer: Value = response.json().await.map_err(|error| self.unreachable(&error))?;
        if status.is_success() { Ok(answer) } else { Err(Failure(sentence(&answer["error"]))) }
    }

    fn not_let_in(&self) -> Failure {
        Failure(match self.token {
            None => format!(
                "{} wants a token: give it with --token or BECKN_HEALTH_TOKEN; a local network prints it when it \
                 starts and keeps it in the file `token` of its --data folder",
                self.base
            ),
            Some(_) => format!("{} does not accept the token; it may have expired", self.base),
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let what = if error.is_connect() { "nothing answers there" } else { "it gives no usable answer" };
        Failure(format!("{} cannot be used: {what}; start a network with `beckn-health up`", self.base))
    }
}

/// A Beckn error as a sentence.
fn sentence(error: &Value) -> String {
    let part = |name: &str| error[name].as_str().unwrap_or_default();
    let place = match part("paths") {
        "" => String::new(),
        path => format!(" at {path}"),
    };
    format!("{} (code {}{place})", part("message"), part("code"))
}

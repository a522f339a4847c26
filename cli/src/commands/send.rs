//! `beckn-health send`: one signed message, by hand.

use std::path::PathBuf;
use std::time::Duration;

use beckn_health_platform::participant::ring::KeyRing;
use beckn_health_protocol::action::{Action, Verb};
use beckn_health_protocol::ids::SubscriberId;
use clap::Args;
use serde_json::{Map, Value, json};

use super::{read, say};
use crate::failure::Failure;

/// Sign a message, send it and print the answer.
#[derive(Args)]
pub struct Send {
    /// What to send: search, select, … or on_search, on_select, …
    action: String,
    /// Message file, `{"context": {…}, "message": {…}}`; what the context lacks is filled in. For
    /// search a file is not needed
    #[arg(long)]
    file: Option<PathBuf>,
    /// Base URL of the participant, without the action
    #[arg(long)]
    to: String,
    /// Key file of the sender, as `keys new` writes it and `up --data` keeps it
    #[arg(long, env = "BECKN_HEALTH_KEY", default_value = "data/keys/bap.json")]
    key: PathBuf,
    /// Base URL at which the sender takes callbacks; by its registry row when absent
    #[arg(long)]
    uri: Option<String>,
}

impl Send {
    /// Runs the command.
    ///
    /// # Errors
    /// The files cannot be used, the participant does not answer, or it answers NACK.
    pub async fn run(self) -> Result<(), Failure> {
        let verb: Verb = self.action.parse().map_err(|_| {
            let known: Vec<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
            Failure(format!("{} is no action; expected one of {} or its on_ callback", self.action, known.join(", ")))
        })?;
        let ring = KeyRing::parse(&self.key_bytes()?, None).map_err(|error| {
            Failure(format!("{} is no key file: {error}; make one with `beckn-health keys new`", self.key.display()))
        })?;
        let Some(subscriber_id) = &ring.subscriber_id else {
            return Err(Failure(format!("{}: subscriber_id is missing", self.key.display())));
        };
        let message = match &self.file {
            Some(path) => serde_json::from_slice(&read(path)?)
                .map_err(|error| Failure(format!("{} is no JSON: {error}", path.display())))?,
            None if verb == Verb::Request(Action::Search) => sample_search(),
            None => return Err(Failure(format!("a {} needs --file with its message", self.action))),
        };
        let body = serde_json::to_vec(&self.completed(message, subscriber_id, verb)?)?;
        let authorization = ring.sign(subscriber_id, &body, now());
        let url = format!("{}/{}", self.to.trim_end_matches('/'), self.action);
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
        let response = http
            .post(&url)
            .header("content-type", "application/json")
            .header("authorization", authorization)
            .body(body)
            .send()
            .await
            .map_err(|error| {
                Failure(format!(
                    "{url} did not answer: {}",
                    if error.is_connect() { "nothing listens there" } else { "no usable answer" }
                ))
            })?;
        let status = response.status();
        let challenge =
            response.headers().get("www-authenticate").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let answer = response.text().await?;
        say(&format!("HTTP {}", status.as_u16()));
        if let Some(challenge) = challenge {
            say(&format!("www-authenticate: {challenge}"));
        }
        match serde_json::from_str::<Value>(&answer) {
            Ok(json) => say(&serde_json::to_string_pretty(&json)?),
            Err(_) => say(&answer),
        }
        let acknowledged =
            beckn_health_protocol::ack::Response::parse(answer.as_bytes()).is_ok_and(|response| response.is_ack());
        if status.is_success() && acknowledged {
            Ok(())
        } else {
            Err(Failure("the message was not acknowledged".to_owned()))
        }
    }

    fn key_bytes(&self) -> Result<Vec<u8>, Failure> {
        std::fs::read(&self.key).map_err(|error| {
            let key = self.key.display();
            Failure(format!("the key file {key} cannot be read: {error}; start a network with `beckn-health up --data data`, or name another with --key"))
        })
    }

    /// The message with everything its context must have.
    fn completed(&self, mut message: Value, sender: &SubscriberId, verb: Verb) -> Result<Value, Failure> {
        let Some(object) = message.as_object_mut() else {
            return Err(Failure("expected a message of the form {\"context\": {…}, \"message\": {…}}".to_owned()));
        };
        let context = object.entry("context").or_insert_with(|| json!({}));
        let Some(context) = context.as_object_mut() else {
            return Err(Failure("context: expected an object".to_owned()));
        };
        let (id, uri) = match verb {
            Verb::Request(_) => ("bap_id", "bap_uri"),
            Verb::Callback(_) => ("bpp_id", "bpp_uri"),
        };
        let mut fill = |name: &str, value: Value| {
            Map::entry(context, name).or_insert(value);
        };
        fill("domain", json!("dhp:0.7.3"));
        fill("action", json!(self.action));
        fill("version", json!("1.1.0"));
        fill(id, json!(sender));
        fill(uri, json!(self.uri.clone().unwrap_or_else(|| self.own_uri(verb))));
        fill("transaction_id", json!(fresh_id()));
        fill("message_id", json!(fresh_id()));
        fill("timestamp", json!(now().to_string()));
        fill("ttl", json!("PT10M"));
        Ok(message)
    }

    /// On a local network all roles share a host: the sender's URL is beside the receiver's.
    fn own_uri(&self, verb: Verb) -> String {
        let role = match verb {
            Verb::Request(_) => "bap",
            Verb::Callback(_) => "bpp",
        };
        match self.to.trim_end_matches('/').rsplit_once('/') {
            Some((base, _)) if base.contains("://") && !base.ends_with('/') => format!("{base}/{role}"),
            _ => self.to.clone(),
        }
    }
}

fn sample_search() -> Value {
    json!({
        "message": { "intent": { "category": { "descriptor": { "name": "cardiology" } }, "item": { "descriptor": { "name": "consultation" } } } }
    })
}

#[expect(clippy::disallowed_methods, reason = "a message written by hand is dated now")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

#[expect(clippy::disallowed_methods, reason = "a message written by hand needs an id of its own")]
fn fresh_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

//! A registry as a participant asks it: its keys, a lookup, a subscription.
//!
//! Invariant: the registry is known by the URL it was given; redirects are not followed, and the time and the size
//! of an answer are bounded. Who runs the command has named that URL, so it may be one of a private network.

use std::time::Duration;

use beckn_health_platform::egress;
use beckn_health_platform::participant::ring::KeyRing;
use beckn_health_protocol::ids::SubscriberId;
use beckn_health_protocol::registry::{Listed, LookupRequest, RegistryKeys, SubscribeResponse, Subscription};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// Longest time to reach the registry.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest time for a whole exchange.
const TOTAL: Duration = Duration::from_secs(15);
/// Largest answer read, in bytes: thousands of rows.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// A participant that asks: who it is and what it signs with.
#[derive(Debug, Clone)]
pub struct Asker {
    /// Its subscriber id.
    pub subscriber_id: SubscriberId,
    /// Its keys; the active one signs.
    pub ring: KeyRing,
}

impl Asker {
    /// The `Authorization` header over exactly these bytes.
    #[must_use]
    pub fn sign(&self, body: &[u8], now: Timestamp) -> String {
        self.ring.sign(&self.subscriber_id, body, now)
    }
}

/// A registry's base URL and the HTTP to it.
#[derive(Debug, Clone)]
pub struct RegistryClient {
    http: reqwest::Client,
    url: String,
}

/// An answer over HTTP.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Bytes,
    headers: HeaderMap,
}

/// Why the registry has not answered what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The HTTP client cannot be built.
    #[error("HTTP cannot be used on this machine: {0}")]
    Http(String),
    /// There is no answer.
    #[error("{url} does not answer: {problem}; check --registry and the network")]
    Silent {
        /// What was asked.
        url: String,
        /// What happened instead.
        problem: String,
    },
    /// It answered with a refusal.
    #[error("{url} refused with status {status}: {reason}")]
    Refused {
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
        /// The registry's own words.
        reason: String,
    },
    /// It answered with something else than a registry does.
    #[error("{url} answered what no registry does: {problem}; is --registry the base URL, without /subscribe?")]
    Unusable {
        /// What was asked.
        url: String,
        /// What is wrong with the answer.
        problem: String,
    },
}

impl Told {
    /// The sender's clock, by the `Date` header: whole seconds.
    #[must_use]
    pub fn date(&self) -> Option<Timestamp> {
        let date = self.headers.get(header::DATE)?.to_str().ok()?;
        DateTimeParser::new().parse_timestamp(date).ok()
    }

    /// How long to wait before asking again, where it says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
        seconds.trim().parse().ok().map(Duration::from_secs)
    }

    /// The words of a refusal: those of its `error`, or the beginning of a text that is no refusal of the protocol.
    #[must_use]
    pub fn reason(&self) -> String {
        const LONGEST: usize = 200;
        match SubscribeResponse::parse(&self.body).ok().and_then(|told| told.error) {
            Some(error) => error.message.unwrap_or_else(|| error.code.to_string()),
            None if self.body.is_empty() => "without a reason".to_owned(),
            None => String::from_utf8_lossy(&self.body).chars().filter(|c| !c.is_control()).take(LONGEST).collect(),
        }
    }
}

impl RegistryClient {
    /// The registry at `url`, its base, e.g. `https://registry.example/registry`.
    ///
    /// # Errors
    /// The TLS configuration of the machine is unusable.
    pub fn new(url: &str) -> Result<Self, AskError> {
        Ok(Self { http: client(TOTAL)?, url: url.trim_end_matches('/').to_owned() })
    }

    /// The base URL, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `GET /keys`: the registry's own keys, and the answer they came in.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn keys(&self) -> Result<(RegistryKeys, Told), AskError> {
        let url = format!("{}/keys", self.url);
        let told = exchange(self.http.get(&url), &url).await?;
        if told.status != 200 {
            return Err(refused(url, &told));
        }
        let keys = RegistryKeys::parse(&told.body)
            .map_err(|fault| AskError::Unusable { url, problem: format!("expected the registry's keys: {fault}") })?;
        Ok((keys, told))
    }

    /// `POST /subscribe` with these bytes, whatever the answer.
    ///
    /// # Errors
    /// [`AskError::Silent`].
    pub async fn subscribe(&self, asker: &Asker, body: Vec<u8>, now: Timestamp) -> Result<Told, AskError> {
        self.post("subscribe", asker, body, now).await
    }

    /// `POST /lookup`: the rows in force that match.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn lookup(
        &self,
        asker: &Asker,
        wanted: &LookupRequest,
        now: Timestamp,
    ) -> Result<Vec<Subscription>, AskError> {
        let url = format!("{}/lookup", self.url);
        let unusable = |problem: String| AskError::Unusable { url: url.clone(), problem };
        let body = serde_json::to_vec(wanted).map_err(|error| unusable(error.to_string()))?;
        let told = self.post("lookup", asker, body, now).await?;
        if told.status != 200 {
            return Err(refused(url, &told));
        }
        let listed = Listed::parse(&told.body).map_err(|fault| unusable(format!("expected subscriptions: {fault}")))?;
        Ok(listed.entries)
    }

    async fn post(&self, path: &str, asker: &Asker, body: Vec<u8>, now: Timestamp) -> Result<Told, AskError> {
        let url = format!("{}/{path}", self.url);
        let authorization = asker.sign(&body, now);
        let request = self.http.post(&url).header(header::AUTHORIZATION, authorization);
        exchange(request.header(header::CONTENT_TYPE, "application/json").body(body), &url).await
    }
}

fn refused(url: String, told: &Told) -> AskError {
    AskError::Refused { url, status: told.status, reason: told.reason() }
}

/// An HTTP client that follows no redirects and waits no longer than `total`.
fn client(total: Duration) -> Result<reqwest::Client, AskError> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .timeout(total)
        .user_agent(concat!("beckn-health/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| AskError::Http(error.to_string()))
}

/// Posts the empty object to a participant's `on_subscribe` without any signature, as nobody may: a participant
/// that is there refuses it.
///
/// # Errors
/// [`AskError::Silent`] when nobody is there.
pub async fn knock(participant_url: &str) -> Result<Told, AskError> {
    /// As long as a registry waits for the answer to a challenge.
    const PATIENCE: Duration = Duration::from_secs(10);
    let url = format!("{}/on_subscribe", participant_url.trim_end_matches('/'));
    let request = client(PATIENCE)?.post(&url).header(header::CONTENT_TYPE, "application/json").body("{}");
    exchange(request, &url).await
}

async fn exchange(request: reqwest::RequestBuilder, url: &str) -> Result<Told, AskError> {
    let silent = |error: reqwest::Error| AskError::Silent { url: url.to_owned(), problem: describe(&error) };
    let mut response = request.send().await.map_err(silent)?;
    let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(silent)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            let problem = format!("its answer is longer than {MAX_ANSWER} bytes");
            return Err(AskError::Unusable { url: url.to_owned(), problem });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Told { status, body: body.freeze(), headers })
}

/// What went wrong with an exchange, and its last cause.
fn describe(error: &reqwest::Error) -> String {
    let kind = if error.is_builder() {
        "it is no URL that can be asked"
    } else if error.is_timeout() {
        "it took too long"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the exchange broke off"
    };
    egress::last_cause(error).map_or_else(|| kind.to_owned(), |last| format!("{kind} ({last})"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn told(name: header::HeaderName, value: &'static str, body: &'static str) -> Told {
        let headers = HeaderMap::from_iter([(name, http::HeaderValue::from_static(value))]);
        Told { status: 200, body: Bytes::from_static(body.as_bytes()), headers }
    }

    #[test]
    fn the_clock_of_the_other_side_is_read() {
        let date = told(header::DATE, "Mon, 23 Nov 2026 03:00:00 GMT", "").date();
        assert_eq!(date, Some("2026-11-23T03:00:00Z".parse().unwrap()));
        assert_eq!(told(header::DATE, "today", "").date(), None);
        assert_eq!(told(header::RETRY_AFTER, "7", "").retry_after(), Some(Duration::from_secs(7)));
    }

    #[test]
    fn a_refusal_is_quoted_and_nothing_else_is_at_length() {
        let nack = r#"{"message":{"ack":{"status":"NACK"}},"error":{"code":"30016","message":"who are you"}}"#;
        assert_eq!(told(header::DATE, "", nack).reason(), "who are you");
        assert_eq!(told(header::DATE, "", "").reason(), "without a reason");
        assert_eq!(told(header::DATE, "", "<html>\nno\n</html>").reason(), "<html>no</html>");
    }
}

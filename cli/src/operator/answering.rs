//! `on_subscribe` for a participant that is not running yet: the registry's challenge answered by the command that
//! asked for it.
//!
//! Invariant: only what the registry has signed is decrypted or believed, and nothing but `on_subscribe` is served.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use beckn_health_platform::clock::Clock;
use beckn_health_platform::participant::ring::RingKey;
use beckn_health_protocol::ack;
use beckn_health_protocol::challenge;
use beckn_health_protocol::error::{Code, Error};
use beckn_health_protocol::ids::KeyId;
use beckn_health_protocol::registry::{OnSubscribe, OnSubscribeAnswer, RegistryKeys, SubscriptionStatus};
use beckn_health_protocol::signature::{self, AuthorizationHeader};
use http::{Method, StatusCode, header};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::registry_client::{Asker, RegistryClient};

/// Bytes read of a request.
const MAX_BODY: usize = 64 * 1024;

/// What was heard from the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A challenge for this key, which was answered.
    Challenge(Option<KeyId>),
    /// Where the subscription stands, and why.
    Announcement(SubscriptionStatus, Option<String>),
    /// A request that was refused, and why.
    Refused(String),
}

/// A port at which `on_subscribe` is answered, until it is dropped.
#[derive(Debug)]
pub struct Answering {
    address: SocketAddr,
    heard: mpsc::UnboundedReceiver<Heard>,
    serving: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

/// What a request is answered with.
struct Answerer {
    asker: Asker,
    registry: RegistryClient,
    clock: Arc<dyn Clock>,
    path: String,
    heard: mpsc::UnboundedSender<Heard>,
}

/// A request that is not answered as it wants, with the status it gets.
struct Refusal(StatusCode, Code, String);

impl Answering {
    /// Answers `POST <path>` at `listen` for `asker`, challenged by `registry`.
    ///
    /// # Errors
    /// The address cannot be listened at.
    pub async fn at(
        listen: SocketAddr,
        path: String,
        asker: Asker,
        registry: RegistryClient,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (events, heard) = mpsc::unbounded_channel();
        let (stop, mut stopped) = watch::channel(false);
        let answerer = Arc::new(Answerer { asker, registry, clock, path, heard: events });
        let app = axum::Router::new().fallback(move |request: http::Request<Body>| {
            let answerer = answerer.clone();
            async move { answerer.answer(request).await }
        });
        let serving = tokio::spawn(async move {
            let until = async move {
                let _ = stopped.wait_for(|stopped| *stopped).await;
            };
            if let Err(problem) = axum::serve(listener, app).with_graceful_shutdown(until).await {
                tracing::error!(%problem, "on_subscribe is no longer answered");
            }
        });
        Ok(Self { address, heard, serving, stop })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next thing heard. Whoever waits for something else meanwhile misses nothing.
    pub async fn next(&mut self) -> Option<Heard> {
        self.heard.recv().await
    }

    /// Takes no more requests, and returns when those begun are answered.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.serving.await;
    }
}

impl Answerer {
    async fn answer(&self, request: http::Request<Body>) -> http::Response<Body> {
        let (parts, body) = request.into_parts();
        if parts.uri.path() != self.path {
            return reply(StatusCode::NOT_FOUND, &serde_json::json!({}));
        }
        if parts.method != Method::POST {
            return reply(StatusCode::METHOD_NOT_ALLOWED, &serde_json::json!({}));
        }
        let mut headers = parts.headers.get_all(header::AUTHORIZATION).iter();
        let authorization = match (headers.next().map(|value| value.to_str()), headers.next()) {
            (Some(Ok(value)), None) => Some(value),
            _ => None,
        };
        let answered = match to_bytes(body, MAX_BODY).await {
            Ok(body) => self.told(authorization, &body).await,
            Err(_) => Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, Code::InvalidRequest, "the body is too large".into())),
        };
        match answered {
            Ok(response) => response,
            Err(Refusal(status, code, reason)) => {
                // A request without any signature is somebody looking whether we are here.
                if authorization.is_some() {
                    let _ = self.heard.send(Heard::Refused(reason.clone()));
                }
                let mut response = reply(status, &ack::Response::nack(Error::new(code, reason)));
                if status == StatusCode::UNAUTHORIZED
                    && let Ok(value) = signature::challenge(&self.asker.subscriber_id).parse()
                {
                    response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
                }
                response
            }
        }
    }

    async fn told(&self, authorization: Option<&str>, body: &[u8]) -> Result<http::Response<Body>, Refusal> {
        let wrong = |reason: String| Refusal(StatusCode::UNAUTHORIZED, Code::InvalidSignature, reason);
        let bad = |reason: String| Refusal(StatusCode::BAD_REQUEST, Code::InvalidRequest, reason);
        let authorization = authorization.ok_or_else(|| wrong("expected one Authorization header".to_owned()))?;
        let claimed = AuthorizationHeader::parse(authorization).map_err(|error| wrong(error.to_string()))?;
        let now = self.clock.now().as_second();
        signature::check_window(&claimed, now, None).map_err(|error| wrong(error.to_string()))?;
        let (keys, _) = self.registry.keys().await.map_err(|error| {
            Refusal(StatusCode::SERVICE_UNAVAILABLE, Code::PolicyError, format!("not checked: {error}"))
        })?;
        let named = &claimed.key_id;
        if named.subscriber_id != keys.subscriber_id || named.key_id != keys.key_id {
            let (registry, key_id) = (&keys.subscriber_id, &keys.key_id);
            return Err(wrong(format!("expected a signature by {registry} with {key_id}, found another signer")));
        }
        signature::verify(&claimed, body, &keys.signing_public_key).map_err(|error| wrong(error.to_string()))?;

        let told = OnSubscribe::parse(body).map_err(|fault| bad(fault.to_string()))?;
        let us = &self.asker.subscriber_id;
        if told.subscriber_id.as_ref().is_some_and(|id| id != us) {
            return Err(bad(format!("subscriber_id: expected {us}")));
        }
        let response = match &told.challenge {
            None => reply(StatusCode::OK, &serde_json::json!({})),
            Some(text) => {
                let answer = self.decrypted(told.key_id.as_ref(), text, &keys).ok_or_else(|| {
                    bad("challenge: expected a text encrypted for the encryption key of the key file".to_owned())
                })?;
                let _ = self.heard.send(Heard::Challenge(told.key_id.clone()));
                reply(StatusCode::OK, &OnSubscribeAnswer { answer })
            }
        };
        if let Some(status) = told.status {
            let _ = self.heard.send(Heard::Announcement(status, told.reason));
        }
        Ok(response)
    }

    /// The text of a challenge: by the key it names, or by the first that makes sense of it.
    fn decrypted(&self, key_id: Option<&KeyId>, text: &str, keys: &RegistryKeys) -> Option<String> {
        let ring = &self.asker.ring;
        let named = key_id.and_then(|key_id| ring.find(key_id));
        let tried = |key: &&RingKey| named.is_none_or(|named| named.key_id == key.key_id);
        let mut keys_tried = ring.keys().filter(tried).filter_map(|key| key.encryption.as_ref());
        keys_tried.find_map(|key| challenge::decrypt(text, key, &keys.encr_public_key).ok())
    }
}

fn reply(status: StatusCode, body: &impl Serialize) -> http::Response<Body> {
    let mut response = http::Response::new(Body::from(serde_json::to_vec(body).unwrap_or_default()));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

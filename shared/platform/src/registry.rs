//! Who the other participants are: their keys, roles and URLs.
//!
//! Invariant: a key or a URL of a peer comes from the registry and from nowhere else, above all not
//! from the message being checked. The registry itself is known by its configured URL alone, and its keys are
//! those it tells there.

pub mod cached;

use std::sync::Arc;

use async_trait::async_trait;
use beckn_health_protocol::fault::Fault;
use beckn_health_protocol::registry::{Listed, LookupRequest, RegistryKeys, Subscription};
use bytes::Bytes;
use tracing::warn;

use crate::clock::Clock;
use crate::egress::{Egress, EgressError};
use crate::participant::Participant;

pub use cached::{CachedRegistry, Endpoint, Peer, PeerKey, Place};

/// Largest answer to a lookup, in bytes: thousands of rows, and less than an HTTP API passes on.
const MAX_LOOKUP: usize = 4 * 1024 * 1024;

/// A source of participants.
#[async_trait]
pub trait Registry: Send + Sync {
    /// The rows that match every given criterion.
    ///
    /// # Errors
    /// The registry cannot be asked, or its answer cannot be understood: as a whole or, where it is about one
    /// subscriber, in a single row. Of an answer about many the rows that can be read stand.
    async fn lookup(&self, request: &LookupRequest) -> Result<Vec<Subscription>, RegistryError>;

    /// The registry's own keys. A registry that tells none has no way to challenge us.
    ///
    /// # Errors
    /// The registry cannot be asked, or tells no keys.
    async fn keys(&self) -> Result<RegistryKeys, RegistryError> {
        Err(RegistryError::Unusable("this registry tells no keys of its own".to_owned()))
    }
}

/// The registry gave no usable answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegistryError {
    /// It gave none: not reached, too slow, failing itself, or too busy for us. What it said before still
    /// stands for a while.
    #[error("registry: no answer: {0}")]
    Silent(String),
    /// It answered, with a refusal or with what cannot be understood.
    #[error("registry: {0}")]
    Unusable(String),
}

/// A registry reached over HTTP, `POST {url}/lookup`, signed (Beckn 1.1.0 `registry.yaml`), and
/// `GET {url}/keys`.
pub struct HttpRegistry {
    url: String,
    participant: Participant,
    egress: Egress,
    clock: Arc<dyn Clock>,
}

impl HttpRegistry {
    /// The registry at `url`, asked as `participant`.
    pub fn new(url: String, participant: Participant, egress: Egress, clock: Arc<dyn Clock>) -> Self {
        Self { url, participant, egress, clock }
    }
}

#[async_trait]
impl Registry for HttpRegistry {
    async fn lookup(&self, request: &LookupRequest) -> Result<Vec<Subscription>, RegistryError> {
        let body = serde_json::to_vec(request).map_err(|error| RegistryError::Unusable(error.to_string()))?;
        let authorization = self
            .participant
            .sign(&body, self.clock.now())
            .await
            .map_err(|error| RegistryError::Unusable(error.to_string()))?;
        let url = format!("{}/lookup", self.url);
        let headers = [("authorization", authorization)];
        let answer = self.egress.post_for(&url, &headers, Bytes::from(body), MAX_LOOKUP).await;
        let unusable =
            |fault: &Fault| RegistryError::Unusable(format!("the answer is no list of subscriptions: {fault}"));
        let listed = Listed::parse(&said(answer)?).map_err(|fault| unusable(&fault))?;
        match listed.unreadable.first() {
            // Which of a subscriber's keys hold depends on all of its rows.
            Some(fault) if request.subscriber_id.is_some() => Err(unusable(fault)),
            Some(fault) => {
                warn!(rows = listed.unreadable.len(), first = %fault.path, "rows of the registry's answer cannot be read");
                Ok(listed.entries)
            }
            None => Ok(listed.entries),
        }
    }

    async fn keys(&self) -> Result<RegistryKeys, RegistryError> {
        let answer = self.egress.get(&format!("{}/keys", self.url)).await;
        RegistryKeys::parse(&said(answer)?)
            .map_err(|fault| RegistryError::Unusable(format!("the answer holds no keys of a registry: {fault}")))
    }
}

/// The body of a 200; a registry that fails or asks us to wait has said nothing.
fn said(answer: Result<crate::egress::Answer, EgressError>) -> Result<Bytes, RegistryError> {
    match answer {
        Ok(answer) if answer.status == 200 => Ok(answer.body),
        Ok(answer) if matches!(answer.status, 408 | 425 | 429 | 500..) => {
            Err(RegistryError::Silent(format!("status {}", answer.status)))
        }
        Ok(answer) => Err(RegistryError::Unusable(format!("status {}", answer.status))),
        Err(error @ EgressError::Unreachable(_)) => Err(RegistryError::Silent(error.to_string())),
        Err(error) => Err(RegistryError::Unusable(error.to_string())),
    }
}

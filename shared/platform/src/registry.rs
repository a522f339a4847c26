//! Who the other participants are: their keys, roles and URLs.
//!
//! Invariant: a key or a URL of a peer comes from the registry and from nowhere else, above all not
//! from the message being checked. An answer is kept for at most five minutes; an unknown key
//! is asked for again at most once every five seconds.

use std::sync::Arc;

use async_trait::async_trait;
use beckn_health_protocol::ids::{KeyId, SubscriberId};
use beckn_health_protocol::registry::{LookupRequest, SubscriberType, Subscription};
use beckn_health_protocol::signature::VerifyingKey;
use bytes::Bytes;
use jiff::Timestamp;
use moka::future::Cache;

use crate::clock::Clock;
use crate::egress::Egress;
use crate::participant::Participant;

/// Longest time an answer of the registry is believed, in seconds.
const FRESH_SECONDS: i64 = 300;
/// Shortest time between two lookups of the same subscriber, in seconds.
const REFETCH_SECONDS: i64 = 5;
/// Longest time the list of providers of a place is believed, in seconds.
const PLACE_FRESH_SECONDS: i64 = 60;
/// Most subscribers and places remembered.
const CAPACITY: u64 = 10_000;

/// A source of participants.
#[async_trait]
pub trait Registry: Send + Sync {
    /// The rows that match every given criterion.
    ///
    /// # Errors
    /// The registry cannot be asked, or its answer cannot be understood.
    async fn lookup(&self, request: &LookupRequest) -> Result<Vec<Subscription>, RegistryError>;
}

/// The registry gave no usable answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("registry lookup: {0}")]
pub struct RegistryError(pub String);

/// A registry reached over HTTP, `POST {url}/lookup`, signed (Beckn 1.1.0 `registry.yaml`).
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
        let body = serde_json::to_vec(request).map_err(|error| RegistryError(error.to_string()))?;
        let authorization =
            self.participant.sign(&body, self.clock.now()).map_err(|error| RegistryError(error.to_string()))?;
        let answer = self
            .egress
            .post(&format!("{}/lookup", self.url), &[("authorization", authorization)], Bytes::from(body))
            .await
            .map_err(|error| RegistryError(error.to_string()))?;
        if answer.status != 200 {
            return Err(RegistryError(format!("status {}", answer.status)));
        }
        Subscription::parse_all(&answer.body)
            .map_err(|fault| RegistryError(format!("the answer is no list of subscriptions: {fault}")))
    }
}

/// A participant to whom messages are delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its subscriber id.
    pub subscriber_id: SubscriberId,
    /// Its base URL, without a trailing slash.
    pub url: String,
}

/// A key of a participant that is valid now.
#[derive(Debug, Clone)]
pub struct PeerKey {
    /// Whose key it is.
    pub peer: Peer,
    /// The role under which the key is registered.
    pub role: SubscriberType,
    /// The key.
    pub key: VerifyingKey,
    /// Until when, seconds since the epoch.
    pub valid_until: Option<i64>,
    /// When the row was fetched.
    fetched_at: Timestamp,
}

/// A row with its key parsed once: to check a key costs as much as many a signature.
struct Row {
    subscription: Subscription,
    key: Option<VerifyingKey>,
}

impl Row {
    fn new(subscription: Subscription) -> Self {
        let key = subscription.signing_public_key.as_deref().and_then(|text| VerifyingKey::from_base64(text).ok());
        Self { subscription, key }
    }
}

#[derive(Clone)]
struct Fetched {
    at: Timestamp,
    rows: Result<Arc<Vec<Row>>, RegistryError>,
}

impl Fetched {
    fn age(&self, now: Timestamp) -> i64 {
        now.as_second().saturating_sub(self.at.as_second())
    }
}

/// A [`Registry`] with memory.
pub struct CachedRegistry {
    source: Arc<dyn Registry>,
    clock: Arc<dyn Clock>,
    subscribers: Cache<SubscriberId, Fetched>,
    places: Cache<Place, Fetched>,
}

/// What a gateway looks providers up by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// `context.domain`.
    pub domain: Option<String>,
    /// `context.location.country.code`.
    pub country: Option<String>,
    /// `context.location.city.code`.
    pub city: Option<String>,
}

impl CachedRegistry {
    /// Remembers the answers of `source`.
    pub fn new(source: Arc<dyn Registry>, clock: Arc<dyn Clock>) -> Self {
        Self { source, clock, subscribers: Cache::new(CAPACITY), places: Cache::new(CAPACITY) }
    }

    /// The key `key_id` of `subscriber`, if it is registered and valid now.
    ///
    /// # Errors
    /// The registry cannot be asked and nothing fresh is remembered.
    pub async fn key(&self, subscriber: &SubscriberId, key_id: &KeyId) -> Result<Option<PeerKey>, RegistryError> {
        let known = self.rows(subscriber, FRESH_SECONDS).await?;
        match self.pick(&known, key_id) {
            Some(found) => Ok(Some(found)),
            // Perhaps a new key: ask again, but no more often than every few seconds.
            None => Ok(self.pick(&self.rows(subscriber, REFETCH_SECONDS).await?, key_id)),
        }
    }

    /// The same key as it stands in the registry now, for a signature that did not verify: the
    /// key may have been replaced under the same id.
    ///
    /// # Errors
    /// The registry cannot be asked.
    pub async fn newer_key(&self, old: &PeerKey, key_id: &KeyId) -> Result<Option<PeerKey>, RegistryError> {
        let rows = self.rows(&old.peer.subscriber_id, REFETCH_SECONDS).await?;
        Ok(self.pick(&rows, key_id).filter(|new| new.fetched_at > old.fetched_at))
    }

    /// Where `subscriber` receives messages in the given role.
    ///
    /// # Errors
    /// The registry cannot be asked.
    pub async fn peer(&self, subscriber: &SubscriberId, role: SubscriberType) -> Result<Option<Peer>, RegistryError> {
        let now = self.clock.now();
        let rows = self.rows(subscriber, FRESH_SECONDS).await?;
        let mut rows = rows.1.iter().map(|row| &row.subscription);
        Ok(rows.find(|row| row.is_in_force(now) && row.r#type.as_ref() == Some(&role)).and_then(peer_of))
    }

    /// The providers that serve a place, each once, in the order of their ids.
    ///
    /// # Errors
    /// The registry cannot be asked.
    pub async fn providers(&self, place: Place) -> Result<Vec<Peer>, RegistryError> {
        let now = self.clock.now();
        let request = LookupRequest {
            r#type: Some(SubscriberType::Bpp),
            domain: place.domain.clone(),
            country: place.country.clone(),
            city: place.city.clone(),
            ..LookupRequest::default()
        };
        let fetched = self
            .places
            .entry(place)
            .or_insert_with_if(self.fetch(&request), |entry| {
                entry.rows.is_err() || entry.age(now) >= PLACE_FRESH_SECONDS
            })
            .await
            .into_value();
        let rows = fetched.rows?;
        let rows = rows.iter().map(|row| &row.subscription);
        let mut peers: Vec<Peer> = rows.filter(|row| row.is_in_force(now)).filter_map(peer_of).collect();
        peers.sort_by(|a, b| a.subscriber_id.cmp(&b.subscriber_id));
        peers.dedup_by(|a, b| a.subscriber_id == b.subscriber_id);
        Ok(peers)
    }

    async fn rows(
        &self,
        subscriber: &SubscriberId,
        fresh_seconds: i64,
    ) -> Result<(Timestamp, Arc<Vec<Row>>), RegistryError> {
        let now = self.clock.now();
        let request = LookupRequest { subscriber_id: Some(subscriber.clone()), ..LookupRequest::default() };
        let fetched = self
            .subscribers
            .entry_by_ref(subscriber)
            .or_insert_with_if(self.fetch(&request), |entry| entry.rows.is_err() || entry.age(now) >= fresh_seconds)
            .await
            .into_value();
        Ok((fetched.at, fetched.rows?))
    }

    async fn fetch(&self, request: &LookupRequest) -> Fetched {
        let rows = self.source.lookup(request).await.map(|rows| Arc::new(rows.into_iter().map(Row::new).collect()));
        Fetched { at: self.clock.now(), rows }
    }

    /// The one live row with this key id. Two such rows are ambiguous, so neither is believed.
    fn pick(&self, (fetched_at, rows): &(Timestamp, Arc<Vec<Row>>), key_id: &KeyId) -> Option<PeerKey> {
        let now = self.clock.now();
        let mut matching = rows
            .iter()
            .filter(|row| row.subscription.key_id.as_ref() == Some(key_id) && row.subscription.is_in_force(now));
        let Row { subscription, key } = matching.next()?;
        if matching.next().is_some() {
            return None;
        }
        Some(PeerKey {
            peer: peer_of(subscription)?,
            role: subscription.r#type.clone()?,
            key: key.clone()?,
            valid_until: subscription.valid_until.map(Timestamp::as_second),
            fetched_at: *fetched_at,
        })
    }
}

fn peer_of(row: &Subscription) -> Option<Peer> {
    Some(Peer { subscriber_id: row.subscriber_id.clone()?, url: row.url.as_deref()?.trim_end_matches('/').to_owned() })
}

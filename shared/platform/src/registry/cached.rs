//! A registry with memory.
//!
//! Invariant: an answer is believed for five minutes and never beyond a row's `valid_until`; an unknown key or
//! a signature that does not verify asks again, at most every five seconds; while one asks, all who want the
//! same wait for that answer. Only while the registry gives no answer at all does what it said before stand
//! for longer, for one hour at most: an answer that a key is gone is always obeyed, also one that comes late.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use beckn_health_protocol::ids::{KeyId, MAX_ID_LENGTH, SubscriberId};
use beckn_health_protocol::registry::{LookupRequest, RegistryKeys, SubscriberType, Subscription};
use beckn_health_protocol::signature::VerifyingKey;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use moka::future::Cache;
use moka::ops::compute::{CompResult, Op};
use tracing::warn;

use super::{Registry, RegistryError};
use crate::clock::Clock;
use crate::hop;

/// Longest time an answer of the registry is believed, in seconds.
const FRESH_SECONDS: i64 = 300;
/// Shortest time between two lookups of the same subscriber, and between two tries of a silent registry, in
/// seconds.
const REFETCH_SECONDS: i64 = 5;
/// Longest time the list of providers of a place is believed, in seconds.
const PLACE_FRESH_SECONDS: i64 = 60;
/// Longest time an answer stands beyond its freshness while the registry is silent, in seconds.
pub const STALE_LIMIT_SECONDS: i64 = 3_600;
/// Longest wait for the registry where an earlier answer could stand.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most subscribers and places remembered.
const CAPACITY: u64 = 10_000;

/// A participant to whom messages are delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its subscriber id.
    pub subscriber_id: SubscriberId,
    /// Its base URL, without a trailing slash.
    pub url: String,
}

/// Host and port of a URL: what tells one participant's endpoint from another's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: Option<u16>,
}

impl Endpoint {
    /// The endpoint of an http(s) URL. A URL that carries user information has none: what stands before its `@` only
    /// looks like a host.
    pub fn of(url: &str) -> Option<Self> {
        let url = url::Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        Some(Self { host: url.host_str()?.to_owned(), port: url.port_or_known_default() })
    }
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
    /// The domain for which it is registered; all when none is named.
    domain: Option<String>,
    /// That of the peer's URL.
    endpoint: Option<Endpoint>,
    /// When the row was fetched.
    fetched_at: Timestamp,
}

impl PeerKey {
    /// Whether a URL has the endpoint at which the peer is registered.
    pub fn is_at(&self, url: &str) -> bool {
        match &self.endpoint {
            Some(endpoint) => url == self.peer.url || Endpoint::of(url).as_ref() == Some(endpoint),
            None => false,
        }
    }

    /// Whether the key is registered for messages of this domain.
    pub fn serves(&self, domain: Option<&str>) -> bool {
        self.domain.as_deref().is_none_or(|registered| registered == "*" || Some(registered) == domain)
    }
}

/// A row with its key and its URL parsed once: to check a key costs as much as many a signature.
struct Row {
    subscription: Subscription,
    key: Option<VerifyingKey>,
    endpoint: Option<Endpoint>,
}

impl Row {
    fn new(subscription: Subscription) -> Self {
        let key = subscription.signing_public_key.as_deref().and_then(|text| VerifyingKey::from_base64(text).ok());
        let endpoint = base_url(&subscription).and_then(Endpoint::of);
        Self { subscription, key, endpoint }
    }
}

/// What the registry said, and when.
struct Fetched<T> {
    at: Timestamp,
    said: Arc<T>,
}

impl<T> Clone for Fetched<T> {
    fn clone(&self) -> Self {
        Self { at: self.at, said: self.said.clone() }
    }
}

impl<T> Fetched<T> {
    fn is_younger(&self, seconds: i64, now: Timestamp) -> bool {
        now.as_second().saturating_sub(self.at.as_second()) < seconds
    }
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

/// Why an answer is wanted, and so how old it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Any answer younger than this, in seconds; an older one while the registry is silent.
    Within(i64),
    /// One that may tell more than the last: younger than [`REFETCH_SECONDS`].
    Newer,
}

/// A [`Registry`] with memory.
pub struct CachedRegistry {
    source: Arc<dyn Registry>,
    clock: Arc<dyn Clock>,
    patience: Duration,
    subscribers: Cache<SubscriberId, Fetched<Vec<Row>>>,
    places: Cache<Place, Fetched<Vec<Row>>>,
    keys: Cache<(), Fetched<RegistryKeys>>,
    /// When the registry last gave no answer: whoever can do without it does not wait for it right after.
    silent_at: Arc<Mutex<Option<Timestamp>>>,
}

impl CachedRegistry {
    /// Remembers the answers of `source`.
    pub fn new(source: Arc<dyn Registry>, clock: Arc<dyn Clock>) -> Self {
        Self {
            source,
            clock,
            patience: PATIENCE,
            subscribers: Cache::new(CAPACITY),
            places: Cache::new(CAPACITY),
            keys: Cache::new(1),
            silent_at: Arc::default(),
        }
    }

    /// The same, waiting at most so long for the registry where an earlier answer could stand.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The key `key_id` of `subscriber`, if it is registered and valid now.
    ///
    /// # Errors
    /// The registry cannot be asked and nothing is remembered that may stand.
    pub async fn key(&self, subscriber: &SubscriberId, key_id: &KeyId) -> Result<Option<PeerKey>, RegistryError> {
        let known = self.rows(subscriber, Wanted::Within(FRESH_SECONDS)).await?;
        match self.pick(&known, key_id) {
            Some(found) => Ok(Some(found)),
            // Perhaps a new key: ask again, but no more often than every few seconds.
            None => Ok(self.pick(&self.rows(subscriber, Wanted::Newer).await?, key_id)),
        }
    }

    /// The same key as it stands in the registry now, for a signature that did not verify: the
    /// key may have been replaced under the same id. While the registry is silent there is none.
    ///
    /// # Errors
    /// The registry's answer cannot be used.
    pub async fn newer_key(&self, old: &PeerKey, key_id: &KeyId) -> Result<Option<PeerKey>, RegistryError> {
        match self.rows(&old.peer.subscriber_id, Wanted::Newer).await {
            Ok(rows) => Ok(self.pick(&rows, key_id).filter(|new| new.fetched_at > old.fetched_at)),
            Err(RegistryError::Silent(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Where `subscriber` receives messages in the given role.
    ///
    /// # Errors
    /// The registry cannot be asked and nothing is remembered that may stand.
    pub async fn peer(&self, subscriber: &SubscriberId, role: SubscriberType) -> Result<Option<Peer>, RegistryError> {
        let known = self.rows(subscriber, Wanted::Within(FRESH_SECONDS)).await?;
        match self.reachable(&known, &role) {
            Some(peer) => Ok(Some(peer)),
            // Perhaps it has joined since.
            None => Ok(self.reachable(&self.rows(subscriber, Wanted::Newer).await?, &role)),
        }
    }

    /// The providers that serve a place, each once, in the order of their ids.
    ///
    /// # Errors
    /// The registry cannot be asked and nothing is remembered that may stand.
    pub async fn providers(&self, place: Place) -> Result<Vec<Peer>, RegistryError> {
        // Nothing is called so, and what senders make up must not fill the memory.
        if [&place.domain, &place.country, &place.city].into_iter().flatten().any(|name| name.len() > MAX_ID_LENGTH) {
            return Ok(Vec::new());
        }
        let request = || LookupRequest {
            r#type: Some(SubscriberType::Bpp),
            domain: place.domain.clone(),
            country: place.country.clone(),
            city: place.city.clone(),
            ..LookupRequest::default()
        };
        let wanted = Wanted::Within(PLACE_FRESH_SECONDS);
        let fetched = self.remembered(&self.places, &place, wanted, || self.looked_up(request())).await?;
        let now = self.clock.now();
        let rows = fetched.said.iter().map(|row| &row.subscription);
        let bpps = rows.filter(|row| row.is_in_force(now) && row.r#type == Some(SubscriberType::Bpp));
        let mut peers: Vec<Peer> = bpps.filter_map(peer_of).collect();
        peers.sort_by(|a, b| a.subscriber_id.cmp(&b.subscriber_id));
        peers.dedup_by(|a, b| a.subscriber_id == b.subscriber_id);
        Ok(peers)
    }

    /// The registry's own keys, if they are, or may meanwhile be, those that `holds` asks for.
    ///
    /// # Errors
    /// The registry cannot be asked and nothing is remembered that may stand.
    pub async fn registry_keys(
        &self,
        holds: impl Fn(&RegistryKeys) -> bool,
    ) -> Result<Option<Arc<RegistryKeys>>, RegistryError> {
        for wanted in [Wanted::Within(FRESH_SECONDS), Wanted::Newer] {
            let ask = || -> BoxFuture<'static, _> {
                let source = self.source.clone();
                Box::pin(async move { source.keys().await })
            };
            let keys = self.remembered(&self.keys, &(), wanted, ask).await?.said;
            if holds(&keys) {
                return Ok(Some(keys));
            }
        }
        Ok(None)
    }

    async fn rows(&self, subscriber: &SubscriberId, wanted: Wanted) -> Result<Fetched<Vec<Row>>, RegistryError> {
        let request = || LookupRequest { subscriber_id: Some(subscriber.clone()), ..LookupRequest::default() };
        self.remembered(&self.subscribers, subscriber, wanted, || self.looked_up(request())).await
    }

    fn looked_up(&self, request: LookupRequest) -> BoxFuture<'static, Result<Vec<Row>, RegistryError>> {
        let source = self.source.clone();
        Box::pin(async move {
            let said = source.lookup(&request).await?;
            // Whatever else a registry tells, of one subscriber only its own rows are heard.
            let own =
                |row: &Subscription| request.subscriber_id.is_none() || row.subscriber_id == request.subscriber_id;
            Ok(said.into_iter().filter(own).map(Row::new).collect())
        })
    }

    /// What is remembered under `key`, asked for anew by `ask` where it is too old; one asks at a time.
    async fn remembered<K, T>(
        &self,
        cache: &Cache<K, Fetched<T>>,
        key: &K,
        wanted: Wanted,
        ask: impl FnOnce() -> BoxFuture<'static, Result<T, RegistryError>>,
    ) -> Result<Fetched<T>, RegistryError>
    where
        K: std::hash::Hash + Eq + Clone + Send + Sync + 'static,
        T: Send + Sync + 'static,
    {
        let within = match wanted {
            Wanted::Within(seconds) => seconds,
            Wanted::Newer => REFETCH_SECONDS,
        };
        if let Some(known) = cache.get(key).await
            && known.is_younger(within, self.clock.now())
        {
            return Ok(known);
        }
        let mut failure = None;
        let failed = &mut failure;
        let outcome = cache
            .entry(key.clone())
            .and_compute_with(|known| async move {
                let known = known.map(moka::Entry::into_value);
                let now = self.clock.now();
                if known.as_ref().is_some_and(|known| known.is_younger(within, now)) {
                    return Op::Nop;
                }
                let stands = known.is_some_and(|known| known.is_younger(FRESH_SECONDS + STALE_LIMIT_SECONDS, now));
                let asked = self.asked(cache.clone(), key.clone(), ask(), stands, now).await;
                match asked {
                    Ok(said) => Op::Put(Fetched { at: now, said: Arc::new(said) }),
                    Err(RegistryError::Silent(reason)) if stands && wanted != Wanted::Newer => {
                        warn!(reason, "the registry is silent; what it said before stands");
                        Op::Nop
                    }
                    Err(error) => {
                        *failed = Some(error);
                        Op::Nop
                    }
                }
            })
            .await;
        match (failure, outcome) {
            (Some(error), _) => Err(error),
            (None, CompResult::Inserted(entry) | CompResult::ReplacedWith(entry) | CompResult::Unchanged(entry)) => {
                Ok(entry.into_value())
            }
            (None, CompResult::StillNone(_) | CompResult::Removed(_)) => {
                Err(RegistryError::Silent("nothing was asked".to_owned()))
            }
        }
    }

    /// Asks the registry: for as long as it takes, or where an earlier answer could stand, briefly, and not at
    /// all right after it was silent. An answer that comes too late for us is remembered all the same.
    async fn asked<K, T>(
        &self,
        cache: Cache<K, Fetched<T>>,
        key: K,
        ask: BoxFuture<'static, Result<T, RegistryError>>,
        can_do_without: bool,
        now: Timestamp,
    ) -> Result<T, RegistryError>
    where
        K: std::hash::Hash + Eq + Send + Sync + 'static,
        T: Send + Sync + 'static,
    {
        if !can_do_without {
            let answer = ask.await;
            self.note(matches!(answer, Err(RegistryError::Silent(_))));
            return answer;
        }
        let was_silent = *self.silent_at.lock().unwrap_or_else(PoisonError::into_inner);
        if was_silent.is_some_and(|at| now.as_second().saturating_sub(at.as_second()) < REFETCH_SECONDS) {
            return Err(RegistryError::Silent("it was silent a moment ago".to_owned()));
        }
        let (tell, mut told) = tokio::sync::oneshot::channel();
        let silent_at = self.silent_at.clone();
        let asking = async move {
            if let Err(Ok(said)) = tell.send(ask.await) {
                *silent_at.lock().unwrap_or_else(PoisonError::into_inner) = None;
                cache.insert(key, Fetched { at: now, said: Arc::new(said) }).await;
            }
        };
        // It goes on when we stop waiting, as part of the hop that began it.
        match hop::current() {
            Some(hop) => tokio::spawn(hop.carry(asking)),
            None => tokio::spawn(asking),
        };
        let slow = || Err(RegistryError::Silent("it is slow".to_owned()));
        let answer = match tokio::time::timeout(self.patience, &mut told).await {
            Ok(told) => told.unwrap_or_else(|_| slow()),
            Err(_) => {
                told.close();
                told.try_recv().unwrap_or_else(|_| slow())
            }
        };
        self.note(matches!(answer, Err(RegistryError::Silent(_))));
        answer
    }

    fn note(&self, silent: bool) {
        *self.silent_at.lock().unwrap_or_else(PoisonError::into_inner) = silent.then(|| self.clock.now());
    }

    /// The one live row with this key id. Two such rows are ambiguous, so neither is believed.
    fn pick(&self, fetched: &Fetched<Vec<Row>>, key_id: &KeyId) -> Option<PeerKey> {
        let now = self.clock.now();
        let mut matching = fetched
            .said
            .iter()
            .filter(|row| row.subscription.key_id.as_ref() == Some(key_id) && row.subscription.is_in_force(now));
        let Row { subscription, key, endpoint } = matching.next()?;
        if matching.next().is_some() {
            return None;
        }
        Some(PeerKey {
            peer: peer_of(subscription)?,
            role: subscription.r#type.clone()?,
            key: key.clone()?,
            valid_until: subscription.valid_until.map(Timestamp::as_second),
            domain: subscription.domain.clone(),
            endpoint: endpoint.clone(),
            fetched_at: fetched.at,
        })
    }

    fn reachable(&self, fetched: &Fetched<Vec<Row>>, role: &SubscriberType) -> Option<Peer> {
        let now = self.clock.now();
        let mut rows = fetched.said.iter().map(|row| &row.subscription);
        rows.find(|row| row.is_in_force(now) && row.r#type.as_ref() == Some(role)).and_then(peer_of)
    }
}

fn peer_of(row: &Subscription) -> Option<Peer> {
    Some(Peer { subscriber_id: row.subscriber_id.clone()?, url: base_url(row)?.to_owned() })
}

fn base_url(row: &Subscription) -> Option<&str> {
    Some(row.url.as_deref()?.trim_end_matches('/'))
}

#[cfg(test)]
mod tests;

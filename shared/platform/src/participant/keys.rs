//! Where our keys come from, and how a running function notices that they have changed.
//!
//! Invariant: whoever signs has a ring in memory; it is read anew at most once a minute, by one caller
//! while all others go on with what is held, and a source that fails or hangs changes nothing but the log.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use beckn_health_protocol::ids::KeyId;
use jiff::Timestamp;
use tracing::{info, warn};

use super::ring::{InvalidRing, KeyRing};

/// How old the ring may be before it is read anew, in seconds.
pub const RING_FRESH_SECONDS: i64 = 60;
/// Longest wait for the source while there is a ring to go on with.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why a ring cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The place where it is kept failed.
    #[error("the keys cannot be reached: {0}")]
    Unreachable(String),
    /// What is kept there is no ring.
    #[error("the keys cannot be used: {0}")]
    Invalid(#[from] InvalidRing),
}

/// A function that must sign was given no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this function has no signing key: SIGNING_KEY_SECRET is not set")]
pub struct NoSigningKey;

/// Where a participant's ring is kept.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// The ring as it is kept now.
    ///
    /// # Errors
    /// [`KeyError`].
    async fn read(&self) -> Result<KeyRing, KeyError>;
}

/// A place where a ring can be replaced; functions have none, only who rotates keys has.
#[async_trait]
pub trait KeyStore: KeySource {
    /// Keeps this ring instead.
    ///
    /// # Errors
    /// [`KeyError::Unreachable`]; the ring kept before is then still kept.
    async fn write(&self, ring: &KeyRing) -> Result<(), KeyError>;
}

/// A ring that is kept in memory, for participants that live as long as their process.
#[derive(Debug)]
pub struct MemoryKeys(Mutex<KeyRing>);

impl MemoryKeys {
    /// Keeps this ring.
    #[must_use]
    pub fn new(ring: KeyRing) -> Self {
        Self(Mutex::new(ring))
    }
}

#[async_trait]
impl KeySource for MemoryKeys {
    async fn read(&self) -> Result<KeyRing, KeyError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

#[async_trait]
impl KeyStore for MemoryKeys {
    async fn write(&self, ring: &KeyRing) -> Result<(), KeyError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ring.clone();
        Ok(())
    }
}

/// The keys of a participant as a running function holds them. Clones hold the same.
#[derive(Clone, Default)]
pub struct Keys(Option<Arc<Held>>);

struct Held {
    source: Arc<dyn KeySource>,
    ring: RwLock<(Arc<KeyRing>, Timestamp)>,
    reading: tokio::sync::Mutex<()>,
}

impl Keys {
    /// No keys: for functions that sign nothing.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Keys that never change.
    #[must_use]
    pub fn fixed(ring: KeyRing) -> Self {
        let source = Arc::new(MemoryKeys::new(ring.clone()));
        Self::held_by(source, ring, Timestamp::MAX)
    }

    /// The keys of `source`, read once now and then whenever they are older than a minute.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn open(source: Arc<dyn KeySource>, now: Timestamp) -> Result<Self, KeyError> {
        let ring = source.read().await?;
        Ok(Self::held_by(source, ring, now))
    }

    fn held_by(source: Arc<dyn KeySource>, ring: KeyRing, read_at: Timestamp) -> Self {
        let ring = RwLock::new((Arc::new(ring), read_at));
        Self(Some(Arc::new(Held { source, ring, reading: tokio::sync::Mutex::default() })))
    }

    /// The ring that is held now, whatever its age.
    ///
    /// # Errors
    /// There are no keys.
    pub fn held(&self) -> Result<Arc<KeyRing>, NoSigningKey> {
        Ok(self.0.as_ref().ok_or(NoSigningKey)?.ring().0)
    }

    /// The ring, not much older than a minute as long as its source answers.
    ///
    /// # Errors
    /// There are no keys.
    pub async fn ring(&self, now: Timestamp) -> Result<Arc<KeyRing>, NoSigningKey> {
        let held = self.0.as_ref().ok_or(NoSigningKey)?;
        if held.is_fresh(now) {
            return Ok(held.ring().0);
        }
        // One reads; the others do not wait for it.
        if let Ok(_reading) = held.reading.try_lock()
            && !held.is_fresh(now)
        {
            held.read_anew(now).await;
        }
        Ok(held.ring().0)
    }

    /// The ring, read at once if it lacks this key: the registry may challenge a key that was made just now.
    ///
    /// # Errors
    /// There are no keys.
    pub async fn ring_with(&self, key_id: &KeyId, now: Timestamp) -> Result<Arc<KeyRing>, NoSigningKey> {
        let ring = self.ring(now).await?;
        if ring.find(key_id).is_some() {
            return Ok(ring);
        }
        let held = self.0.as_ref().ok_or(NoSigningKey)?;
        let _reading = held.reading.lock().await;
        if held.ring().0.find(key_id).is_none() {
            held.read_anew(now).await;
        }
        Ok(held.ring().0)
    }
}

impl Held {
    fn ring(&self) -> (Arc<KeyRing>, Timestamp) {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        let read_at = self.ring().1;
        now.as_second().saturating_sub(read_at.as_second()) < RING_FRESH_SECONDS
    }

    /// Reads the source. A failure counts as a reading: nobody waits for it again within the minute.
    async fn read_anew(&self, now: Timestamp) {
        let before = self.ring().0;
        let ring = match tokio::time::timeout(PATIENCE, self.source.read()).await {
            Ok(Ok(ring)) => {
                if ring.active().key_id != before.active().key_id {
                    info!(key_id = %ring.active().key_id, "another key signs from now on");
                }
                Arc::new(ring)
            }
            Ok(Err(problem)) => {
                warn!(%problem, "keys not read anew; those held go on signing");
                before
            }
            Err(_) => {
                warn!("keys not read anew in time; those held go on signing");
                before
            }
        };
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = (ring, now);
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("Keys(none)"),
            Some(held) => f.debug_tuple("Keys").field(&held.ring().0).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::participant::ring::RingKey;
    use jiff::SignedDuration;

    fn key(name: &str) -> RingKey {
        RingKey::generate(KeyId::parse(name).unwrap(), [1; 32], [2; 32])
    }

    fn start() -> Timestamp {
        "2026-11-23T03:00:00Z".parse().unwrap()
    }

    fn after(seconds: i64) -> Timestamp {
        start() + SignedDuration::from_secs(seconds)
    }

    /// A source that counts, and can fail or hang.
    struct Source {
        kept: MemoryKeys,
        reads: AtomicUsize,
        fails: std::sync::atomic::AtomicBool,
        gate: tokio::sync::Semaphore,
    }

    impl Source {
        fn new() -> Arc<Self> {
            Arc::new(Self {
                kept: MemoryKeys::new(KeyRing::of(None, key("k1"))),
                reads: AtomicUsize::new(0),
                fails: false.into(),
                gate: tokio::sync::Semaphore::new(1_000),
            })
        }

        async fn rotate_to(&self, name: &str) {
            self.kept.write(&KeyRing::of(None, key(name))).await.unwrap();
        }
    }

    #[async_trait]
    impl KeySource for Source {
        async fn read(&self) -> Result<KeyRing, KeyError> {
            self.reads.fetch_add(1, Ordering::SeqCst);
            self.gate.acquire().await.unwrap().forget();
            if self.fails.load(Ordering::SeqCst) {
                return Err(KeyError::Unreachable("down".to_owned()));
            }
            self.kept.read().await
        }
    }

    fn active(ring: &KeyRing) -> &str {
        ring.active().key_id.as_str()
    }

    #[tokio::test]
    async fn another_key_signs_within_a_minute_and_nothing_is_read_more_often() {
        let source = Source::new();
        let keys = Keys::open(source.clone(), start()).await.unwrap();
        source.rotate_to("k2").await;
        for second in 0..60 {
            assert_eq!(active(&keys.ring(after(second)).await.unwrap()), "k1");
        }
        assert_eq!(source.reads.load(Ordering::SeqCst), 1);
        for second in 60..120 {
            assert_eq!(active(&keys.ring(after(second)).await.unwrap()), "k2");
        }
        assert_eq!(source.reads.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_source_that_fails_is_asked_once_a_minute_and_the_held_key_signs() {
        let source = Source::new();
        let keys = Keys::open(source.clone(), start()).await.unwrap();
        source.fails.store(true, Ordering::SeqCst);
        for second in 60..120 {
            assert_eq!(active(&keys.ring(after(second)).await.unwrap()), "k1");
        }
        assert_eq!(source.reads.load(Ordering::SeqCst), 2);
        source.fails.store(false, Ordering::SeqCst);
        source.rotate_to("k2").await;
        assert_eq!(active(&keys.ring(after(120)).await.unwrap()), "k2");
    }

    #[tokio::test]
    async fn while_one_reads_the_others_sign() {
        let source = Source::new();
        let keys = Keys::open(source.clone(), start()).await.unwrap();
        source.gate.forget_permits(1_000);
        source.rotate_to("k2").await;
        let reader = tokio::spawn({
            let keys = keys.clone();
            async move { keys.ring(after(61)).await }
        });
        while source.reads.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        // The source hangs: whoever comes meanwhile has the key that is held, at once.
        for _ in 0..100 {
            assert_eq!(active(&keys.ring(after(61)).await.unwrap()), "k1");
        }
        assert_eq!(source.reads.load(Ordering::SeqCst), 2);
        source.gate.add_permits(1);
        assert_eq!(active(&reader.await.unwrap().unwrap()), "k2");
    }

    #[tokio::test]
    async fn a_key_made_just_now_is_found_at_once() {
        let source = Source::new();
        let keys = Keys::open(source.clone(), start()).await.unwrap();
        source.kept.write(&KeyRing::of(None, key("k1")).with(key("k2"))).await.unwrap();
        let wanted = KeyId::parse("k2").unwrap();
        assert!(keys.ring(after(1)).await.unwrap().find(&wanted).is_none());
        assert!(keys.ring_with(&wanted, after(1)).await.unwrap().find(&wanted).is_some());
        assert!(Keys::none().ring(start()).await.is_err());
        assert_eq!(active(&Keys::fixed(KeyRing::of(None, key("k3"))).ring(after(1_000)).await.unwrap()), "k3");
    }
}

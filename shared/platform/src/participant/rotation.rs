//! A participant's next key takes over from its last without a message being refused.
//!
//! The new key is put beside the active one where the running functions find it, registered, challenged and
//! served; only when every peer may know it does it become active, and only when nothing signed by the one before
//! can still be under way does that one end.
//!
//! Invariant: at every moment the active key is one that is in force, so a rotation that stops anywhere leaves a
//! participant that works; the next one begins anew with the active key alone.

use std::time::Duration;

use beckn_health_protocol::ids::{KeyId, SubscriberId};
use beckn_health_protocol::registry::{
    Listed, LookupRequest, Registration, SubscribeRequest, SubscribeResponse, Subscription, SubscriptionStatus,
};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::SIGNATURE_LIFETIME_SECONDS;
use super::keys::{KeyError, KeyStore, RING_FRESH_SECONDS};
use super::ring::{KeyRing, RingKey};
use crate::clock::Clock;
use crate::egress::Egress;

/// How long the new key is served before it signs: twice as long as a peer that asked for our keys a moment before
/// waits until it asks again.
pub const SETTLE: SignedDuration = SignedDuration::from_secs(10);
/// Shortest time for which both keys are in force: until functions that still hold the ring of before have read it
/// anew, their last signatures have lapsed, and clocks that differ agree on it.
pub const SHORTEST_OVERLAP: SignedDuration =
    SignedDuration::from_secs(RING_FRESH_SECONDS + SIGNATURE_LIFETIME_SECONDS + 60);
/// How long both keys are in force unless told otherwise: peers cache rows, at most an hour while they cannot ask.
pub const OVERLAP: SignedDuration = SignedDuration::from_hours(2);
/// Pause between two looks at where the new key stands.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks until it is given up: longer than the registry tries.
const LOOKS: u32 = 120;
/// Looks between two questions why it is not served yet: registries count subscriptions.
const ASK_WHY_EVERY: u32 = 15;

/// Whose key is rotated, and where.
pub struct Rotation<'r> {
    /// Where the ring is kept.
    pub store: &'r dyn KeyStore,
    /// Whose ring it is.
    pub subscriber_id: &'r SubscriberId,
    /// Base URL of the registry, without a trailing slash.
    pub registry_url: &'r str,
    /// HTTP to the registry.
    pub egress: &'r Egress,
    /// The current time.
    pub clock: &'r dyn Clock,
    /// How long both keys are in force; at least [`SHORTEST_OVERLAP`].
    pub overlap: SignedDuration,
}

/// How far a rotation got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The new key is kept beside the active one.
    Kept(KeyId),
    /// The registry has been asked to list it.
    Asked,
    /// The registry serves it.
    Served,
    /// It signs.
    Active,
    /// The key before it ends then.
    Ends(KeyId, Timestamp),
}

/// Why a key was not rotated.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The ring cannot be read or written.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The overlap is too short.
    #[error("expected an overlap of {SHORTEST_OVERLAP:#} or more: messages signed by the old key are still under way")]
    Overlap,
    /// The new key has the id of the active one.
    #[error("{0} is the active key: the new one needs another key_id")]
    SameKey(KeyId),
    /// The new key has no encryption half.
    #[error("the new key {0} has no encryption key, which the registry's challenge needs")]
    NoEncryptionKey(KeyId),
    /// The registry does not serve the active key.
    #[error("the registry has no row in force for {0} with the key {1}: join it first")]
    NotListed(SubscriberId, KeyId),
    /// The registry cannot be asked.
    #[error("the registry cannot be asked: {0}")]
    Registry(String),
    /// The registry did not list the new key.
    #[error("the registry does not list {0}: {1}; the key before it is still the active one")]
    LeftOut(KeyId, String),
}

impl Rotation<'_> {
    /// Makes `new` the active key. `tell` hears of every step, `pause` waits.
    ///
    /// # Errors
    /// [`RotationError`]; the key that was active still is unless [`Step::Active`] was told, and then the new one is.
    pub async fn rotate(
        &self,
        new: RingKey,
        mut tell: impl FnMut(Step),
        pause: impl AsyncFn(Duration),
    ) -> Result<(), RotationError> {
        if self.overlap < SHORTEST_OVERLAP {
            return Err(RotationError::Overlap);
        }
        let before = self.store.read().await?.active_alone();
        let old_id = before.active().key_id.clone();
        if new.key_id == old_id {
            return Err(RotationError::SameKey(old_id));
        }
        let encryption = new.encryption.as_ref().ok_or_else(|| RotationError::NoEncryptionKey(new.key_id.clone()))?;
        let listed = self
            .listed(&before, &old_id)
            .await?
            .ok_or_else(|| RotationError::NotListed(self.subscriber_id.clone(), old_id.clone()))?;
        let asked = Subscription {
            key_id: Some(new.key_id.clone()),
            signing_public_key: Some(new.signing.verifying_key().to_base64()),
            encr_public_key: Some(encryption.public_key().to_base64()),
            valid_from: None,
            valid_until: None,
            ..listed.clone()
        };
        let both = before.clone().with(new.clone());
        self.store.write(&both).await?;
        tell(Step::Kept(new.key_id.clone()));

        let body = self.body(asked)?;
        let left_out = |reason: String| RotationError::LeftOut(new.key_id.clone(), reason);
        let mut answer = self.subscribe(&both, Some(&new), &body).await?;
        tell(Step::Asked);
        let mut looks = 0;
        while self.listed(&both, &new.key_id).await?.is_none() {
            if let Some(error) = answer.error {
                return Err(left_out(error.message.unwrap_or_else(|| error.code.to_string())));
            }
            looks += 1;
            if looks == LOOKS {
                return Err(left_out("it took too long".to_owned()));
            }
            pause(LOOK_EVERY).await;
            if looks % ASK_WHY_EVERY == 0 {
                answer = self.subscribe(&both, Some(&new), &body).await?;
            } else {
                answer.error = None;
            }
        }
        tell(Step::Served);
        // Whoever asked for our keys just before this asks again within this time.
        pause(SETTLE.unsigned_abs()).await;

        let active = both.activate(&new.key_id).map_err(KeyError::from)?;
        self.store.write(&active).await?;
        tell(Step::Active);
        let until = self.clock.now().saturating_add(self.overlap).unwrap_or(Timestamp::MAX);
        let body = self.body(Subscription { valid_until: Some(until), ..listed })?;
        self.subscribe(&active, None, &body).await?;
        tell(Step::Ends(old_id, until));
        Ok(())
    }

    /// Our row with this key, if the registry serves one.
    async fn listed(&self, ring: &KeyRing, key_id: &KeyId) -> Result<Option<Subscription>, RotationError> {
        let wanted = LookupRequest {
            subscriber_id: Some(self.subscriber_id.clone()),
            key_id: Some(key_id.clone()),
            ..LookupRequest::default()
        };
        let body = serde_json::to_vec(&wanted).map_err(|error| RotationError::Registry(error.to_string()))?;
        let authorization = ring.sign(self.subscriber_id, &body, self.clock.now());
        let answer = self.post("lookup", vec![("authorization", authorization)], Bytes::from(body)).await?;
        let listed = Listed::parse(&answer).map_err(|fault| RotationError::Registry(fault.to_string()))?;
        Ok(listed.entries.into_iter().find(|row| row.is_in_force(self.clock.now())))
    }

    fn body(&self, row: Subscription) -> Result<Bytes, RotationError> {
        let registration = Registration::from_subscription(Subscription { status: None, ..row })
            .map_err(|fault| RotationError::Registry(format!("its row of ours is not whole: {fault}")))?;
        Ok(Bytes::from(SubscribeRequest::Register(Box::new(registration)).to_bytes()))
    }

    async fn subscribe(
        &self,
        ring: &KeyRing,
        new: Option<&RingKey>,
        body: &Bytes,
    ) -> Result<SubscribeResponse, RotationError> {
        let now = self.clock.now();
        let mut headers = vec![("authorization", ring.sign(self.subscriber_id, body, now))];
        headers.extend(new.map(|new| ("x-new-key-authorization", new.sign(self.subscriber_id, body, now))));
        let answer = self.post("subscribe", headers, body.clone()).await?;
        let answer = SubscribeResponse::parse(&answer).map_err(|fault| RotationError::Registry(fault.to_string()))?;
        match &answer.status {
            SubscriptionStatus::UnderSubscription | SubscriptionStatus::Subscribed => Ok(answer),
            _ => Ok(SubscribeResponse {
                error: answer.error.or_else(|| {
                    let status = answer.status.as_str();
                    let code = beckn_health_protocol::error::Code::PolicyError;
                    Some(beckn_health_protocol::error::Error::new(code, format!("it answered {status}")))
                }),
                status: answer.status,
            }),
        }
    }

    async fn post(
        &self,
        path: &str,
        headers: Vec<(&'static str, String)>,
        body: Bytes,
    ) -> Result<Bytes, RotationError> {
        let failed = |problem: String| RotationError::Registry(format!("{path}: {problem}"));
        let answer = self.egress.post(&format!("{}/{path}", self.registry_url), &headers, body).await;
        let answer = answer.map_err(|error| failed(error.to_string()))?;
        if answer.status == 200 {
            return Ok(answer.body);
        }
        let told = SubscribeResponse::parse(&answer.body).ok().and_then(|told| told.error?.message);
        Err(failed(format!("status {}: {}", answer.status, told.unwrap_or_default())))
    }
}

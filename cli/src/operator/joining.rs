//! A participant joins a network: it asks the registry to list it, is challenged, and hears where it stands
//! (docs/joining.md).
//!
//! Invariant: a participant counts as joined when the registry says SUBSCRIBED, and never because of what it did
//! itself.

use std::time::Duration;

use beckn_health_platform::clock::Clock;
use beckn_health_protocol::fault::Fault;
use beckn_health_protocol::ids::{KeyId, SubscriberId};
use beckn_health_protocol::registry::{
    LookupRequest, Registration, RegistryKeys, SubscribeRequest, SubscribeResponse, Subscription, SubscriptionStatus,
};
use jiff::{SignedDuration, Timestamp};

use super::answering::{Answering, Heard};
use super::registry_client::{AskError, Asker, RegistryClient, Told};

/// Pauses between the first questions where we stand; then [`PAUSE`]. Together they stay below the ten requests a
/// minute that a registry may allow.
const FIRST_PAUSES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];
/// Pause between the later questions.
const PAUSE: Duration = Duration::from_secs(10);
/// How long the announcement is waited for when the registry has already said what it will announce.
const ANNOUNCEMENT: Duration = Duration::from_secs(3);
/// Looks until a new row that is not found in a lookup is said to be missing.
const LOOKS: usize = 6;

/// Who joins, and where.
pub struct Join<'j> {
    /// The participant and the keys it wants listed: the active one.
    pub asker: &'j Asker,
    /// The registry.
    pub registry: &'j RegistryClient,
    /// How it wants to be listed; the id and the keys are those of `asker`.
    pub row: Subscription,
    /// The current time.
    pub clock: &'j dyn Clock,
    /// How long the registry may take to decide.
    pub timeout: SignedDuration,
}

/// How far a participant got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The registry's own keys are known.
    RegistryKeys(SubscriberId, KeyId),
    /// The registry has accepted the signed request, and this is where it stands.
    Accepted(SubscriptionStatus),
    /// The same request came to nothing before, for this reason, and the challenge has been asked for again.
    AskedAgain(String),
    /// What the registry sent, where the challenge is answered by us.
    Heard(Heard),
    /// Still as before.
    Waiting(SubscriptionStatus),
    /// Listed.
    Subscribed,
    /// Whether others find it by a lookup.
    Found(bool),
}

/// Why a participant has not joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The registry cannot be asked.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The key cannot read a challenge.
    #[error(
        "the key {0} has no encryption half, which the registry's challenge needs; make a key with `beckn-health keys new`"
    )]
    NoEncryptionKey(KeyId),
    /// What is asked for is not whole.
    #[error("the request is not whole: {0}")]
    Request(Fault),
    /// The registry does not take the request.
    #[error("the registry refused the request with status {status}: {reason}{advice}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The registry's words.
        reason: String,
        /// What to do about it, after a semicolon; or empty.
        advice: &'static str,
    },
    /// The registry has decided against it.
    #[error("the registry left the participant out ({status}): {reason}")]
    LeftOut {
        /// Where it stands now.
        status: SubscriptionStatus,
        /// The registry's words.
        reason: String,
    },
    /// The registry has not decided in time.
    #[error(
        "the registry had not decided after {waited:#}: it still says {status}; the request stands, so run the command again to hear more"
    )]
    Undecided {
        /// Where it stands.
        status: SubscriptionStatus,
        /// How long it was waited for.
        waited: SignedDuration,
    },
}

impl Join<'_> {
    /// Joins. `tell` hears of every step, `pause` waits, and `answering` is where the challenge is answered, if
    /// it is answered here.
    ///
    /// # Errors
    /// [`JoinError`].
    pub async fn join(
        &self,
        mut answering: Option<&mut Answering>,
        mut tell: impl FnMut(Step),
        pause: impl AsyncFn(Duration),
    ) -> Result<(), JoinError> {
        let body = self.body()?;
        let (RegistryKeys { subscriber_id, key_id, .. }, _) = self.registry.keys().await?;
        tell(Step::RegistryKeys(subscriber_id, key_id));

        let mut answer = understood(self.registry.subscribe(self.asker, body.clone(), self.clock.now()).await?)?;
        if answer.error.is_some() && answer.status != SubscriptionStatus::Subscribed {
            // The answer to the same request of an earlier day.
            let reason = reason(&answer);
            let again = SubscribeRequest::ChallengeAgain.to_bytes();
            answer = understood(self.registry.subscribe(self.asker, again, self.clock.now()).await?)?;
            tell(Step::AskedAgain(reason));
        } else {
            tell(Step::Accepted(answer.status.clone()));
        }

        let started = self.clock.now();
        let mut pauses = FIRST_PAUSES.into_iter();
        let mut announced = false;
        while answer.status != SubscriptionStatus::Subscribed {
            if answer.status != SubscriptionStatus::UnderSubscription || answer.error.is_some() {
                return Err(JoinError::LeftOut { reason: reason(&answer), status: answer.status });
            }
            let waited = self.clock.now().duration_since(started);
            if waited >= self.timeout {
                return Err(JoinError::Undecided { status: answer.status, waited });
            }
            let wait = pauses.next().unwrap_or(PAUSE);
            announced |= hear(answering.as_deref_mut(), &mut tell, pause(wait)).await;
            let told = self.registry.subscribe(self.asker, body.clone(), self.clock.now()).await?;
            if told.status == 429 {
                pause(told.retry_after().unwrap_or(PAUSE)).await;
                continue;
            }
            answer = understood(told)?;
            if answer.status == SubscriptionStatus::UnderSubscription && answer.error.is_none() {
                tell(Step::Waiting(answer.status.clone()));
            }
        }
        if !announced && answering.is_some() {
            hear(answering, &mut tell, pause(ANNOUNCEMENT)).await;
        }
        tell(Step::Subscribed);
        tell(Step::Found(self.found(&pause).await));
        Ok(())
    }

    /// The bytes of the request, the same each time: another nonce would be no other request.
    fn body(&self) -> Result<Vec<u8>, JoinError> {
        let key = self.asker.ring.active();
        let encryption = key.encryption.as_ref().ok_or_else(|| JoinError::NoEncryptionKey(key.key_id.clone()))?;
        let row = Subscription {
            subscriber_id: Some(self.asker.subscriber_id.clone()),
            key_id: Some(key.key_id.clone()),
            signing_public_key: Some(key.signing.verifying_key().to_base64()),
            encr_public_key: Some(encryption.public_key().to_base64()),
            ..self.row.clone()
        };
        let registration = Registration::from_subscription(row).map_err(JoinError::Request)?;
        Ok(SubscribeRequest::Register(Box::new(registration)).to_bytes())
    }

    /// Whether a lookup finds us with this key: of a registry that takes a moment, a moment later.
    async fn found(&self, pause: &impl AsyncFn(Duration)) -> bool {
        let wanted = LookupRequest {
            subscriber_id: Some(self.asker.subscriber_id.clone()),
            key_id: Some(self.asker.ring.active().key_id.clone()),
            ..LookupRequest::default()
        };
        for look in 0..LOOKS {
            if look > 0 {
                pause(Duration::from_secs(1)).await;
            }
            let now: Timestamp = self.clock.now();
            let rows = self.registry.lookup(self.asker, &wanted, now).await;
            if rows.is_ok_and(|rows| rows.iter().any(|row| row.is_in_force(now))) {
                return true;
            }
        }
        false
    }
}

/// Tells what is heard during a pause, which an announcement ends; whether there was one.
async fn hear(answering: Option<&mut Answering>, tell: &mut impl FnMut(Step), pause: impl Future<Output = ()>) -> bool {
    let Some(answering) = answering else {
        pause.await;
        return false;
    };
    tokio::pin!(pause);
    loop {
        tokio::select! {
            biased;
            heard = answering.next() => match heard {
                Some(heard) => {
                    let is_announcement = matches!(heard, Heard::Announcement(..));
                    tell(Step::Heard(heard));
                    if is_announcement {
                        return true;
                    }
                }
                None => {
                    pause.await;
                    return false;
                }
            },
            () = &mut pause => return false,
        }
    }
}

/// The answer to a subscription, or why there is none.
fn understood(told: Told) -> Result<SubscribeResponse, JoinError> {
    let refused = |reason: String| {
        let advice = match told.status {
            401 if reason.contains("is registered") => {
                "; the participant is listed with another key: `beckn-health keys rotate` lists a new one"
            }
            401 => "; check that this machine's clock is right and that the key file is that of the participant",
            404 | 405 => "; is --registry the base URL, without /subscribe?",
            429 => "; wait a minute",
            _ => "",
        };
        JoinError::Refused { status: told.status, reason, advice }
    };
    if told.status != 200 {
        return Err(refused(told.reason()));
    }
    SubscribeResponse::parse(&told.body).map_err(|fault| refused(format!("the answer cannot be read: {fault}")))
}

fn reason(answer: &SubscribeResponse) -> String {
    let error = answer.error.as_ref();
    error.map_or_else(
        || "without a reason".to_owned(),
        |error| error.message.clone().unwrap_or_else(|| error.code.to_string()),
    )
}

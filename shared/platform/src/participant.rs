//! Who we are on the network: our subscriber row and the key that signs for it.
//!
//! Invariant: the private key lives only here and never appears in `Debug` output.

use beckn_health_protocol::ids::{KeyId, SubscriberId};
use beckn_health_protocol::registry::SubscriberType;
use beckn_health_protocol::signature::{self, SigningKey};
use jiff::Timestamp;

/// How long our signatures live, in seconds. BECKN-006 ties it to the request's TTL; peers accept
/// five minutes and shorter lifetimes fail on their clock skew.
pub const SIGNATURE_LIFETIME_SECONDS: i64 = 300;

/// A participant of the network that we run.
#[derive(Debug, Clone)]
pub struct Participant {
    /// Our subscriber id: `bap_id` or `bpp_id` of the messages we send.
    pub subscriber_id: SubscriberId,
    /// The base URL at which peers reach us, without a trailing slash.
    pub url: String,
    /// The id of the key in the registry.
    pub key_id: KeyId,
    /// What we are on the network.
    pub role: SubscriberType,
    /// The signing key; only functions that send signed messages are given it.
    pub signing_key: Option<SigningKey>,
}

/// A function that must sign was deployed without its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this function has no signing key: SIGNING_KEY_SECRET is not set")]
pub struct NoSigningKey;

impl Participant {
    /// The `Authorization` (or `X-Gateway-Authorization`) header for exactly these bytes.
    ///
    /// # Errors
    /// This function was not given the signing key.
    pub fn sign(&self, body: &[u8], now: Timestamp) -> Result<String, NoSigningKey> {
        let created = now.as_second();
        let signing_key = self.signing_key.as_ref().ok_or(NoSigningKey)?;
        Ok(signature::sign(
            body,
            &self.subscriber_id,
            &self.key_id,
            signing_key,
            created,
            created + SIGNATURE_LIFETIME_SECONDS,
        ))
    }
}

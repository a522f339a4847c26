//! Who we are on the network: our subscriber id, our URL and the keys that sign for us.
//!
//! Invariant: a private key lives only in a [`KeyRing`] and never appears in `Debug` output; what is signed
//! names the key that signed it.

pub mod keys;
pub mod ring;
pub mod rotation;
pub mod secret;

use beckn_health_protocol::ids::SubscriberId;
use beckn_health_protocol::registry::SubscriberType;
use jiff::Timestamp;

use keys::{Keys, NoSigningKey};
#[cfg(doc)]
use ring::KeyRing;

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
    /// What we are on the network.
    pub role: SubscriberType,
    /// Our keys; only functions that send signed messages are given any.
    pub keys: Keys,
}

impl Participant {
    /// The `Authorization` (or `X-Gateway-Authorization`) header for exactly these bytes, by the active key.
    ///
    /// At most once a minute a call waits until the keys have been read anew, so that a rotation needs no
    /// deployment; all others sign with what is held.
    ///
    /// # Errors
    /// This function was not given a signing key.
    pub async fn sign(&self, body: &[u8], now: Timestamp) -> Result<String, NoSigningKey> {
        Ok(self.keys.ring(now).await?.sign(&self.subscriber_id, body, now))
    }
}

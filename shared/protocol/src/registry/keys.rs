//! `GET /registry/keys`: the registry's own keys, for those it is to be believed by.

use serde::Serialize;
use serde_json::Value;

use crate::challenge::EncryptionPublicKey;
use crate::fault::Fault;
use crate::ids::{KeyId, SubscriberId};
use crate::json;
use crate::signature::VerifyingKey;

use super::Subscription;
use super::subscribe::{encryption_key, required, signing_key};

/// The keys a registry signs and encrypts with.
///
/// Registry API 1.1.0 lets the registry sign its `on_subscribe` and does not say where its keys are had: a
/// newcomer cannot look them up before it is listed. The answer of `GET /registry/keys` is this project's; its
/// fields are those of a `Subscription`, and the keys are read in the encodings of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegistryKeys {
    /// The registry.
    pub subscriber_id: SubscriberId,
    /// The name of its pair of keys.
    pub key_id: KeyId,
    /// The key that verifies its signatures.
    pub signing_public_key: VerifyingKey,
    /// The key that a challenge of its is agreed with.
    pub encr_public_key: EncryptionPublicKey,
}

impl RegistryKeys {
    /// Reads a registry's answer; a whole `Subscription` in any of the known forms will do.
    ///
    /// # Errors
    /// [`Fault`] when the body is no object, or with the field that is missing or no key.
    pub fn parse(body: &[u8]) -> Result<Self, Fault> {
        let entry = Subscription::from_value(Value::Object(json::parse_object(body)?))?;
        Ok(Self {
            subscriber_id: required(entry.subscriber_id, "subscriber_id", "an identifier")?,
            key_id: required(entry.key_id, "key_id", "an identifier")?,
            signing_public_key: signing_key(entry.signing_public_key)?,
            encr_public_key: encryption_key(entry.encr_public_key)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let written = json!({
            "subscriber_id": "registry.example",
            "key_id": "k-1",
            "signing_public_key": "awGPjRK6i/Vg/lWr+0xObclVxlwZXvTjWYtlu6NeOHk=",
            "encr_public_key": "B6tIx/D3UhFSQB8iqdhOiOCJb4SbOh/qQM4auav9iTg="
        });
        let keys = RegistryKeys::parse(written.to_string().as_bytes()).unwrap();
        assert_eq!(serde_json::to_value(&keys).unwrap(), written);
        for field in ["subscriber_id", "key_id", "signing_public_key", "encr_public_key"] {
            let mut without = written.clone();
            without.as_object_mut().unwrap().remove(field);
            assert_eq!(RegistryKeys::parse(without.to_string().as_bytes()).unwrap_err().path, field);
        }
    }
}

//! A participant's private keys, as a secret of Secrets Manager or a file of the local network holds them.
//!
//! The document is `{"subscriber_id"?, "keys": [{"key_id", "signing_private_key", "encr_private_key"?}],
//! "active": "<key id>"}`. Two older forms are read too: the Base64 of one signing key, and
//! `{"subscriber_id", "key_id", "signing_private_key", "encr_private_key"?}`.
//!
//! Invariant: a [`KeyRing`] holds each key id once and always holds the key that is active.

use std::fmt;

use beckn_health_protocol::challenge::{EncryptionKey, InvalidEncryptionKey};
use beckn_health_protocol::ids::{KeyId, SubscriberId};
use beckn_health_protocol::signature::{self, InvalidKey, SigningKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::SIGNATURE_LIFETIME_SECONDS;

/// One key of a participant: what signs its messages, and what reads the registry's challenges.
#[derive(Debug, Clone)]
pub struct RingKey {
    /// The id under which the registry knows it.
    pub key_id: KeyId,
    /// Signs.
    pub signing: SigningKey,
    /// Reads challenges; absent in secrets made before there were any.
    pub encryption: Option<EncryptionKey>,
}

impl RingKey {
    /// The key of two seeds, which the caller draws from a secure random source.
    #[must_use]
    pub fn generate(key_id: KeyId, signing_seed: [u8; 32], encryption_seed: [u8; 32]) -> Self {
        let encryption = Some(EncryptionKey::generate(encryption_seed));
        Self { key_id, signing: SigningKey::generate(signing_seed), encryption }
    }
}

/// The keys of one participant, of which one is active.
#[derive(Debug, Clone)]
pub struct KeyRing {
    /// Whose keys they are, where the document says so.
    pub subscriber_id: Option<SubscriberId>,
    active: RingKey,
    others: Vec<RingKey>,
}

/// Why a text is no key ring. It never repeats the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRing {
    /// Neither a JSON object of a known form nor Base64.
    #[error("expected the Base64 of a signing key, or an object with keys and active: {0}")]
    Form(String),
    /// The Base64 of a key names no key id, and none is configured.
    #[error("the secret holds a signing key without its id: set KEY_ID, or use the form with keys and active")]
    NoKeyId,
    /// A signing key cannot be used.
    #[error("signing_private_key of {0}: {1}")]
    Signing(KeyId, InvalidKey),
    /// An encryption key cannot be used.
    #[error("encr_private_key of {0}: {1}")]
    Encryption(KeyId, InvalidEncryptionKey),
    /// A key id stands twice.
    #[error("keys: {0} is there twice")]
    Twice(KeyId),
    /// No key has the id that is named active.
    #[error("active: expected the id of one of the keys, found {0}")]
    NoSuchKey(KeyId),
}

/// The document of a ring.
#[derive(Serialize, Deserialize)]
struct Document {
    #[serde(skip_serializing_if = "Option::is_none")]
    subscriber_id: Option<SubscriberId>,
    keys: Vec<DocumentKey>,
    active: KeyId,
}

#[derive(Serialize, Deserialize)]
struct DocumentKey {
    key_id: KeyId,
    signing_private_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    encr_private_key: Option<String>,
}

/// The form with one key.
#[derive(Deserialize)]
struct Single {
    subscriber_id: Option<SubscriberId>,
    #[serde(flatten)]
    key: DocumentKey,
}

impl KeyRing {
    /// A ring with one key.
    #[must_use]
    pub fn of(subscriber_id: Option<SubscriberId>, key: RingKey) -> Self {
        Self { subscriber_id, active: key, others: Vec::new() }
    }

    /// Reads any of the three forms; `key_id` is the id of a key that is given as Base64 alone.
    ///
    /// # Errors
    /// [`InvalidRing`] names what is wrong.
    pub fn parse(document: &[u8], key_id: Option<&KeyId>) -> Result<Self, InvalidRing> {
        let text = std::str::from_utf8(document).map_err(|_| InvalidRing::Form("it is not UTF-8".to_owned()))?.trim();
        if !text.starts_with('{') {
            let key_id = key_id.ok_or(InvalidRing::NoKeyId)?.clone();
            let signing =
                SigningKey::from_base64(text).map_err(|problem| InvalidRing::Signing(key_id.clone(), problem))?;
            return Ok(Self::of(None, RingKey { key_id, signing, encryption: None }));
        }
        // The position alone: the reader's own words may quote what it found.
        let form = |error: serde_json::Error| {
            InvalidRing::Form(format!("the object is not of that form (line {})", error.line()))
        };
        let value: serde_json::Value = serde_json::from_str(text).map_err(form)?;
        if value.get("keys").is_none() {
            let Single { subscriber_id, key } = serde_json::from_value(value).map_err(form)?;
            return Ok(Self::of(subscriber_id, key.read()?));
        }
        let Document { subscriber_id, keys, active } = serde_json::from_value(value).map_err(form)?;
        let mut others: Vec<RingKey> = Vec::with_capacity(keys.len());
        for key in keys {
            if others.iter().any(|known| known.key_id == key.key_id) {
                return Err(InvalidRing::Twice(key.key_id));
            }
            others.push(key.read()?);
        }
        let Some(place) = others.iter().position(|key| key.key_id == active) else {
            return Err(InvalidRing::NoSuchKey(active));
        };
        let active = others.remove(place);
        Ok(Self { subscriber_id, active, others })
    }

    /// The document of this ring: the secrets themselves.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let document = Document {
            subscriber_id: self.subscriber_id.clone(),
            keys: self.keys().map(DocumentKey::write).collect(),
            active: self.active.key_id.clone(),
        };
        // Text and lists alone: this cannot fail.
        serde_json::to_vec_pretty(&document).unwrap_or_default()
    }

    /// The key that signs.
    #[must_use]
    pub fn active(&self) -> &RingKey {
        &self.active
    }

    /// Every key, the active one first.
    pub fn keys(&self) -> impl Iterator<Item = &RingKey> {
        std::iter::once(&self.active).chain(&self.others)
    }

    /// The key with this id.
    #[must_use]
    pub fn find(&self, key_id: &KeyId) -> Option<&RingKey> {
        self.keys().find(|key| key.key_id == *key_id)
    }

    /// This ring with another key, which is not active. A key with the same id is replaced, the active one
    /// excepted.
    #[must_use]
    pub fn with(mut self, key: RingKey) -> Self {
        if key.key_id != self.active.key_id {
            self.others.retain(|known| known.key_id != key.key_id);
            self.others.push(key);
        }
        self
    }

    /// This ring with the key of that id as the active one.
    ///
    /// # Errors
    /// [`InvalidRing::NoSuchKey`].
    pub fn activate(mut self, key_id: &KeyId) -> Result<Self, InvalidRing> {
        if self.active.key_id == *key_id {
            return Ok(self);
        }
        let place = self.others.iter().position(|key| key.key_id == *key_id);
        let place = place.ok_or_else(|| InvalidRing::NoSuchKey(key_id.clone()))?;
        let before = std::mem::replace(&mut self.active, self.others.remove(place));
        self.others.push(before);
        Ok(self)
    }

    /// This ring with its active key alone.
    #[must_use]
    pub fn active_alone(mut self) -> Self {
        self.others.clear();
        self
    }

    /// The header over exactly these bytes by the active key, in force for [`SIGNATURE_LIFETIME_SECONDS`].
    #[must_use]
    pub fn sign(&self, subscriber_id: &SubscriberId, body: &[u8], now: Timestamp) -> String {
        self.active.sign(subscriber_id, body, now)
    }
}

impl RingKey {
    /// The header over exactly these bytes by this key.
    #[must_use]
    pub fn sign(&self, subscriber_id: &SubscriberId, body: &[u8], now: Timestamp) -> String {
        let created = now.as_second();
        signature::sign(
            body,
            subscriber_id,
            &self.key_id,
            &self.signing,
            created,
            created.saturating_add(SIGNATURE_LIFETIME_SECONDS),
        )
    }
}

impl DocumentKey {
    fn read(self) -> Result<RingKey, InvalidRing> {
        let Self { key_id, signing_private_key, encr_private_key } = self;
        let signing = SigningKey::from_base64(&signing_private_key)
            .map_err(|problem| InvalidRing::Signing(key_id.clone(), problem))?;
        let encryption = encr_private_key
            .map(|text| EncryptionKey::from_base64(&text))
            .transpose()
            .map_err(|problem| InvalidRing::Encryption(key_id.clone(), problem))?;
        Ok(RingKey { key_id, signing, encryption })
    }

    fn write(key: &RingKey) -> Self {
        Self {
            key_id: key.key_id.clone(),
            signing_private_key: key.signing.to_base64(),
            encr_private_key: key.encryption.as_ref().map(EncryptionKey::to_base64),
        }
    }
}

impl fmt::Debug for DocumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentKey").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use beckn_health_protocol::signature::{AuthorizationHeader, verify};

    fn id(text: &str) -> KeyId {
        KeyId::parse(text).unwrap()
    }

    fn key(name: &str, seed: u8) -> RingKey {
        RingKey::generate(id(name), [seed; 32], [seed ^ 0xff; 32])
    }

    fn ring() -> KeyRing {
        KeyRing::of(Some(SubscriberId::parse("bap.example").unwrap()), key("k1", 1)).with(key("k2", 2))
    }

    #[test]
    fn a_ring_is_read_as_it_was_written() {
        let ring = ring().activate(&id("k2")).unwrap();
        let read = KeyRing::parse(&ring.to_json(), None).unwrap();
        assert_eq!(read.subscriber_id, ring.subscriber_id);
        assert_eq!(read.active().key_id, id("k2"));
        let secrets = |ring: &KeyRing| -> Vec<_> {
            ring.keys()
                .map(|key| (key.key_id.clone(), key.signing.to_base64(), key.encryption.as_ref().unwrap().to_base64()))
                .collect()
        };
        assert_eq!(secrets(&read), secrets(&ring));
    }

    #[test]
    fn the_older_forms_are_read() {
        let key = key("k7", 7);
        let plain = key.signing.to_base64();
        let ring = KeyRing::parse(format!("{plain}\n").as_bytes(), Some(&id("from-env"))).unwrap();
        assert_eq!((ring.active().key_id.as_str(), ring.active().signing.to_base64()), ("from-env", plain.clone()));
        assert_eq!(KeyRing::parse(plain.as_bytes(), None).unwrap_err(), InvalidRing::NoKeyId);
        let single = format!(r#"{{"subscriber_id":"bap.example","key_id":"k7","signing_private_key":"{plain}"}}"#);
        // What the document says counts before what the environment says.
        let ring = KeyRing::parse(single.as_bytes(), Some(&id("from-env"))).unwrap();
        assert_eq!(ring.active().key_id, id("k7"));
        assert!(ring.active().encryption.is_none());
    }

    #[test]
    fn what_is_no_ring_is_named_and_never_shown() {
        let good = String::from_utf8(ring().to_json()).unwrap();
        let broken = |from: &str, to: &str| KeyRing::parse(good.replace(from, to).as_bytes(), None).unwrap_err();
        assert_eq!(broken(r#""active": "k1""#, r#""active": "k9""#), InvalidRing::NoSuchKey(id("k9")));
        assert_eq!(broken(r#""key_id": "k2""#, r#""key_id": "k1""#), InvalidRing::Twice(id("k1")));
        assert!(matches!(broken("signing_private_key\": \"", "signing_private_key\": \"!"), InvalidRing::Signing(..)));
        assert!(matches!(broken("encr_private_key\": \"", "encr_private_key\": \"!"), InvalidRing::Encryption(..)));
        let secret = ring().active().signing.to_base64();
        for text in
            [format!("{{\"keys\": \"{secret}\"}}"), format!("{{{secret}"), format!("{{\"key_id\":\"{secret}\"}}")]
        {
            let problem = KeyRing::parse(text.as_bytes(), None).unwrap_err().to_string();
            assert!(!problem.contains(&secret), "{problem}");
        }
        let shown = format!("{:?}", ring());
        assert!(!shown.contains(&secret) && shown.contains("redacted"), "{shown}");
    }

    #[test]
    fn the_active_key_signs_and_is_never_lost() {
        let subscriber = SubscriberId::parse("bap.example").unwrap();
        let now: Timestamp = "2026-11-23T03:00:00Z".parse().unwrap();
        let rotated = ring().activate(&id("k2")).unwrap();
        let header = rotated.sign(&subscriber, b"{}", now);
        let header = AuthorizationHeader::parse(&header).unwrap();
        assert_eq!((header.key_id.key_id.as_str(), header.expires - header.created), ("k2", 300));
        verify(&header, b"{}", &key("k2", 2).signing.verifying_key()).unwrap();
        assert!(rotated.find(&id("k1")).is_some());
        assert_eq!(rotated.clone().active_alone().keys().count(), 1);
        assert!(ring().activate(&id("k9")).is_err());
        // A key under the id of the active one does not take its place.
        let same = ring().with(key("k1", 9));
        assert_eq!(same.active().signing.to_base64(), key("k1", 1).signing.to_base64());
    }
}

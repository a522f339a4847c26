//! Ed25519 keys in the encodings the networks use.
//!
//! Invariant: a [`VerifyingKey`] is a point of large order, so no signature verifies under it by accident
//! of the curve; a [`SigningKey`] never shows its secret in `Debug`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// The DER prefix of an Ed25519 SubjectPublicKeyInfo (RFC 8410), before the 32 bytes of the key.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Why a text is no key. It never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Not Base64.
    #[error("expected a key in standard Base64")]
    Encoding,
    /// Not a length a key has.
    #[error("expected {expected} bytes, found {found}")]
    Length {
        /// The lengths accepted.
        expected: &'static str,
        /// The length found.
        found: usize,
    },
    /// 44 bytes that are not the DER of an Ed25519 public key.
    #[error("expected the DER of an Ed25519 public key (OID 1.3.101.112), found another")]
    NotEd25519,
    /// The 32 bytes are no point of the curve, or one of small order.
    #[error("expected an Ed25519 public key, found bytes that are none or a weak one")]
    Weak,
    /// The public half of a 64-byte key does not belong to its seed.
    #[error("expected the public half to belong to the seed, found another")]
    HalvesDiffer,
}

/// A private Ed25519 key.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// Reads the Base64 of a 32-byte seed or of a 64-byte seed and public key, the two forms in use.
    ///
    /// # Errors
    /// [`InvalidKey`] when the text is neither, or the two halves do not belong together.
    pub fn from_base64(text: &str) -> Result<Self, InvalidKey> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| InvalidKey::Encoding)?);
        let length = InvalidKey::Length { expected: "32 (seed) or 64 (seed and public key)", found: bytes.len() };
        let Some((seed, public)) = bytes.split_first_chunk::<32>() else {
            return Err(length);
        };
        let key = Self::generate(*seed);
        match public.len() {
            0 => Ok(key),
            32 if public == key.0.verifying_key().as_bytes() => Ok(key),
            32 => Err(InvalidKey::HalvesDiffer),
            _ => Err(length),
        }
    }

    /// The key of a seed. The caller draws the seed from a secure random source.
    #[must_use]
    pub fn generate(seed: [u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&seed))
    }

    /// The 64-byte seed and public key in Base64, the form of BECKN-006. This is the secret itself.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0.to_keypair_bytes())
    }

    /// The public key.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(self.0.verifying_key())
    }

    /// Signs a text.
    pub(crate) fn sign(&self, text: &[u8]) -> [u8; 64] {
        self.0.sign(text).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(<redacted>)")
    }
}

/// A public Ed25519 key that is not weak.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey(ed25519_dalek::VerifyingKey);

impl VerifyingKey {
    /// Reads the Base64 of the 32 bytes of the key, or of its SubjectPublicKeyInfo DER.
    ///
    /// # Errors
    /// [`InvalidKey`] when the text is neither, or the key is of small order.
    pub fn from_base64(text: &str) -> Result<Self, InvalidKey> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| InvalidKey::Encoding)?;
        let raw = match bytes.len() {
            32 => bytes.as_slice(),
            44 => bytes.strip_prefix(&SPKI_PREFIX).ok_or(InvalidKey::NotEd25519)?,
            found => return Err(InvalidKey::Length { expected: "32 (key) or 44 (DER)", found }),
        };
        let raw: &[u8; 32] = raw.try_into().map_err(|_| InvalidKey::NotEd25519)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(raw).map_err(|_| InvalidKey::Weak)?;
        if key.is_weak() { Err(InvalidKey::Weak) } else { Ok(Self(key)) }
    }

    /// The Base64 of the 32 bytes of the key, the registry's form.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0.as_bytes())
    }

    /// Whether this key made the signature of the text, by the strict rule that leaves no second valid
    /// signature for the same text.
    pub(crate) fn verifies(&self, text: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(text, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.to_base64())
    }
}

impl Serialize for VerifyingKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_base64())
    }
}

impl<'de> Deserialize<'de> for VerifyingKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_base64(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

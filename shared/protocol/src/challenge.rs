//! The challenge by which a registry makes sure that a participant holds its encryption key.
//!
//! Registry API 1.1.0 has the challenge and its `answer` but names no cipher; this is the one that the
//! deployed registries (the reference Beckn registry and ONDC's) agree on: the raw X25519 shared secret of
//! the two encryption keys is the key of AES-256 in ECB mode with PKCS7 filling, and the result is written in
//! standard Base64. ECB hides nothing of a text that repeats itself: it is fit for one short random text and
//! for nothing else.
//!
//! Invariant: no text is encrypted or decrypted under a shared secret that a third party knows, so a public
//! key of small order is no [`EncryptionPublicKey`]; an [`EncryptionKey`] never shows its secret in `Debug`
//! and leaves no copy of it behind in memory.

use std::fmt;

use aes::Aes256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cipher::block_padding::{Pkcs7, RawPadding as _};
use cipher::{BlockDecrypt as _, BlockEncrypt as _, KeyInit as _};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use x25519_dalek::{PublicKey, SharedSecret, StaticSecret};
use zeroize::Zeroizing;

/// The length of a block of AES, in bytes.
const BLOCK: usize = 16;

/// The DER prefix of an X25519 SubjectPublicKeyInfo (RFC 8410), before the 32 bytes of the key.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00];

/// What follows the version in the PKCS8 DER of an X25519 key (RFC 8410), before the 32 bytes of the key.
const PKCS8_INNER: [u8; 11] = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x04, 0x22, 0x04, 0x20];

/// What precedes the public key at the end of a PKCS8 DER of version 1 (RFC 5958), where there is one.
const PKCS8_PUBLIC: [u8; 3] = [0x81, 0x21, 0x00];

/// Why a text is no encryption key. It never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEncryptionKey {
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
    /// As long as a DER could be, but not the DER of an X25519 key.
    #[error("expected the DER of an X25519 key (OID 1.3.101.110), found another")]
    NotX25519,
    /// The point has small order: every shared secret with it is zero.
    #[error("expected an X25519 public key, found a point of small order")]
    SmallOrder,
    /// The public half of a private key is not the one that belongs to it.
    #[error("expected the public half to belong to the private key, found another")]
    HalvesDiffer,
}

/// Why a challenge cannot be written or read. It never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// The shared secret is zero: the public key has small order.
    #[error("expected a public key of large order, found one whose shared secret is zero")]
    SmallOrder,
    /// Not Base64.
    #[error("expected the challenge in standard Base64")]
    Encoding,
    /// Not a whole number of blocks.
    #[error("expected the challenge to be one or more blocks of {BLOCK} bytes, found {found} bytes")]
    Length {
        /// The length found, in bytes.
        found: usize,
    },
    /// What came out is no text with a known filling: other keys encrypted it, or the cipher is another.
    #[error("expected a text under AES-256-ECB and the shared secret of the two keys, found none")]
    Unreadable,
}

/// A private X25519 key.
#[derive(Clone)]
pub struct EncryptionKey(StaticSecret);

impl EncryptionKey {
    /// Reads the Base64 of the 32 bytes of the key, or of its PKCS8 DER of version 0 or 1.
    ///
    /// Deployed key makers write version 1 without the public key that version is for; such a key is read
    /// all the same. Where the public key is there it must be the right one.
    ///
    /// # Errors
    /// [`InvalidEncryptionKey`] when the text is neither.
    pub fn from_base64(text: &str) -> Result<Self, InvalidEncryptionKey> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| InvalidEncryptionKey::Encoding)?);
        if let Ok(raw) = <[u8; 32]>::try_from(bytes.as_slice()) {
            return Ok(Self::generate(raw));
        }
        if bytes.len() < 48 {
            return Err(InvalidEncryptionKey::Length { expected: "32 (key) or 48 and more (DER)", found: bytes.len() });
        }
        Self::from_pkcs8(&bytes)
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, InvalidEncryptionKey> {
        let [0x30, length, 0x02, 0x01, 0x00 | 0x01, rest @ ..] = der else {
            return Err(InvalidEncryptionKey::NotX25519);
        };
        // Up to 127 bytes the length is one byte; a private key with nothing but its public half is 83.
        if usize::from(*length) + 2 != der.len() || *length > 127 {
            return Err(InvalidEncryptionKey::NotX25519);
        }
        let (raw, rest) = rest
            .strip_prefix(&PKCS8_INNER)
            .and_then(|rest| rest.split_first_chunk::<32>())
            .ok_or(InvalidEncryptionKey::NotX25519)?;
        let key = Self::generate(*raw);
        match rest.strip_prefix(&PKCS8_PUBLIC) {
            Some(public) if public != key.public_key().0.as_bytes() => Err(InvalidEncryptionKey::HalvesDiffer),
            _ => Ok(key),
        }
    }

    /// The key of a seed. The caller draws the seed from a secure random source.
    #[must_use]
    pub fn generate(seed: [u8; 32]) -> Self {
        Self(StaticSecret::from(seed))
    }

    /// The Base64 of the 32 bytes of the key. This is the secret itself.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0.as_bytes())
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> EncryptionPublicKey {
        EncryptionPublicKey(PublicKey::from(&self.0))
    }

    /// The secret both sides come to.
    fn agree(&self, theirs: &EncryptionPublicKey) -> Result<SharedSecret, ChallengeError> {
        let secret = self.0.diffie_hellman(&theirs.0);
        if secret.was_contributory() { Ok(secret) } else { Err(ChallengeError::SmallOrder) }
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptionKey(<redacted>)")
    }
}

/// A public X25519 key that is not of small order: the registry's `encr_public_key`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EncryptionPublicKey(PublicKey);

impl EncryptionPublicKey {
    /// Reads the Base64 of the 32 bytes of the key, or of its SubjectPublicKeyInfo DER.
    ///
    /// # Errors
    /// [`InvalidEncryptionKey`] when the text is neither, or the key is of small order.
    pub fn from_base64(text: &str) -> Result<Self, InvalidEncryptionKey> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| InvalidEncryptionKey::Encoding)?;
        let raw = match bytes.len() {
            32 => bytes.as_slice(),
            44 => bytes.strip_prefix(&SPKI_PREFIX).ok_or(InvalidEncryptionKey::NotX25519)?,
            found => return Err(InvalidEncryptionKey::Length { expected: "32 (key) or 44 (DER)", found }),
        };
        let raw: [u8; 32] = raw.try_into().map_err(|_| InvalidEncryptionKey::NotX25519)?;
        let key = PublicKey::from(raw);
        // Every private key is a multiple of the cofactor, so any of them takes a point of small order to zero.
        let any = StaticSecret::from([1; 32]);
        if any.diffie_hellman(&key).was_contributory() { Ok(Self(key)) } else { Err(InvalidEncryptionKey::SmallOrder) }
    }

    /// The Base64 of the 32 bytes of the key, the registry's form.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0.as_bytes())
    }
}

impl fmt::Debug for EncryptionPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptionPublicKey({})", self.to_base64())
    }
}

impl Serialize for EncryptionPublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_base64())
    }
}

impl<'de> Deserialize<'de> for EncryptionPublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_base64(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Encrypts a challenge that the holder of `theirs` can read, and who else can is only the holder of `ours`.
///
/// # Errors
/// [`ChallengeError::SmallOrder`] when the two keys share no secret.
pub fn encrypt(plain: &str, ours: &EncryptionKey, theirs: &EncryptionPublicKey) -> Result<String, ChallengeError> {
    let cipher = cipher(&ours.agree(theirs)?);
    Ok(STANDARD.encode(cipher.encrypt_padded_vec::<Pkcs7>(plain.as_bytes())))
}

/// Decrypts a challenge from the holder of `theirs`.
///
/// One deployed helper fills the last block with spaces and adds nothing to a full one; such a text is read
/// too, without the spaces at its end. The two fillings cannot be taken for each other: the last byte of a
/// PKCS7 filling is at most 16, a control character that no challenge ends with.
///
/// # Errors
/// [`ChallengeError`] when the text is no Base64 of whole blocks, or nothing readable comes out.
pub fn decrypt(
    cipher_text: &str,
    ours: &EncryptionKey,
    theirs: &EncryptionPublicKey,
) -> Result<String, ChallengeError> {
    let cipher = cipher(&ours.agree(theirs)?);
    let mut bytes = Zeroizing::new(STANDARD.decode(cipher_text.trim()).map_err(|_| ChallengeError::Encoding)?);
    if bytes.is_empty() || bytes.len() % BLOCK != 0 {
        return Err(ChallengeError::Length { found: bytes.len() });
    }
    for block in bytes.chunks_exact_mut(BLOCK) {
        cipher.decrypt_block(block.into());
    }
    let (head, last) = bytes.split_last_chunk::<BLOCK>().ok_or(ChallengeError::Unreadable)?;
    let (text, spaced) = match Pkcs7::raw_unpad(last) {
        Ok(last) => (bytes.get(..head.len() + last.len()), false),
        Err(_) => (Some(bytes.as_slice()), true),
    };
    let text = text.and_then(|text| std::str::from_utf8(text).ok()).ok_or(ChallengeError::Unreadable)?;
    match text {
        text if !spaced => Ok(text.to_owned()),
        // Without a filling to check, this is what tells a text from noise.
        text if text.chars().any(char::is_control) => Err(ChallengeError::Unreadable),
        text => Ok(text.trim_end_matches(' ').to_owned()),
    }
}

fn cipher(secret: &SharedSecret) -> Aes256 {
    Aes256::new(secret.as_bytes().into())
}

#[cfg(test)]
mod tests;

//! Signed requests, as BECKN-006 defines them.
//!
//! The sender digests the exact bytes of the body (BLAKE2b-512), writes three lines (`created`,
//! `expires`, `digest`), signs them with Ed25519 and puts the result in an `Authorization` header.
//!
//! Invariant: a signature is only ever checked over the bytes received, with the header's own `created`
//! and `expires`; one form of the header is accepted, one algorithm, one list of signed headers.

mod error;
mod explanation;
mod header;
mod key;
mod mistake;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blake2::{Blake2b512, Digest as _};

use crate::ids::{KeyId, SubscriberId};

pub use error::SignatureError;
pub use explanation::{Explanation, Outcome, Part, Step, Verdict, explain};
pub use header::{Algorithm, AuthorizationHeader, KeyIdTriple, MAX_HEADER_BYTES, SIGNED_HEADERS};
pub use key::{InvalidKey, SigningKey, VerifyingKey};
pub use mistake::{JsonForm, Mistake};

/// How far ahead of our clock a sender's `created` may be, in seconds.
///
/// BECKN-006 allows none; networks found five seconds to be what real clocks need.
pub const MAX_SKEW_SECONDS: i64 = 5;

/// The longest lifetime of a signature, in seconds: one hour, and the minute by which deployed peers
/// backdate `created`.
pub const MAX_LIFETIME_SECONDS: i64 = 3_660;

/// The digest of a body: Base64 of its BLAKE2b-512 (BECKN-006 labels it `BLAKE-512`).
#[must_use]
pub fn digest(body: &[u8]) -> String {
    STANDARD.encode(Blake2b512::digest(body))
}

/// The text that is signed: three lines separated by line feeds, none at the end.
fn signing_string(created: i64, expires: i64, digest: &str) -> String {
    format!("(created): {created}\n(expires): {expires}\ndigest: BLAKE-512={digest}")
}

/// Signs a body and returns the value of the `Authorization` (or `X-Gateway-Authorization`) header.
///
/// `created` and `expires` are seconds since 1970. The two ids must be free of quotes, backslashes and
/// pipes, as every id read from a header is; any that are not would make a header no one accepts.
#[must_use]
pub fn sign(
    body: &[u8],
    subscriber_id: &SubscriberId,
    key_id: &KeyId,
    key: &SigningKey,
    created: i64,
    expires: i64,
) -> String {
    let header = AuthorizationHeader {
        key_id: KeyIdTriple {
            subscriber_id: subscriber_id.clone(),
            key_id: key_id.clone(),
            algorithm: Algorithm::Ed25519,
        },
        created,
        expires,
        signature: key.sign(signing_string(created, expires, &digest(body)).as_bytes()),
    };
    header.to_string()
}

/// Checks that `key` signed exactly these bytes under this header. It does not look at the clock:
/// [`check_window`] does.
///
/// # Errors
/// [`SignatureError::Mismatch`] when the body, the times or the key are not the ones that were signed.
pub fn verify(header: &AuthorizationHeader, body: &[u8], key: &VerifyingKey) -> Result<(), SignatureError> {
    let text = signing_string(header.created, header.expires, &digest(body));
    if key.verifies(text.as_bytes(), &header.signature) { Ok(()) } else { Err(SignatureError::Mismatch) }
}

/// Checks that the signature is in force at `now` (seconds since 1970): created no more than
/// [`MAX_SKEW_SECONDS`] ahead, not expired, no longer than [`MAX_LIFETIME_SECONDS`], and not outliving
/// the key (`key_valid_until`, when the registry gives one).
///
/// # Errors
/// A [`SignatureError`] with both times and their difference in seconds.
pub fn check_window(
    header: &AuthorizationHeader,
    now: i64,
    key_valid_until: Option<i64>,
) -> Result<(), SignatureError> {
    let AuthorizationHeader { created, expires, .. } = *header;
    if created > expires {
        return Err(SignatureError::ExpiresBeforeCreated { created, expires });
    }
    if created > now.saturating_add(MAX_SKEW_SECONDS) {
        return Err(SignatureError::CreatedInFuture { created, now });
    }
    if now > expires {
        return Err(SignatureError::Expired { expires, now });
    }
    if expires.saturating_sub(created) > MAX_LIFETIME_SECONDS {
        return Err(SignatureError::LifetimeTooLong { seconds: expires.saturating_sub(created) });
    }
    match key_valid_until {
        Some(valid_until) if expires > valid_until => Err(SignatureError::OutlivesKey { expires, valid_until }),
        _ => Ok(()),
    }
}

/// The value of the `WWW-Authenticate` header of a 401 (for a gateway's signature: `Proxy-Authenticate`).
#[must_use]
pub fn challenge(realm: &SubscriberId) -> String {
    format!("Signature realm=\"{realm}\",headers=\"{SIGNED_HEADERS}\"")
}

#[cfg(test)]
mod tests;

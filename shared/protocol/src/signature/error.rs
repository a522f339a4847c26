//! What can be wrong with a signature. No variant holds a key, a signature or a body.

use crate::error::Code;

use super::{MAX_HEADER_BYTES, MAX_LIFETIME_SECONDS, MAX_SKEW_SECONDS};

/// Exactly what is wrong with an `Authorization` header or the signature in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The header is longer than the cap.
    #[error("expected a header of at most {MAX_HEADER_BYTES} bytes, found {found}")]
    HeaderTooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// The header does not start with `Signature `.
    #[error("expected the scheme \"Signature\"")]
    Scheme,
    /// The header is not a list of `name="value"`.
    #[error("expected name=\"value\" pairs separated by commas; the text at byte {at} is none")]
    Malformed {
        /// Where reading stopped.
        at: usize,
    },
    /// A parameter is given twice.
    #[error("expected each parameter once, found `{parameter}` twice")]
    Duplicate {
        /// Its name.
        parameter: String,
    },
    /// A parameter is missing.
    #[error("expected the parameter `{0}`, found none")]
    Missing(&'static str),
    /// `keyId` is not `subscriber_id|key_id|algorithm`.
    #[error("expected keyId to have three parts (subscriber_id|key_id|algorithm), found {found}")]
    KeyIdParts {
        /// How many it has.
        found: usize,
    },
    /// A part of `keyId` is empty or too long.
    #[error("expected keyId to name a {0} of 1 to 255 characters")]
    KeyIdPart(&'static str),
    /// The algorithm is not `ed25519`.
    #[error("expected the algorithm ed25519 in {place}, found another")]
    Algorithm {
        /// `keyId` or `algorithm`.
        place: &'static str,
    },
    /// The signed headers are not exactly those of BECKN-006.
    #[error("expected headers=\"(created) (expires) digest\", found another list")]
    SignedHeaders,
    /// A time is not a whole number of seconds.
    #[error("expected `{0}` in whole seconds since 1970")]
    Time(&'static str),
    /// The signature is not the Base64 of 64 bytes.
    #[error("expected a signature of 64 bytes in Base64")]
    SignatureEncoding,
    /// The signature ends before it begins.
    #[error("expected created ({created}) not to be after expires ({expires}), found it {} s after", .created.saturating_sub(*.expires))]
    ExpiresBeforeCreated {
        /// Seconds since 1970.
        created: i64,
        /// Seconds since 1970.
        expires: i64,
    },
    /// The signature was made in the future.
    #[error("expected created ({created}) at most {MAX_SKEW_SECONDS} s after our clock ({now}), found it {} s ahead", .created.saturating_sub(*.now))]
    CreatedInFuture {
        /// Seconds since 1970.
        created: i64,
        /// Our clock.
        now: i64,
    },
    /// The signature has expired.
    #[error("expected expires ({expires}) not to be before our clock ({now}), found it {} s behind", .now.saturating_sub(*.expires))]
    Expired {
        /// Seconds since 1970.
        expires: i64,
        /// Our clock.
        now: i64,
    },
    /// The signature lasts too long.
    #[error("expected a lifetime of at most {MAX_LIFETIME_SECONDS} s, found {seconds} s")]
    LifetimeTooLong {
        /// Its lifetime.
        seconds: i64,
    },
    /// The signature outlives the key.
    #[error("expected expires ({expires}) not to be after the key's valid_until ({valid_until}), found it {} s after", .expires.saturating_sub(*.valid_until))]
    OutlivesKey {
        /// Seconds since 1970.
        expires: i64,
        /// Seconds since 1970.
        valid_until: i64,
    },
    /// The signature is not that of this key over this body.
    #[error("expected a signature of these bytes by the registered key, found another")]
    Mismatch,
}

impl SignatureError {
    /// The error code that tells a peer: stale for a clock or lifetime fault, invalid signature otherwise.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::CreatedInFuture { .. } | Self::Expired { .. } => Code::StaleRequest,
            _ => Code::InvalidSignature,
        }
    }
}

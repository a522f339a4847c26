//! The `Authorization` header of BECKN-006, read strictly.
//!
//! Invariant: an [`AuthorizationHeader`] names one participant, one key and Ed25519, and its times are
//! written so that the signed text can be rebuilt from them exactly.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::ids::{KeyId, SubscriberId};

use super::SignatureError;

/// The longest header that is read, in bytes.
pub const MAX_HEADER_BYTES: usize = 4_096;

/// The list of signed headers; BECKN-006 has no other.
pub const SIGNED_HEADERS: &str = "(created) (expires) digest";

/// The signature algorithm. Beckn 1.x has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519 (RFC 8032).
    Ed25519,
}

impl Algorithm {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The `keyId` parameter: who signed, with which key, by which algorithm.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyIdTriple {
    /// The participant.
    pub subscriber_id: SubscriberId,
    /// Its key in the registry.
    pub key_id: KeyId,
    /// The algorithm.
    pub algorithm: Algorithm,
}

/// A well-formed `Authorization` header. Nothing in it is believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationHeader {
    /// Who claims to have signed.
    pub key_id: KeyIdTriple,
    /// When, in seconds since 1970.
    pub created: i64,
    /// Until when the signature holds, in seconds since 1970.
    pub expires: i64,
    /// The Ed25519 signature.
    pub signature: [u8; 64],
}

impl AuthorizationHeader {
    /// Reads a header value.
    ///
    /// The scheme may be in any case and blanks may follow a comma. Parameters this version does not know
    /// are skipped; a parameter given twice is refused, known or not and in whatever case, because two
    /// readers could believe different ones.
    ///
    /// # Errors
    /// [`SignatureError`] names the first thing that is not as BECKN-006 has it.
    pub fn parse(header: &str) -> Result<Self, SignatureError> {
        if header.len() > MAX_HEADER_BYTES {
            return Err(SignatureError::HeaderTooLong { found: header.len() });
        }
        let scheme = header.get(..10).ok_or(SignatureError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("Signature ") {
            return Err(SignatureError::Scheme);
        }
        let parameters = Parameters::read(header, 10)?;

        let algorithm = parameters.required("algorithm")?;
        if algorithm != Algorithm::Ed25519.as_str() {
            return Err(SignatureError::Algorithm { place: "algorithm" });
        }
        let key_id = key_id_triple(parameters.required("keyId")?)?;
        if parameters.required("headers")? != SIGNED_HEADERS {
            return Err(SignatureError::SignedHeaders);
        }
        let created = seconds(parameters.required("created")?, "created")?;
        let expires = seconds(parameters.required("expires")?, "expires")?;
        let signature = signature(parameters.required("signature")?)?;
        Ok(Self { key_id, created, expires, signature })
    }
}

impl fmt::Display for AuthorizationHeader {
    /// The value of the header as BECKN-006 writes it. Where the ids are free of quotes, backslashes and pipes, as
    /// every id read from a header is, it is read as the same header again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key_id: KeyIdTriple { subscriber_id, key_id, algorithm }, created, expires, signature } = self;
        let signature = STANDARD.encode(signature);
        write!(
            f,
            "Signature keyId=\"{subscriber_id}|{key_id}|{algorithm}\",algorithm=\"{algorithm}\",created=\"{created}\",\
             expires=\"{expires}\",headers=\"{SIGNED_HEADERS}\",signature=\"{signature}\""
        )
    }
}

/// `subscriber_id|key_id|algorithm`.
fn key_id_triple(text: &str) -> Result<KeyIdTriple, SignatureError> {
    let mut parts = text.split('|');
    let (Some(subscriber_id), Some(key_id), Some(algorithm), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(SignatureError::KeyIdParts { found: text.split('|').count() });
    };
    if algorithm != Algorithm::Ed25519.as_str() {
        return Err(SignatureError::Algorithm { place: "keyId" });
    }
    Ok(KeyIdTriple {
        subscriber_id: SubscriberId::parse(subscriber_id).map_err(|_| SignatureError::KeyIdPart("subscriber_id"))?,
        key_id: KeyId::parse(key_id).map_err(|_| SignatureError::KeyIdPart("key_id"))?,
        algorithm: Algorithm::Ed25519,
    })
}

/// A whole number of seconds in its one canonical form: the signed text is rebuilt from the number, so
/// `+1` or `01` could never verify and are named here instead.
fn seconds(text: &str, name: &'static str) -> Result<i64, SignatureError> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if !canonical {
        return Err(SignatureError::Time(name));
    }
    text.parse().map_err(|_| SignatureError::Time(name))
}

fn signature(text: &str) -> Result<[u8; 64], SignatureError> {
    let bytes = STANDARD.decode(text).map_err(|_| SignatureError::SignatureEncoding)?;
    bytes.try_into().map_err(|_| SignatureError::SignatureEncoding)
}

/// The `name="value"` pairs of a header, each name once. A header has about six: a list beats a map.
struct Parameters<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Parameters<'a> {
    fn read(header: &'a str, start: usize) -> Result<Self, SignatureError> {
        let mut pairs: Vec<(&'a str, &'a str)> = Vec::with_capacity(6);
        let mut at = skip_blanks(header, start);
        loop {
            let malformed = SignatureError::Malformed { at };
            let rest = header.get(at..).ok_or_else(|| malformed.clone())?;
            let (name, rest) = rest.split_once('=').ok_or_else(|| malformed.clone())?;
            let rest = rest.strip_prefix('"').ok_or_else(|| malformed.clone())?;
            let well_named = !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
            if !well_named {
                return Err(malformed);
            }
            let (value, _) = rest.split_once('"').ok_or_else(|| malformed.clone())?;
            // No escapes and nothing unprintable: the value ends at the first quote for every reader.
            if !value.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'\\') {
                return Err(malformed);
            }
            if pairs.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                return Err(SignatureError::Duplicate { parameter: name.to_owned() });
            }
            pairs.push((name, value));

            at += name.len() + 2 + value.len() + 1;
            match header.as_bytes().get(at) {
                None => return Ok(Self(pairs)),
                Some(b',') => at = skip_blanks(header, at + 1),
                Some(_) => return Err(SignatureError::Malformed { at }),
            }
        }
    }

    fn required(&self, name: &'static str) -> Result<&'a str, SignatureError> {
        self.0.iter().find_map(|(known, value)| (*known == name).then_some(*value)).ok_or(SignatureError::Missing(name))
    }
}

fn skip_blanks(text: &str, from: usize) -> usize {
    let blanks = text.bytes().skip(from).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    from + blanks
}

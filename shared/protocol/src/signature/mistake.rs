//! The mistakes signers make, told apart by trying them.
//!
//! Invariant: what is found here explains a refusal and never lifts it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blake2::digest::consts::U32;
use blake2::{Blake2b, Blake2b512, Digest as _};
use sha2::{Sha256, Sha512};

use super::{AuthorizationHeader, VerifyingKey};

/// From here on a number of seconds lies past the year 5000: it is one of milliseconds.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Something a signer did instead of what BECKN-006 asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mistake {
    /// There is text before the scheme: `Bearer`, or the name of the header.
    TextBeforeScheme {
        /// Its length in bytes.
        bytes: usize,
    },
    /// The header is a JSON object, as UHI's reference gateway writes it.
    JsonHeader,
    /// The times are in milliseconds.
    Milliseconds,
    /// The body was parsed and written anew between signing and sending (or receiving): the signature is that of
    /// the same JSON in another form.
    Reserialised(JsonForm),
    /// The body that was signed ends with a line break that the one received lacks.
    NewlineLost,
    /// The body received ends with a line break that was not signed.
    NewlineAdded,
    /// The three lines of the signing string are separated by spaces.
    JoinedWithSpaces,
    /// The three lines of the signing string are separated by carriage return and line feed.
    JoinedWithCarriageReturns,
    /// The signing string ends with a line feed.
    NewlineAtEnd,
    /// There is no space after the colons of the signing string.
    NoSpaceAfterColon,
    /// Not the signing string was signed but the Base64 of its BLAKE2b-512, as in UHI.
    HashedTwice,
    /// The digest has another label than `BLAKE-512`.
    DigestLabel(&'static str),
    /// The digest is of another algorithm than BLAKE2b-512.
    DigestAlgorithm(&'static str),
    /// The digest is written in hexadecimal digits and not in Base64.
    DigestInHex,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TextBeforeScheme { bytes } => {
                write!(f, "{bytes} bytes stand before the scheme; expected the header to begin with \"Signature \"")
            }
            Self::JsonHeader => f.write_str("the header is a JSON object; expected name=\"value\" pairs"),
            Self::Milliseconds => f.write_str("created and expires are in milliseconds; expected seconds since 1970"),
            Self::Reserialised(form) => write!(
                f,
                "the body was written anew after it was signed: the signature is that of the same JSON {form}; \
                 expected the bytes sent to be the bytes signed"
            ),
            Self::NewlineLost => f.write_str(
                "the body was signed with a line break at its end, and came without; expected the same bytes",
            ),
            Self::NewlineAdded => {
                f.write_str("the body came with a line break at its end that was not signed; expected the same bytes")
            }
            Self::JoinedWithSpaces => {
                f.write_str("the lines of the signing string are joined with spaces; expected line feeds")
            }
            Self::JoinedWithCarriageReturns => f.write_str(
                "the lines of the signing string are joined with carriage returns and line feeds; expected line feeds",
            ),
            Self::NewlineAtEnd => f.write_str("the signing string ends with a line feed; expected none"),
            Self::NoSpaceAfterColon => {
                f.write_str("the signing string has no space after its colons; expected one after each")
            }
            Self::HashedTwice => f.write_str(
                "the Base64 of the BLAKE2b-512 of the signing string was signed, as UHI does; expected the signing \
                 string itself",
            ),
            Self::DigestLabel(label) => write!(f, "the digest is labelled {label}; expected BLAKE-512"),
            Self::DigestAlgorithm(algorithm) => write!(f, "the digest is {algorithm}; expected BLAKE2b-512"),
            Self::DigestInHex => f.write_str("the digest is in hexadecimal digits; expected Base64"),
        }
    }
}

/// The ways JSON is written by those who write it anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JsonForm {
    /// Without blanks.
    Compact,
    /// With a space after each colon and comma, the default of Python.
    Spaced,
    /// On indented lines.
    Indented {
        /// Spaces a level.
        spaces: usize,
    },
    /// Without blanks, with numbers and escapes in their shortest form.
    Normalised,
    /// Without blanks, with the keys of every object in order.
    Sorted,
}

impl fmt::Display for JsonForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compact => f.write_str("without blanks"),
            Self::Spaced => f.write_str("with a space after each colon and comma"),
            Self::Indented { spaces } => write!(f, "indented by {spaces} spaces"),
            Self::Normalised => f.write_str("without blanks and with numbers and escapes shortened"),
            Self::Sorted => f.write_str("without blanks and with its keys sorted"),
        }
    }
}

/// What is wrong with a header that cannot be read at all.
pub(super) fn in_header(header: &str) -> Option<Mistake> {
    if header.trim_start().starts_with('{') {
        return Some(Mistake::JsonHeader);
    }
    match header.find("Signature keyId=").or_else(|| header.find("Signature ")) {
        Some(bytes @ 1..) => Some(Mistake::TextBeforeScheme { bytes }),
        _ => None,
    }
}

/// What is wrong with times that are not in force.
pub(super) fn in_times(header: &AuthorizationHeader) -> Option<Mistake> {
    (header.created >= MILLISECONDS_FROM || header.expires >= MILLISECONDS_FROM).then_some(Mistake::Milliseconds)
}

/// What was signed instead, when the signature does not verify: the fewest mistakes under which it does; none
/// when it is nothing known.
pub(super) fn in_signature(header: &AuthorizationHeader, body: &[u8], key: &VerifyingKey) -> Vec<Mistake> {
    let bodies = bodies(body);
    let digests: Vec<(Vec<Mistake>, String)> = bodies
        .iter()
        .flat_map(|(mistake, bytes)| {
            digests(bytes)
                .into_iter()
                .map(|(mistakes, digest)| (mistake.iter().copied().chain(mistakes).collect(), digest))
        })
        .collect();
    let mut tries: Vec<(Vec<Mistake>, &str, Join)> = JOINS
        .iter()
        .flat_map(|join| digests.iter().map(move |(mistakes, digest)| (join.and(mistakes), digest.as_str(), *join)))
        .collect();
    // What takes fewer mistakes is likelier; among equals the order of the lists above stands.
    tries.sort_by_key(|(mistakes, ..)| mistakes.len());
    tries
        .into_iter()
        .find(|(_, digest, join)| key.verifies(&join.text(header, digest), &header.signature))
        .map(|(mistakes, ..)| mistakes)
        .unwrap_or_default()
}

/// The body as it came, and as it may have been when it was signed.
fn bodies(body: &[u8]) -> Vec<(Option<Mistake>, Vec<u8>)> {
    let mut bodies = vec![(None, body.to_vec())];
    let mut add = |mistake: Mistake, bytes: Vec<u8>| {
        if bodies.iter().all(|(_, known)| *known != bytes) {
            bodies.push((Some(mistake), bytes));
        }
    };
    add(Mistake::NewlineAdded, body.strip_suffix(b"\n").unwrap_or(body).to_vec());
    add(Mistake::NewlineAdded, body.strip_suffix(b"\r\n").unwrap_or(body).to_vec());
    add(Mistake::NewlineLost, [body, b"\n"].concat());
    add(Mistake::NewlineLost, [body, b"\r\n"].concat());
    if let Ok(text) = std::str::from_utf8(body)
        && let Ok(value) = crate::json::parse(body)
    {
        for form in
            [JsonForm::Compact, JsonForm::Spaced, JsonForm::Indented { spaces: 2 }, JsonForm::Indented { spaces: 4 }]
        {
            add(Mistake::Reserialised(form), rewritten(text, form).into_bytes());
        }
        add(Mistake::Reserialised(JsonForm::Normalised), value.to_string().into_bytes());
        let mut sorted = value;
        sorted.sort_all_objects();
        add(Mistake::Reserialised(JsonForm::Sorted), sorted.to_string().into_bytes());
    }
    bodies
}

/// The digests of a body, with their labels as they stand in the signing string.
fn digests(body: &[u8]) -> Vec<(Vec<Mistake>, String)> {
    let right = Blake2b512::digest(body);
    let short = Blake2b::<U32>::digest(body);
    let sha256 = Sha256::digest(body);
    let sha512 = Sha512::digest(body);
    let named = |label: &str, digest: &[u8]| format!("{label}={}", STANDARD.encode(digest));
    let label = |name| vec![Mistake::DigestLabel(name)];
    let algorithm = |name| vec![Mistake::DigestAlgorithm(name)];
    let both = |name, other| vec![Mistake::DigestLabel(name), Mistake::DigestAlgorithm(other)];
    let hex: String = right.iter().map(|byte| format!("{byte:02x}")).collect();
    vec![
        (vec![], named("BLAKE-512", &right)),
        (label("BLAKE2b-512"), named("BLAKE2b-512", &right)),
        (label("BLAKE2B-512"), named("BLAKE2B-512", &right)),
        (label("BLAKE-256"), named("BLAKE-256", &right)),
        (label("BLAKE2b-256"), named("BLAKE2b-256", &right)),
        (label("SHA-256"), named("SHA-256", &right)),
        (label("SHA-512"), named("SHA-512", &right)),
        (algorithm("BLAKE2b-256"), named("BLAKE-512", &short)),
        (algorithm("SHA-256"), named("BLAKE-512", &sha256)),
        (algorithm("SHA-512"), named("BLAKE-512", &sha512)),
        (both("BLAKE2b-256", "BLAKE2b-256"), named("BLAKE2b-256", &short)),
        (both("BLAKE-256", "BLAKE2b-256"), named("BLAKE-256", &short)),
        (both("SHA-256", "SHA-256"), named("SHA-256", &sha256)),
        (both("SHA-512", "SHA-512"), named("SHA-512", &sha512)),
        (vec![Mistake::DigestInHex], format!("BLAKE-512={hex}")),
        // The digits as text, in Base64.
        (vec![Mistake::DigestInHex], named("BLAKE-512", hex.as_bytes())),
    ]
}

/// A way to make the signing string of its three parts.
#[derive(Clone, Copy)]
struct Join {
    separator: &'static str,
    after_colon: &'static str,
    end: &'static str,
    hashed: bool,
    mistakes: &'static [Mistake],
}

const RIGHT: Join = Join { separator: "\n", after_colon: " ", end: "", hashed: false, mistakes: &[] };

const JOINS: &[Join] = &[
    RIGHT,
    Join { separator: " ", mistakes: &[Mistake::JoinedWithSpaces], ..RIGHT },
    Join { hashed: true, mistakes: &[Mistake::HashedTwice], ..RIGHT },
    Join { end: "\n", mistakes: &[Mistake::NewlineAtEnd], ..RIGHT },
    Join { separator: "\r\n", mistakes: &[Mistake::JoinedWithCarriageReturns], ..RIGHT },
    Join { after_colon: "", mistakes: &[Mistake::NoSpaceAfterColon], ..RIGHT },
    Join { separator: " ", hashed: true, mistakes: &[Mistake::JoinedWithSpaces, Mistake::HashedTwice], ..RIGHT },
];

impl Join {
    fn and(self, others: &[Mistake]) -> Vec<Mistake> {
        others.iter().chain(self.mistakes).copied().collect()
    }

    /// What is signed.
    fn text(self, header: &AuthorizationHeader, digest: &str) -> Vec<u8> {
        let Self { separator, after_colon: blank, end, hashed, .. } = self;
        let AuthorizationHeader { created, expires, .. } = header;
        let text = format!(
            "(created):{blank}{created}{separator}(expires):{blank}{expires}{separator}digest:{blank}{digest}{end}"
        );
        if hashed { STANDARD.encode(Blake2b512::digest(text)).into_bytes() } else { text.into_bytes() }
    }
}

/// The same JSON with other blanks: keys, their order, numbers and escapes stay as they are written.
fn rewritten(json: &str, form: JsonForm) -> String {
    let mut out = String::with_capacity(json.len().saturating_mul(2));
    let mut depth = 0_usize;
    let mut in_text = false;
    let mut escaped = false;
    // An open bracket waits: an empty list or object stays on its line.
    let mut opened = false;
    for symbol in json.chars() {
        if in_text {
            out.push(symbol);
            in_text = escaped || symbol != '"';
            escaped = !escaped && symbol == '\\';
            continue;
        }
        if symbol.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(symbol, '}' | ']');
        if closes {
            depth = depth.saturating_sub(1);
        }
        if opened != closes {
            // The first member after an opening, or a closing after the last.
            break_line(&mut out, form, depth);
        }
        out.push(symbol);
        opened = matches!(symbol, '{' | '[');
        match symbol {
            '{' | '[' => depth += 1,
            '"' => in_text = true,
            ',' if form == JsonForm::Spaced => out.push(' '),
            ',' => break_line(&mut out, form, depth),
            ':' if !matches!(form, JsonForm::Compact) => out.push(' '),
            _ => {}
        }
    }
    out
}

fn break_line(out: &mut String, form: JsonForm, depth: usize) {
    if let JsonForm::Indented { spaces } = form {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', spaces.saturating_mul(depth)));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn forms_are_those_that_others_write() {
        let value = json!({"a": [1, {}, [], {"b\"{[,:\\": "x: y, {z}\\"}], "c": {"d": null}, "e": []});
        let compact = value.to_string();
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let spaced = r#"{"a": [1, {}, [], {"b\"{[,:\\": "x: y, {z}\\"}], "c": {"d": null}, "e": []}"#;
        assert_eq!(serde_json::from_str::<Value>(spaced).unwrap(), value);
        for text in [&compact, &pretty, spaced] {
            assert_eq!(rewritten(text, JsonForm::Compact), compact);
            assert_eq!(rewritten(text, JsonForm::Indented { spaces: 2 }), pretty);
            assert_eq!(rewritten(text, JsonForm::Spaced), spaced);
        }
        // What a parser would change stays.
        assert_eq!(rewritten("{ \"a\" : 1.10e0 , \"b\" : \"\\/\" }", JsonForm::Compact), r#"{"a":1.10e0,"b":"\/"}"#);
    }

    proptest! {
        #[test]
        fn any_text_is_rewritten_without_harm(text in ".{0,60}") {
            for form in [JsonForm::Compact, JsonForm::Spaced, JsonForm::Indented { spaces: 3 }] {
                let _ = rewritten(&text, form);
            }
        }
    }
}

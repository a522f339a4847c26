//! Why a signature is right or wrong, step by step.
//!
//! Invariant: the verdict is that of [`AuthorizationHeader::parse`], [`check_window`] and [`verify`], called
//! here as a receiver calls them; nothing else in an explanation has a say in what is valid. An explanation
//! holds no body, and of a message nothing but its digest.

use std::fmt;

use jiff::Timestamp;

use super::mistake::{self, Mistake};
use super::{AuthorizationHeader, SignatureError, VerifyingKey, check_window, digest, signing_string, verify};

/// What a receiver looks at, in the order it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The scheme and the list of `name="value"`.
    Header,
    /// `algorithm`, there and in `keyId`.
    Algorithm,
    /// `keyId`, `headers`, `created`, `expires` and `signature`, each in its form.
    Parameters,
    /// `created` and `expires` against the clock.
    Window,
    /// The digest of the body.
    Digest,
    /// The text that is signed.
    SigningString,
    /// The key it is checked with.
    Key,
    /// The signature.
    Signature,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Header => "header",
            Self::Algorithm => "algorithm",
            Self::Parameters => "parameters",
            Self::Window => "window",
            Self::Digest => "digest",
            Self::SigningString => "signing string",
            Self::Key => "key",
            Self::Signature => "signature",
        })
    }
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It is as it should be; of a step that only computes: it was computed.
    Passed,
    /// It is not.
    Failed,
    /// An earlier step left nothing to look at, or no key was given.
    NotReached,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::NotReached => "not reached",
        })
    }
}

/// One step, with what was found in figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What was looked at.
    pub part: Part,
    /// What came of it.
    pub outcome: Outcome,
    /// A sentence, or for the signing string its lines.
    pub text: String,
}

/// What a receiver would say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The signature is that of this key over these bytes, and in force now.
    Valid,
    /// The first thing a receiver would refuse it for.
    Invalid(SignatureError),
    /// Nothing is wrong so far, but without a key the signature cannot be checked.
    NoKey,
}

/// A signature, explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What a receiver would say.
    pub verdict: Verdict,
    /// Each [`Part`] once, in order. After a failed window the later steps are still taken, so that a header
    /// of yesterday can be explained; the verdict remains the first failure.
    pub steps: Vec<Step>,
    /// The digest of the body as a receiver computes it, whatever the header says.
    pub digest: String,
    /// The text a receiver checks the signature of; `None` when the header cannot be read.
    pub signing_string: Option<String>,
    /// What the sender seems to have done instead; together they make the signature verify, or the header
    /// readable. Empty when nothing is wrong, or when it is none of the known mistakes.
    pub mistakes: Vec<Mistake>,
}

impl Explanation {
    /// Whether a receiver would accept the signature.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.verdict == Verdict::Valid
    }
}

impl fmt::Display for Explanation {
    /// One line a step (the signing string takes three), then the mistakes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Step { part, outcome, text } in &self.steps {
            let mut lines = text.lines();
            writeln!(f, "{outcome:11}  {part:14}  {}", lines.next().unwrap_or_default())?;
            for line in lines {
                writeln!(f, "{:29}{line}", "")?;
            }
        }
        for mistake in &self.mistakes {
            writeln!(f, "likely: {mistake}")?;
        }
        Ok(())
    }
}

/// Explains the value of an `Authorization` header over a body, step by step.
///
/// `key` is the registered key of whom `keyId` names, and `now` is in seconds since 1970. The one rule of a
/// receiver that is not looked at is that a signature must not outlive its key: that takes the registry's row
/// ([`check_window`]).
#[must_use]
pub fn explain(header: &str, body: &[u8], key: Option<&VerifyingKey>, now: i64) -> Explanation {
    let digest = digest(body);
    match AuthorizationHeader::parse(header) {
        Ok(read) => explain_read(&read, body, digest, key, now),
        Err(error) => unread(header, error, digest),
    }
}

/// The steps of a header that cannot be read.
fn unread(header: &str, error: SignatureError, digest: String) -> Explanation {
    let failed = part_of(&error);
    let mut text = error.to_string();
    if failed == Part::Header {
        text = format!("{text} (of {} bytes)", header.len());
    }
    let steps = PARTS
        .into_iter()
        .map(|part| match part {
            part if part == failed => Step { part, outcome: Outcome::Failed, text: text.clone() },
            Part::Header if failed > part => passed(part, "is a list of parameters, none of them twice"),
            Part::Algorithm if failed > part => passed(part, "is ed25519"),
            part => not_reached(part, format!("the {failed} cannot be read")),
        })
        .collect();
    let mistakes = mistake::in_header(header).into_iter().collect();
    Explanation { verdict: Verdict::Invalid(error), steps, digest, signing_string: None, mistakes }
}

/// The steps of a header that is as BECKN-006 has it.
fn explain_read(
    header: &AuthorizationHeader,
    body: &[u8],
    digest: String,
    key: Option<&VerifyingKey>,
    now: i64,
) -> Explanation {
    let id = &header.key_id;
    let text = signing_string(header.created, header.expires, &digest);
    let mut mistakes = Vec::new();

    let window = check_window(header, now, None);
    let window_step = match &window {
        Ok(()) => passed(Part::Window, window_sentence(header, now)),
        Err(error) => {
            mistakes.extend(mistake::in_times(header));
            failed(Part::Window, format!("{error}; {}", window_sentence(header, now)))
        }
    };
    let signature = key.map(|key| verify(header, body, key));
    let signature_step = match (&signature, key) {
        (Some(Err(error)), Some(key)) => {
            mistakes.extend(mistake::in_signature(header, body, key));
            let found = if mistakes.is_empty() {
                "; it is none of the known mistakes: another key, another body or other times were signed"
            } else {
                ""
            };
            failed(Part::Signature, format!("{error}{found}"))
        }
        (Some(Ok(())), _) => passed(Part::Signature, "is that of this key over the signing string"),
        _ => not_reached(Part::Signature, "there is no key to check it with"),
    };
    let key_step = match key {
        Some(key) => {
            passed(Part::Key, format!("{} is checked as key {} of {}", key.to_base64(), id.key_id, id.subscriber_id))
        }
        None => not_reached(Part::Key, format!("no key was given for key {} of {}", id.key_id, id.subscriber_id)),
    };
    let steps = vec![
        passed(Part::Header, "is a list of parameters, none of them twice"),
        passed(Part::Algorithm, "is ed25519, in algorithm and in keyId"),
        passed(
            Part::Parameters,
            format!("key {} of {}, times in whole seconds, a signature of 64 bytes", id.key_id, id.subscriber_id),
        ),
        window_step,
        passed(Part::Digest, format!("BLAKE2b-512 of the {} bytes of the body: {digest}", body.len())),
        passed(Part::SigningString, text.clone()),
        key_step,
        signature_step,
    ];
    let verdict = match (window, signature) {
        (Err(error), _) | (Ok(()), Some(Err(error))) => Verdict::Invalid(error),
        (Ok(()), Some(Ok(()))) => Verdict::Valid,
        (Ok(()), None) => Verdict::NoKey,
    };
    Explanation { verdict, steps, digest, signing_string: Some(text), mistakes }
}

const PARTS: [Part; 8] = [
    Part::Header,
    Part::Algorithm,
    Part::Parameters,
    Part::Window,
    Part::Digest,
    Part::SigningString,
    Part::Key,
    Part::Signature,
];

/// The step at which a header that cannot be read is refused.
fn part_of(error: &SignatureError) -> Part {
    match error {
        SignatureError::HeaderTooLong { .. }
        | SignatureError::Scheme
        | SignatureError::Malformed { .. }
        | SignatureError::Duplicate { .. } => Part::Header,
        SignatureError::Algorithm { .. } | SignatureError::Missing("algorithm") => Part::Algorithm,
        SignatureError::Missing(_)
        | SignatureError::KeyIdParts { .. }
        | SignatureError::KeyIdPart(_)
        | SignatureError::SignedHeaders
        | SignatureError::Time(_)
        | SignatureError::SignatureEncoding => Part::Parameters,
        SignatureError::ExpiresBeforeCreated { .. }
        | SignatureError::CreatedInFuture { .. }
        | SignatureError::Expired { .. }
        | SignatureError::LifetimeTooLong { .. }
        | SignatureError::OutlivesKey { .. } => Part::Window,
        SignatureError::Mismatch => Part::Signature,
    }
}

/// Both times beside our clock.
fn window_sentence(header: &AuthorizationHeader, now: i64) -> String {
    let AuthorizationHeader { created, expires, .. } = *header;
    format!(
        "created {} is {}, expires {} is {}; our clock is {}; lifetime {} s",
        at(created),
        beside(created, now),
        at(expires),
        beside(expires, now),
        at(now),
        expires.saturating_sub(created)
    )
}

/// Seconds since 1970, with the date they stand for.
fn at(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(date) => format!("{seconds} ({date})"),
        Err(_) => seconds.to_string(),
    }
}

fn beside(seconds: i64, now: i64) -> String {
    match seconds.saturating_sub(now) {
        0 => "now".to_owned(),
        ahead @ 1.. => format!("{ahead} s ahead"),
        behind => format!("{} s ago", behind.saturating_neg()),
    }
}

fn passed(part: Part, text: impl Into<String>) -> Step {
    Step { part, outcome: Outcome::Passed, text: text.into() }
}

fn failed(part: Part, text: impl Into<String>) -> Step {
    Step { part, outcome: Outcome::Failed, text: text.into() }
}

fn not_reached(part: Part, text: impl Into<String>) -> Step {
    Step { part, outcome: Outcome::NotReached, text: text.into() }
}

#[cfg(test)]
mod tests;

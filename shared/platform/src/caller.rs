//! Who calls the client API.
//!
//! Invariant: a [`Caller`] among a request's extensions was put there by who checked its token - the HTTP API's
//! authorizer on AWS, the port of the local network - and by nothing that the request itself says. A client API
//! that asks for no token has no callers: what is done there belongs to nobody.

use std::fmt;

use crate::function::Request;

/// The longest subject, in characters (OpenID Connect Core 1.0, 2).
const MAX_SUBJECT: usize = 255;

/// Whom a token is about: its claim `sub`. It may name a person, so it is not printed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(String);

/// A text is no subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a subject of 1 to 255 characters without control characters")]
pub struct InvalidSubject;

impl Subject {
    /// Reads a subject.
    ///
    /// # Errors
    /// It is empty, longer than 255 characters, or has control characters.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidSubject> {
        let text = text.into();
        let fits = !text.is_empty() && text.chars().count() <= MAX_SUBJECT && !text.chars().any(char::is_control);
        if fits { Ok(Self(text)) } else { Err(InvalidSubject) }
    }

    /// The subject as the token has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject")
    }
}

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whom the token is about.
    pub subject: Subject,
}

impl Caller {
    /// Who makes this request; nobody we know where no token is asked for.
    #[must_use]
    pub fn of(request: &Request) -> Option<&Self> {
        request.extensions().get()
    }

    /// Whether this caller, if it is one, may see what is `owner`'s: everybody may see what is nobody's.
    #[must_use]
    pub fn may_see(caller: Option<&Self>, owner: Option<&Subject>) -> bool {
        owner.is_none_or(|owner| caller.is_some_and(|caller| caller.subject == *owner))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_owner_sees_what_is_owned() {
        let subject = |text: &str| Subject::parse(text).unwrap();
        let caller = |text: &str| Caller { subject: subject(text) };
        assert!(Caller::may_see(Some(&caller("a")), Some(&subject("a"))));
        assert!(!Caller::may_see(Some(&caller("b")), Some(&subject("a"))));
        assert!(!Caller::may_see(None, Some(&subject("a"))));
        assert!(Caller::may_see(None, None) && Caller::may_see(Some(&caller("a")), None));
    }

    #[test]
    fn a_subject_is_bounded_and_not_printed() {
        assert!(Subject::parse("").is_err() && Subject::parse("a\nb").is_err());
        assert!(Subject::parse("a".repeat(256)).is_err());
        let longest = Subject::parse("ä".repeat(255)).unwrap();
        assert!(!format!("{:?}", Caller { subject: longest }).contains('ä'));
    }
}

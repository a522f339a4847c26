//! Who may call the client API of the local network: a bearer token for each subject.
//!
//! Invariant: a token is compared with all of them in a time that does not depend on what it holds, and is never
//! printed by `Debug`. Kept tokens are in a file that only its owner can read.

use std::fmt;
use std::hint::black_box;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use beckn_health_platform::caller::{Caller, InvalidSubject, Subject};
use http::{HeaderMap, header};

use super::StartError;
use super::identity::write_private;

/// Whom a token without a subject is about.
const LOCAL: &str = "local";
/// Where a network with a data folder keeps its token.
const FILE: &str = "token";

/// The tokens and whom each is about; one at least.
#[derive(Clone)]
pub struct Callers {
    first: (Subject, String),
    others: Vec<(Subject, String)>,
}

/// Why a text names no callers. It never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCallers {
    /// There is no token in it.
    #[error("expected a token, or subject=token pairs separated by commas")]
    Empty,
    /// A token cannot stand in a header.
    #[error("expected tokens of letters, digits and -._~+/")]
    Token,
    /// A subject is none.
    #[error(transparent)]
    Subject(#[from] InvalidSubject),
    /// Whom a token is about would not be known.
    #[error("expected another token for each subject")]
    SameToken,
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotLetIn {
    /// It brings no bearer token, or several.
    NoToken,
    /// Its token is none of ours.
    WrongToken,
}

impl Callers {
    /// Reads a token, which is then about `local`, or `subject=token` pairs separated by commas.
    ///
    /// # Errors
    /// [`InvalidCallers`] says what was expected.
    pub fn parse(text: &str) -> Result<Self, InvalidCallers> {
        let mut all: Vec<(Subject, String)> = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (subject, token) = entry.split_once('=').unwrap_or((LOCAL, entry));
            let (subject, token) = (subject.trim(), token.trim());
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
            if token.is_empty() || !token.bytes().all(fits) {
                return Err(InvalidCallers::Token);
            }
            if all.iter().any(|(_, known)| known == token) {
                return Err(InvalidCallers::SameToken);
            }
            all.push((Subject::parse(subject)?, token.to_owned()));
        }
        let mut all = all.into_iter();
        let first = all.next().ok_or(InvalidCallers::Empty)?;
        Ok(Self { first, others: all.collect() })
    }

    /// One new token, from the operating system's generator.
    ///
    /// # Errors
    /// Never in fact: what is made can be read.
    pub(super) fn fresh() -> Result<Self, InvalidCallers> {
        Self::parse(&URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
    }

    /// The callers kept in a data folder, or new ones, which are kept there from now on.
    pub(super) fn kept(folder: &Path) -> Result<Self, StartError> {
        let path = folder.join(FILE);
        let unusable = |problem: String| StartError::Token(path.clone(), problem);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text).map_err(|problem| unusable(problem.to_string())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let callers = Self::fresh().map_err(|problem| unusable(problem.to_string()))?;
                write_private(&path, format!("{}\n", callers.token()).as_bytes())
                    .map_err(|problem| unusable(problem.to_string()))?;
                Ok(callers)
            }
            Err(error) => Err(unusable(error.to_string())),
        }
    }

    /// The first caller's token.
    pub fn token(&self) -> &str {
        &self.first.1
    }

    /// Who makes a request with these headers.
    pub(super) fn of(&self, headers: &HeaderMap) -> Result<Caller, NotLetIn> {
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (given.next(), given.next()) else { return Err(NotLetIn::NoToken) };
        let bearer = value.to_str().ok().and_then(|value| value.split_once(' '));
        let Some((_, token)) = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
            return Err(NotLetIn::NoToken);
        };
        let mut found = None;
        for (subject, known) in std::iter::once(&self.first).chain(&self.others) {
            if is_same(token.trim().as_bytes(), known.as_bytes()) {
                found = Some(subject);
            }
        }
        found.map(|subject| Caller { subject: subject.clone() }).ok_or(NotLetIn::WrongToken)
    }
}

/// Compares every byte, whatever the ones before were; only the length shows.
fn is_same(given: &[u8], known: &[u8]) -> bool {
    let differences = given.iter().zip(known).fold(0, |all, (given, known)| black_box(all | (given ^ known)));
    given.len() == known.len() && differences == 0
}

impl fmt::Debug for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callers").field("count", &(1 + self.others.len())).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http::HeaderValue;

    fn asked(callers: &Callers, values: &[&'static str]) -> Result<String, NotLetIn> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        callers.of(&headers).map(|caller| caller.subject.as_str().to_owned())
    }

    #[test]
    fn a_token_says_who_calls() {
        let callers = Callers::parse("asha=t-1, ravi=t-2").unwrap();
        assert_eq!(callers.token(), "t-1");
        assert_eq!(asked(&callers, &["Bearer t-1"]), Ok("asha".to_owned()));
        assert_eq!(asked(&callers, &["bearer t-2"]), Ok("ravi".to_owned()));
        for wrong in ["Bearer t-3", "Bearer t-", "Bearer t-11", "Bearer ", "Bearer asha=t-1"] {
            assert_eq!(asked(&callers, &[wrong]), Err(NotLetIn::WrongToken), "{wrong}");
        }
        for none in [&[][..], &["t-1"], &["Basic t-1"], &["Bearer t-1", "Bearer t-1"], &["Bearer"]] {
            assert_eq!(asked(&callers, none), Err(NotLetIn::NoToken), "{none:?}");
        }
        assert_eq!(asked(&Callers::parse("plain").unwrap(), &["Bearer plain"]), Ok("local".to_owned()));
    }

    #[test]
    fn tokens_are_read_or_refused_without_being_repeated() {
        let wrong = |text: &str| Callers::parse(text).unwrap_err();
        assert_eq!((wrong(""), wrong(" , ")), (InvalidCallers::Empty, InvalidCallers::Empty));
        assert_eq!((wrong("a="), wrong("a b")), (InvalidCallers::Token, InvalidCallers::Token));
        assert_eq!(wrong("=t"), InvalidCallers::Subject(InvalidSubject));
        assert_eq!(wrong("a=t,b=t"), InvalidCallers::SameToken);
        let fresh = Callers::fresh().unwrap();
        assert_eq!(fresh.token().len(), 43);
        assert!(!format!("{fresh:?}").contains(fresh.token()));
        assert_ne!(fresh.token(), Callers::fresh().unwrap().token());
    }
}

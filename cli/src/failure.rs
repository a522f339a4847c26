//! Why something that a person asked for did not come about.
//!
//! Invariant: it is one sentence, which says what went wrong and, where something can be done, what.

/// Why a command failed: a sentence for whoever ran it.
#[derive(Debug)]
pub struct Failure(pub String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

//! What is wrong with a received message.
//!
//! Invariant: a fault names the field at fault and what was expected, and never repeats what was found
//! in the message body, which may be personal.

use std::fmt;

use crate::error::{Code, Error};

/// A message that cannot be accepted: where and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The code told to the sender.
    pub code: Code,
    /// The JSON path of the field at fault, such as `message.order.items[0].id`; empty for the whole body.
    pub path: String,
    /// What was expected.
    pub message: String,
    malformed: bool,
}

impl Fault {
    /// A fault with a code of one's own.
    #[must_use]
    pub fn new(code: Code, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, path: path.into(), message: message.into(), malformed: false }
    }

    /// A field that is missing or not as expected: code 30000.
    #[must_use]
    pub fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Code::InvalidRequest, path, message)
    }

    /// A body that is no JSON message at all: not UTF-8, not JSON, a key twice, nested too deep.
    #[must_use]
    pub fn malformed(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { malformed: true, ..Self::invalid(path, message) }
    }

    /// Whether the body is no JSON message at all, so that nothing in it (not even the context) was read.
    #[must_use]
    pub const fn is_malformed(&self) -> bool {
        self.malformed
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let error = Self::new(fault.code, fault.message);
        if fault.path.is_empty() { error } else { error.at(fault.path) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_becomes_an_error_with_its_place() {
        let error = Error::from(Fault::invalid("context.bap_id", "expected an identifier"));
        assert_eq!(error, Error::new(Code::InvalidRequest, "expected an identifier").at("context.bap_id"));
        let whole = Error::from(Fault::malformed("", "expected JSON"));
        assert_eq!(whole.paths, None);
    }
}

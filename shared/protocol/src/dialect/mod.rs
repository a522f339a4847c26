//! Reading and writing messages.
//!
//! Invariant: an [`Envelope`] has a checked context, the action it was asked for, and a `message` of which
//! every known field has its form, so reading it into its type cannot surprise. [`check`] accepts and refuses
//! what [`read`] does, with the same fault, and gives no body.

mod beckn_1_1;
pub mod faults;
mod skim;
mod walk;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::action::Verb;
use crate::context::Context;
use crate::error::{Code, Error};
use crate::fault::Fault;
use crate::message::Message;

pub use faults::{KNOWN_FAULTS, KnownFault};

/// What to do with a fault of the known list ([`faults`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reading {
    /// Refuse the message and name the first fault.
    Strict,
    /// Settle each fault and report it.
    Compat,
}

/// A known fault that was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tolerated {
    /// The fault's id in [`KNOWN_FAULTS`].
    pub id: &'static str,
    /// Where it was.
    pub path: String,
}

/// A message that was read: a checked context and a body not yet given its type.
#[derive(Clone, PartialEq)]
pub struct Envelope {
    /// The context.
    pub context: Context,
    /// The body; `null` when a callback brings only an error.
    pub message: Value,
    /// The error of a callback.
    pub error: Option<Error>,
    /// The known faults that were settled: those of the context, then those of the body, as they come.
    pub tolerated: Vec<Tolerated>,
}

/// What whoever only passes a message on needs of it: its body was checked, and is read where it is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// The context.
    pub context: Context,
    /// The known faults that were settled, as in [`Envelope::tolerated`].
    pub tolerated: Vec<Tolerated>,
}

impl Envelope {
    /// The body as its type, such as [`ConfirmMessage`](crate::message::ConfirmMessage).
    ///
    /// # Errors
    /// [`Fault`] with the path of the first field that does not have its form, such as
    /// `message.order.items[0].id`.
    pub fn message<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        typed("message", &self.message)
    }
}

impl fmt::Debug for Envelope {
    // The body may be personal: only the names of its fields are shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<&String> = self.message.as_object().map(|object| object.keys().collect()).unwrap_or_default();
        f.debug_struct("Envelope")
            .field("context", &self.context)
            .field("message", &fields)
            .field("error", &self.error)
            .field("tolerated", &self.tolerated)
            .finish()
    }
}

/// Reads a body as the message `verb`.
///
/// The body is parsed once; known faults are settled ([`Reading::Compat`]) or refused
/// ([`Reading::Strict`]); the context must name `verb` as its action and have what our profile requires;
/// each known field of the message must have its form.
///
/// # Errors
/// The first [`Fault`], with the path of the field at fault.
pub fn read(body: &[u8], verb: Verb, reading: Reading) -> Result<Envelope, Fault> {
    beckn_1_1::read(body, verb, reading)
}

/// Checks a body as the message `verb`: what [`read`] does, for a small part of its cost, without handing out the
/// body.
///
/// # Errors
/// Those of [`read`].
pub fn check(body: &[u8], verb: Verb, reading: Reading) -> Result<Checked, Fault> {
    beckn_1_1::check(body, verb, reading)
}

/// Writes a message: the bytes to sign and to send.
///
/// The types of this crate always write. Should a body of another type refuse to, the context is sent with
/// an error in its place, so that the peer is told rather than left waiting.
#[must_use]
pub fn write<T: Serialize>(message: &Message<T>) -> Vec<u8> {
    serde_json::to_vec(message).unwrap_or_else(|_| {
        let error = Error::new(Code::BusinessError, "the message could not be written");
        serde_json::to_vec(&Message::<Value>::refusal(message.context.clone(), error)).unwrap_or_default()
    })
}

/// Gives a value its type, with the path of the first field that does not fit.
fn typed<T: DeserializeOwned>(root: &str, value: &Value) -> Result<T, Fault> {
    // Nearly always it fits. Only what does not is read again, keeping track of the path.
    if let Ok(fitting) = T::deserialize(value) {
        return Ok(fitting);
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = match error.path().to_string() {
            path if path == "." => root.to_owned(),
            path => format!("{root}.{path}"),
        };
        Fault::invalid(path, without_values(&error.into_inner().to_string()))
    })
}

/// What a typed reader says, less what it found: that may be personal.
fn without_values(told: &str) -> String {
    if told.starts_with("missing field") || told.starts_with("duplicate field") {
        return told.to_owned();
    }
    match told.rsplit_once("expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None => "expected another form".to_owned(),
    }
}

#[cfg(test)]
mod tests;

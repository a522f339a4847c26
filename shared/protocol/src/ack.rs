//! The synchronous answer to a request or a callback: `{message: {ack: {status}}, error?}`.
//!
//! Invariant: what we write is the 1.1.0 form, with the error at the top level; what we read may be any of
//! the forms deployed peers write.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;
use crate::fault::Fault;
use crate::json;
use crate::model::TagGroup;

/// Whether a message was taken. An `ACK` obliges the receiver to call back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AckStatus {
    /// Taken.
    #[serde(rename = "ACK")]
    Ack,
    /// Not taken.
    #[serde(rename = "NACK")]
    Nack,
}

/// The `ack` object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ack {
    /// Taken or not.
    pub status: AckStatus,
    /// Tags, where the network uses them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<TagGroup>,
}

/// The `message` of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AckMessage {
    /// Taken or not.
    pub ack: Ack,
}

/// The synchronous answer to a message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Response {
    /// Taken or not.
    pub message: AckMessage,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

impl Response {
    const fn new(status: AckStatus, error: Option<Error>) -> Self {
        Self { message: AckMessage { ack: Ack { status, tags: Vec::new() } }, error }
    }

    /// Taken; a callback follows.
    #[must_use]
    pub const fn ack() -> Self {
        Self::new(AckStatus::Ack, None)
    }

    /// Not taken, and why.
    #[must_use]
    pub const fn nack(error: Error) -> Self {
        Self::new(AckStatus::Nack, Some(error))
    }

    /// The body of a 401: not taken, and no more is said to a stranger (BECKN-006).
    #[must_use]
    pub const fn unauthenticated() -> Self {
        Self::new(AckStatus::Nack, None)
    }

    /// Whether the message was taken.
    #[must_use]
    pub fn is_ack(&self) -> bool {
        self.message.ack.status == AckStatus::Ack
    }

    /// Reads a peer's answer.
    ///
    /// Beside the 1.1.0 form it accepts the error inside `message`, an echoed context, a status in lower
    /// case and an `ack` that is the bare status.
    ///
    /// # Errors
    /// [`Fault`] when the body is no JSON object or says neither `ACK` nor `NACK`.
    pub fn parse(body: &[u8]) -> Result<Self, Fault> {
        let mut answer = json::parse_object(body)?;
        let mut message = match answer.shift_remove("message") {
            Some(Value::Object(message)) => message,
            _ => return Err(Fault::invalid("message", "expected an object")),
        };
        let (status, tags) = match message.shift_remove("ack") {
            Some(Value::Object(mut ack)) => {
                let tags = ack.shift_remove("tags");
                (ack.shift_remove("status"), tags.and_then(|tags| serde_json::from_value(tags).ok()))
            }
            Some(status @ Value::String(_)) => (Some(status), None),
            _ => return Err(Fault::invalid("message.ack", "expected an object")),
        };
        let status = match status.as_ref().and_then(Value::as_str) {
            Some(text) if text.eq_ignore_ascii_case("ACK") => AckStatus::Ack,
            Some(text) if text.eq_ignore_ascii_case("NACK") => AckStatus::Nack,
            _ => return Err(Fault::invalid("message.ack.status", "expected ACK or NACK")),
        };
        let error = answer.shift_remove("error").or_else(|| message.shift_remove("error")).and_then(Error::from_value);
        Ok(Self { message: AckMessage { ack: Ack { status, tags: tags.unwrap_or_default() } }, error })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use crate::error::Code;

    use super::*;

    #[test]
    fn what_we_write_is_the_specified_form() {
        let written = |response: &Response| serde_json::to_string(response).unwrap();
        assert_eq!(written(&Response::ack()), r#"{"message":{"ack":{"status":"ACK"}}}"#);
        assert_eq!(written(&Response::unauthenticated()), r#"{"message":{"ack":{"status":"NACK"}}}"#);
        assert_eq!(
            written(&Response::nack(Error::new(Code::InvalidRequest, "no").at("context.ttl"))),
            r#"{"message":{"ack":{"status":"NACK"}},"error":{"code":"30000","paths":"context.ttl","message":"no"}}"#
        );
    }

    #[test]
    fn what_we_write_reads_back() {
        for response in
            [Response::ack(), Response::unauthenticated(), Response::nack(Error::new(Code::StaleRequest, "late"))]
        {
            assert_eq!(Response::parse(&serde_json::to_vec(&response).unwrap()).unwrap(), response);
        }
    }

    #[test]
    fn the_forms_of_the_peers_are_read() {
        let error = Error::new(Code::InvalidRequest, "no");
        for body in [
            r#"{"message":{"ack":{"status":"NACK"},"error":{"code":"30000","message":"no"}}}"#,
            r#"{"context":{"action":"search"},"message":{"ack":{"status":"NACK"}},"error":{"code":30000,"message":"no"}}"#,
            r#"{"message":{"ack":{"status":"nack"}},"error":{"code":"30000","message":"no"}}"#,
        ] {
            let response = Response::parse(body.as_bytes()).unwrap();
            assert!(!response.is_ack());
            assert_eq!(response.error.as_ref(), Some(&error), "{body}");
        }
        let tagged = br#"{"message":{"ack":{"status":"ACK","tags":[{"descriptor":{"code":"x"}}]}},"error":null}"#;
        let tagged = Response::parse(tagged).unwrap();
        assert!(tagged.is_ack() && tagged.error.is_none());
        assert_eq!(tagged.message.ack.tags.len(), 1);
        assert!(Response::parse(br#"{"message":{"ack":"ACK"}}"#).unwrap().is_ack());
    }

    #[test]
    fn an_answer_that_is_none_is_refused() {
        for (body, path) in [
            ("", ""),
            ("<html>", ""),
            ("[]", ""),
            ("{}", "message"),
            (r#"{"message":{}}"#, "message.ack"),
            (r#"{"message":{"ack":{}}}"#, "message.ack.status"),
            (r#"{"message":{"ack":{"status":"OK"}}}"#, "message.ack.status"),
        ] {
            assert_eq!(Response::parse(body.as_bytes()).unwrap_err().path, path, "{body}");
        }
    }
}

//! `POST {url}/on_subscribe`: the registry challenges a participant, or tells it where it stands.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::fault::Fault;
use crate::ids::{KeyId, SubscriberId};
use crate::json;
use crate::wire::wire_object;

use super::SubscriptionStatus;
use super::subscription::in_1_1_form;

wire_object! {
    /// The body of `on_subscribe`: a challenge, a state, or both.
    ///
    /// Registry API 1.1.0 has `status` and `challenge`; whom it is for (`subscriber_id`, `pub_key_id`) is what
    /// deployed registries add, and `reason` what this project adds. The API says that the registry signs it,
    /// and that it comes unasked on any change of state.
    #[derive(Default)]
    pub struct OnSubscribe {
        /// The participant it is for.
        pub subscriber_id: Option<SubscriberId>,
        /// The pair of keys it is about, one of which reads the challenge.
        pub key_id: Option<KeyId> as "pub_key_id",
        /// The challenge, as `challenge::encrypt` writes it.
        pub challenge: Option<String>,
        /// Where the subscription stands now.
        pub status: Option<SubscriptionStatus>,
        /// Why, in words.
        pub reason: Option<String>,
    }
}

impl OnSubscribe {
    /// Reads the body of a request; the key's id under any of its names.
    ///
    /// # Errors
    /// [`Fault`] when the body is no object, has neither challenge nor status, or with the path of the field
    /// that cannot be read.
    pub fn parse(body: &[u8]) -> Result<Self, Fault> {
        let mut form = in_1_1_form(json::parse_object(body)?)?;
        if let Some(key_id) = form.shift_remove("key_id") {
            form.insert("pub_key_id".to_owned(), key_id);
        }
        let read: Self = serde_path_to_error::deserialize(&Value::Object(form))
            .map_err(|error| Fault::invalid(error.path().to_string(), "expected the form of registry API 1.1.0"))?;
        if read.challenge.is_none() && read.status.is_none() {
            return Err(Fault::invalid("challenge", "expected a challenge or a status, found neither"));
        }
        Ok(read)
    }
}

/// The answer to a challenge: `{answer}`, the text that was encrypted (registry API 1.1.0).
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct OnSubscribeAnswer {
    /// The text.
    pub answer: String,
}

impl OnSubscribeAnswer {
    /// Reads a participant's answer.
    ///
    /// # Errors
    /// [`Fault`] when the body is no object with a text at `answer`.
    pub fn parse(body: &[u8]) -> Result<Self, Fault> {
        match json::parse_object(body)?.shift_remove("answer") {
            Some(Value::String(answer)) => Ok(Self { answer }),
            _ => Err(Fault::invalid("answer", "expected a text")),
        }
    }
}

impl fmt::Debug for OnSubscribeAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnSubscribeAnswer(<redacted>)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    fn parse(body: &Value) -> Result<OnSubscribe, Fault> {
        OnSubscribe::parse(body.to_string().as_bytes())
    }

    #[test]
    fn a_challenge_is_read_in_every_form() {
        let expected = OnSubscribe {
            subscriber_id: Some(SubscriberId::parse("bap.example").unwrap()),
            key_id: Some(KeyId::parse("k-1").unwrap()),
            challenge: Some("c".to_owned()),
            ..OnSubscribe::default()
        };
        for key in ["key_id", "unique_key_id", "ukId", "pub_key_id"] {
            let body = json!({"subscriber_id": "bap.example", key: "k-1", "challenge": "c"});
            assert_eq!(parse(&body).unwrap(), expected, "{key}");
        }
        let written = serde_json::to_value(&expected).unwrap();
        assert_eq!(written, json!({"subscriber_id": "bap.example", "pub_key_id": "k-1", "challenge": "c"}));
        // The bare form of the API.
        assert_eq!(parse(&json!({"challenge": "c"})).unwrap().challenge.as_deref(), Some("c"));
    }

    #[test]
    fn a_state_is_read_and_what_is_neither_is_refused() {
        let read = parse(&json!({"status": "invalid_ssl", "reason": "expired", "since": 1})).unwrap();
        assert_eq!(read.status, Some(SubscriptionStatus::InvalidSsl));
        assert_eq!(read.extra.get("since"), Some(&json!(1)));
        assert_eq!(parse(&json!({})).unwrap_err().path, "challenge");
        assert_eq!(parse(&json!({"challenge": ""})).unwrap_err().path, "challenge");
        assert_eq!(parse(&json!({"challenge": 7})).unwrap_err().path, "challenge");
        assert_eq!(parse(&json!({"challenge": "c", "pub_key_id": 1})).unwrap_err().path, "pub_key_id");
    }

    #[test]
    fn an_answer_is_a_text_and_is_not_shown() {
        let answer = OnSubscribeAnswer::parse(br#"{"answer":"4711"}"#).unwrap();
        assert_eq!(serde_json::to_string(&answer).unwrap(), r#"{"answer":"4711"}"#);
        assert!(!format!("{answer:?}").contains("4711"));
        for body in [&br#"{"answer":4711}"#[..], b"{}", b"\"4711\""] {
            assert!(OnSubscribeAnswer::parse(body).is_err());
        }
    }
}

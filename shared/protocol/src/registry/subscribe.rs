//! `POST /subscribe`: how a participant asks a registry to list it.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::challenge::EncryptionPublicKey;
use crate::error::Error;
use crate::fault::Fault;
use crate::ids::{KeyId, SubscriberId};
use crate::json;
use crate::model::Location;
use crate::signature::VerifyingKey;

use super::{SubscriberType, Subscription, SubscriptionStatus};

/// The body of `POST /subscribe`.
#[derive(Debug, Clone, PartialEq)]
pub enum SubscribeRequest {
    /// The empty object: "send me the challenge again". Registry API 1.1.0 does not have it; the reference
    /// Beckn registry does. Who asks is told by the signature of the request.
    ChallengeAgain,
    /// A participant to list, or a change to one that is listed.
    Register(Box<Registration>),
}

/// One participant in one role, with one pair of keys, as it asks to be listed: the `Subscription` of registry
/// API 1.1.0 with a `nonce`.
///
/// The API requires no field. Required here is what no registry can do without: who, where, in which role, and
/// the keys. The times a registry keeps (`created`, `updated`) are not read from a request.
#[derive(Clone, PartialEq)]
pub struct Registration {
    /// The participant.
    pub subscriber_id: SubscriberId,
    /// Where it takes messages, `on_subscribe` among them. A text: whether the network may post there is not
    /// the protocol's to say.
    pub url: String,
    /// Its role; one of [`SubscriberType::KNOWN`].
    pub r#type: SubscriberType,
    /// The name of the pair of keys.
    pub key_id: KeyId,
    /// The key that verifies its signatures.
    pub signing_public_key: VerifyingKey,
    /// The key the challenge is encrypted for.
    pub encr_public_key: EncryptionPublicKey,
    /// A fresh text of the sender's (`nonce`, in the API a UUID). Nothing in the API says what it is for.
    pub nonce: Option<String>,
    /// The domain.
    pub domain: Option<String>,
    /// Where it operates.
    pub location: Option<Location>,
    /// From when the keys hold.
    pub valid_from: Option<Timestamp>,
    /// Until when the keys hold; not before `valid_from`.
    pub valid_until: Option<Timestamp>,
    /// What the participant asks for: [`SubscriptionStatus::Unsubscribed`] to leave. The API has the field in
    /// the request and gives it no meaning; that one is the reading of this project.
    pub status: Option<SubscriptionStatus>,
    /// Fields this version does not know, kept as they came.
    pub extra: Map<String, Value>,
}

impl SubscribeRequest {
    /// Reads the body of a request, its subscription in any of the known forms.
    ///
    /// # Errors
    /// [`Fault`] when the body is no object, or with the field that is missing or not as expected: a required
    /// one, a role that is none, a key that is none, or a `valid_until` before `valid_from`.
    pub fn parse(body: &[u8]) -> Result<Self, Fault> {
        let object = json::parse_object(body)?;
        if object.is_empty() {
            return Ok(Self::ChallengeAgain);
        }
        let entry = Subscription::from_value(Value::Object(object))?;
        Registration::from_subscription(entry).map(|registration| Self::Register(Box::new(registration)))
    }

    /// The bytes to sign and send.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Text keys and plain values: writing them as JSON cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl Serialize for SubscribeRequest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::ChallengeAgain => Map::new().serialize(serializer),
            Self::Register(registration) => registration.serialize(serializer),
        }
    }
}

impl Registration {
    /// The registration an entry asks for.
    ///
    /// # Errors
    /// [`Fault`] with the field that is missing or not as expected, as in [`SubscribeRequest::parse`].
    pub fn from_subscription(entry: Subscription) -> Result<Self, Fault> {
        let Subscription {
            subscriber_id,
            url,
            r#type,
            domain,
            location,
            key_id,
            signing_public_key,
            encr_public_key,
            valid_from,
            valid_until,
            status,
            mut extra,
            ..
        } = entry;
        let r#type = required(r#type, "type", "a role")?;
        if !SubscriberType::KNOWN.contains(&r#type) {
            return Err(Fault::invalid("type", "expected BAP, BPP, BG or BREG, found another"));
        }
        if let (Some(from), Some(until)) = (valid_from, valid_until)
            && until < from
        {
            return Err(Fault::invalid(
                "valid_until",
                format!("expected a time not before valid_from ({from}), found {until}"),
            ));
        }
        let nonce = match extra.shift_remove("nonce") {
            None => None,
            Some(Value::String(nonce)) => Some(nonce),
            Some(_) => return Err(Fault::invalid("nonce", "expected a text")),
        };
        Ok(Self {
            subscriber_id: required(subscriber_id, "subscriber_id", "an identifier")?,
            url: required(url, "url", "an address")?,
            r#type,
            key_id: required(key_id, "key_id", "an identifier")?,
            signing_public_key: signing_key(signing_public_key)?,
            encr_public_key: encryption_key(encr_public_key)?,
            nonce,
            domain,
            location,
            valid_from,
            valid_until,
            status,
            extra,
        })
    }

    /// The row of the registry, in the given state. `created` and `updated` are the registry's to set.
    #[must_use]
    pub fn to_subscription(&self, status: SubscriptionStatus) -> Subscription {
        Subscription { status: Some(status), ..self.row() }
    }

    /// The row without its state.
    fn row(&self) -> Subscription {
        Subscription {
            subscriber_id: Some(self.subscriber_id.clone()),
            url: Some(self.url.clone()),
            r#type: Some(self.r#type.clone()),
            domain: self.domain.clone(),
            location: self.location.clone(),
            key_id: Some(self.key_id.clone()),
            signing_public_key: Some(self.signing_public_key.to_base64()),
            encr_public_key: Some(self.encr_public_key.to_base64()),
            valid_from: self.valid_from,
            valid_until: self.valid_until,
            status: None,
            created: None,
            updated: None,
            extra: self.extra.clone(),
        }
    }
}

impl Serialize for Registration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = Subscription { status: self.status.clone(), ..self.row() };
        if let Some(nonce) = &self.nonce {
            body.extra.insert("nonce".to_owned(), Value::String(nonce.clone()));
        }
        body.serialize(serializer)
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("subscriber_id", &self.subscriber_id)
            .field("type", &self.r#type)
            .field("url", &self.url)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

pub(super) fn required<T>(value: Option<T>, name: &str, expected: &str) -> Result<T, Fault> {
    value.ok_or_else(|| Fault::invalid(name, format!("expected {expected}, found none")))
}

/// The signing key of a row.
pub(super) fn signing_key(text: Option<String>) -> Result<VerifyingKey, Fault> {
    let name = "signing_public_key";
    VerifyingKey::from_base64(&required(text, name, "an Ed25519 public key")?)
        .map_err(|error| Fault::invalid(name, error.to_string()))
}

/// The encryption key of a row.
pub(super) fn encryption_key(text: Option<String>) -> Result<EncryptionPublicKey, Fault> {
    let name = "encr_public_key";
    EncryptionPublicKey::from_base64(&required(text, name, "an X25519 public key")?)
        .map_err(|error| Fault::invalid(name, error.to_string()))
}

/// The answer to `POST /subscribe`: `{status}` in registry API 1.1.0.
///
/// The API has no refusal. Here, and where deployed registries refuse, `error` stands beside the status: why a
/// participant was left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SubscribeResponse {
    /// Where the subscription stands.
    pub status: SubscriptionStatus,
    /// Why the participant is not listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

impl SubscribeResponse {
    /// Reads a registry's answer.
    ///
    /// Beside `{status}` it reads the acknowledgement `{message: {ack: {status}}, error?}` that ONDC's registry
    /// answers with and that a refusal comes in: `ACK` is [`SubscriptionStatus::UnderSubscription`], `NACK` is
    /// kept as it came.
    ///
    /// # Errors
    /// [`Fault`] when the body is no JSON object or has no status in either place.
    pub fn parse(body: &[u8]) -> Result<Self, Fault> {
        let mut answer = json::parse_object(body)?;
        let message = answer.shift_remove("message").unwrap_or_default();
        let acknowledged = message.get("ack").and_then(|ack| ack.get("status").or(Some(ack)));
        let stated = answer.get("status").filter(|status| !status.is_null()).or(acknowledged);
        let status = stated
            .and_then(Value::as_str)
            .map(str::to_ascii_uppercase)
            .ok_or_else(|| Fault::invalid("status", "expected a text, found none"))?;
        let status = match status.as_str() {
            "ACK" => SubscriptionStatus::UnderSubscription,
            other => SubscriptionStatus::parse(other),
        };
        let error = answer.shift_remove("error").or_else(|| message.get("error").cloned());
        Ok(Self { status, error: error.and_then(Error::from_value) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    const SIGNING: &str = "awGPjRK6i/Vg/lWr+0xObclVxlwZXvTjWYtlu6NeOHk=";
    const ENCRYPTION: &str = "B6tIx/D3UhFSQB8iqdhOiOCJb4SbOh/qQM4auav9iTg=";
    const ENCRYPTION_DER: &str = "MCowBQYDK2VuAyEAB6tIx/D3UhFSQB8iqdhOiOCJb4SbOh/qQM4auav9iTg=";

    fn body() -> Value {
        json!({
            "subscriber_id": "bap.example",
            "url": "https://bap.example/beckn",
            "type": "BAP",
            "domain": "dhp:consultation:0.1.0",
            "location": {"city": {"code": "std:080"}},
            "key_id": "k-1",
            "signing_public_key": SIGNING,
            "encr_public_key": ENCRYPTION,
            "valid_from": "2026-01-01T00:00:00Z",
            "valid_until": "2027-01-01T00:00:00Z",
            "contact": "kept",
            "nonce": "0c0f1b6e-6a3b-4d1f-8f43-1c2f9a0f2f11"
        })
    }

    fn parse(body: &Value) -> Result<SubscribeRequest, Fault> {
        SubscribeRequest::parse(body.to_string().as_bytes())
    }

    fn registration(body: &Value) -> Registration {
        match parse(body).unwrap() {
            SubscribeRequest::Register(registration) => *registration,
            SubscribeRequest::ChallengeAgain => panic!("expected a registration"),
        }
    }

    #[test]
    fn the_specified_form_is_read_and_written() {
        let read = registration(&body());
        assert_eq!(read.nonce.as_deref(), Some("0c0f1b6e-6a3b-4d1f-8f43-1c2f9a0f2f11"));
        assert_eq!(read.extra.keys().collect::<Vec<_>>(), ["contact"]);
        let written = SubscribeRequest::Register(Box::new(read.clone())).to_bytes();
        assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), body());

        let row = read.to_subscription(SubscriptionStatus::UnderSubscription);
        assert_eq!(row.status, Some(SubscriptionStatus::UnderSubscription));
        assert!(!row.extra.contains_key("nonce"));
        assert_eq!(Registration { nonce: read.nonce.clone(), status: None, ..read }, {
            let mut again = Registration::from_subscription(row).unwrap();
            (again.nonce, again.status) = (Some("0c0f1b6e-6a3b-4d1f-8f43-1c2f9a0f2f11".to_owned()), None);
            again
        });
    }

    #[test]
    fn every_deployed_form_reads_as_the_specified_one() {
        let expected = registration(&body());
        for key in ["key_id", "unique_key_id", "ukId", "pub_key_id"] {
            for url in ["url", "subscriber_url", "cb_url"] {
                for encryption in ["encr_public_key", "encryption_public_key"] {
                    let mut form = body();
                    let fields = form.as_object_mut().unwrap();
                    for (from, to) in [("key_id", key), ("url", url), ("encr_public_key", encryption)] {
                        let value = fields.shift_remove(from).unwrap();
                        fields.insert(to.to_owned(), value);
                    }
                    fields.insert("type".to_owned(), json!("bap"));
                    fields.insert("location".to_owned(), json!(null));
                    fields.insert("city".to_owned(), json!("std:080"));
                    assert_eq!(registration(&form), expected, "{key} {url} {encryption}");
                }
            }
        }
        let mut form = body();
        form["encr_public_key"] = json!(ENCRYPTION_DER);
        assert_eq!(registration(&form), expected);
    }

    #[test]
    fn the_empty_object_asks_for_the_challenge_again() {
        assert_eq!(parse(&json!({})).unwrap(), SubscribeRequest::ChallengeAgain);
        assert_eq!(SubscribeRequest::ChallengeAgain.to_bytes(), b"{}");
        // Anything else is a registration, and has to be a whole one.
        assert_eq!(parse(&json!({"nonce": "n"})).unwrap_err().path, "type");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for field in ["subscriber_id", "url", "type", "key_id", "signing_public_key", "encr_public_key"] {
            for nothing in [json!(null), json!("")] {
                let mut form = body();
                form[field] = nothing;
                let fault = parse(&form).unwrap_err();
                assert_eq!(fault.path, field);
                assert!(fault.message.starts_with("expected a") && fault.message.ends_with("found none"), "{fault}");
            }
        }
        for (field, wrong) in [
            ("subscriber_id", json!("a\nb")),
            ("subscriber_id", json!(7)),
            ("type", json!("SHOP")),
            ("signing_public_key", json!("AAAA")),
            ("signing_public_key", json!("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
            ("encr_public_key", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
            ("valid_until", json!("2025-01-01T00:00:00Z")),
            ("valid_until", json!("soon")),
            ("nonce", json!(1)),
        ] {
            let mut form = body();
            form[field] = wrong;
            assert_eq!(parse(&form).unwrap_err().path, field, "{}", form[field]);
        }
        assert!(SubscribeRequest::parse(b"[]").unwrap_err().is_malformed());
    }

    #[test]
    fn leaving_is_a_registration_with_a_status() {
        let mut form = body();
        form["status"] = json!("unsubscribed");
        assert_eq!(registration(&form).status, Some(SubscriptionStatus::Unsubscribed));
    }

    #[test]
    fn answers_are_read_in_both_forms() {
        let parse = |answer: Value| SubscribeResponse::parse(answer.to_string().as_bytes());
        let under = SubscriptionStatus::UnderSubscription;
        for answer in [
            json!({"status": "UNDER_SUBSCRIPTION"}),
            json!({"status": "under_subscription", "error": null}),
            json!({"message": {"ack": {"status": "ACK"}}}),
            json!({"message": {"ack": "ack"}}),
        ] {
            assert_eq!(parse(answer).unwrap(), SubscribeResponse { status: under.clone(), error: None });
        }
        let refused = parse(json!({
            "message": {"ack": {"status": "NACK"}},
            "error": {"code": "30000", "message": "expected a key"}
        }));
        let refused = refused.unwrap();
        assert_eq!(refused.status.as_str(), "NACK");
        assert_eq!(refused.error.unwrap().message.as_deref(), Some("expected a key"));
        assert!(parse(json!({"message": {}})).is_err());

        let written = SubscribeResponse { status: under, error: None };
        assert_eq!(serde_json::to_value(written).unwrap(), json!({"status": "UNDER_SUBSCRIPTION"}));
    }
}

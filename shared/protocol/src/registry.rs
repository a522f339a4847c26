//! What a registry knows of its participants: the subscription and the lookup.
//!
//! Invariant: a [`Subscription`] is written in the form of registry API 1.1.0, and read in that form or any
//! of those that deployed registries answer in.

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::fault::Fault;
use crate::ids::{KeyId, SubscriberId};
use crate::json;
use crate::model::{City, Country, Location};
use crate::wire::{wire_enum, wire_object};

wire_enum! {
    /// The role of a participant (`Subscriber.type`). Read in any case.
    pub enum SubscriberType {
        /// A consumer platform.
        Bap = "BAP",
        /// A provider platform.
        Bpp = "BPP",
        /// A gateway.
        Bg = "BG",
        /// A registry.
        Breg = "BREG",
    }
}

wire_enum! {
    /// Where a subscription stands (`Subscription.status`).
    pub enum SubscriptionStatus {
        /// Asked for.
        Initiated = "INITIATED",
        /// Being checked.
        UnderSubscription = "UNDER_SUBSCRIPTION",
        /// In force.
        Subscribed = "SUBSCRIBED",
        /// Over.
        Expired = "EXPIRED",
        /// Given up.
        Unsubscribed = "UNSUBSCRIBED",
        /// The participant's certificate did not pass.
        InvalidSsl = "INVALID_SSL",
    }
}

wire_object! {
    /// One participant in one role and domain, with one key (`Subscription`).
    ///
    /// It derives `Deserialize` for the 1.1.0 form alone; [`Subscription::from_value`] reads them all.
    #[derive(Default)]
    pub struct Subscription {
        /// The participant.
        pub subscriber_id: Option<SubscriberId>,
        /// Where it takes messages.
        pub url: Option<String>,
        /// Its role.
        pub r#type: Option<SubscriberType> as "type",
        /// The domain.
        pub domain: Option<String>,
        /// Where it operates: `country.code` and `city.code`.
        pub location: Option<Location>,
        /// The key's id.
        pub key_id: Option<KeyId>,
        /// The public signing key (Ed25519, Base64).
        pub signing_public_key: Option<String>,
        /// The public encryption key (X25519, Base64).
        pub encr_public_key: Option<String>,
        /// From when the keys hold.
        pub valid_from: Option<Timestamp>,
        /// Until when the keys hold.
        pub valid_until: Option<Timestamp>,
        /// Where the subscription stands.
        pub status: Option<SubscriptionStatus>,
        /// When the entry was made.
        pub created: Option<Timestamp>,
        /// When the entry last changed.
        pub updated: Option<Timestamp>,
    }
}

/// The other names of each field: 0.2.0, 0.9.4 and the deployed registries.
const OTHER_NAMES: &[(&str, &[&str])] = &[
    ("url", &["subscriber_url", "cb_url"]),
    ("key_id", &["unique_key_id", "ukId", "pub_key_id"]),
    ("encr_public_key", &["encryption_public_key"]),
];

impl Subscription {
    /// Reads an entry in any of the known forms.
    ///
    /// # Errors
    /// [`Fault`] with the path of the first field that cannot be read.
    pub fn from_value(value: Value) -> Result<Self, Fault> {
        let Value::Object(entry) = value else {
            return Err(Fault::invalid("", "expected an object"));
        };
        let entry = Value::Object(in_1_1_form(entry)?);
        serde_path_to_error::deserialize(&entry)
            .map_err(|error| Fault::invalid(error.path().to_string(), "expected the form of registry API 1.1.0"))
    }

    /// Reads the answer of a lookup: a list of entries, or one.
    ///
    /// # Errors
    /// [`Fault`] when the body is neither, or with the path of the first field that cannot be read.
    pub fn parse_all(body: &[u8]) -> Result<Vec<Self>, Fault> {
        match json::parse(body)? {
            Value::Array(entries) => entries
                .into_iter()
                .enumerate()
                .map(|(index, entry)| {
                    Self::from_value(entry)
                        .map_err(|fault| Fault::new(fault.code, format!("[{index}].{}", fault.path), fault.message))
                })
                .collect(),
            entry @ Value::Object(_) => Ok(vec![Self::from_value(entry)?]),
            _ => Err(Fault::invalid("", "expected a list of subscriptions")),
        }
    }

    /// Whether the entry is in force at `now`: subscribed, and the keys valid.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.status == Some(SubscriptionStatus::Subscribed)
            && self.valid_from.is_none_or(|from| from <= now)
            && self.valid_until.is_none_or(|until| now < until)
    }
}

/// Brings an entry into the 1.1.0 form.
fn in_1_1_form(mut entry: Map<String, Value>) -> Result<Map<String, Value>, Fault> {
    // Deployed registries send empty text for what they do not know.
    entry.retain(|_, value| value.as_str() != Some("") && !value.is_null());
    for (name, others) in OTHER_NAMES {
        for other in *others {
            if let Some(value) = entry.shift_remove(*other) {
                entry.entry(*name).or_insert(value);
            }
        }
    }
    for place in ["country", "city"] {
        move_place(&mut entry, place);
    }
    for upper in ["type", "status"] {
        if let Some(Value::String(text)) = entry.get_mut(upper) {
            text.make_ascii_uppercase();
        }
    }
    for name in ["valid_from", "valid_until", "created", "updated"] {
        let time = match entry.get(name) {
            None => continue,
            Some(value) => instant(value).ok_or_else(|| {
                Fault::invalid(name, "expected an RFC 3339 date and time, or seconds or milliseconds since 1970")
            })?,
        };
        entry.insert(name.to_owned(), time);
    }
    Ok(entry)
}

/// Moves a flat `country` or `city` into `location`, and gives a place written as text its code.
fn move_place(entry: &mut Map<String, Value>, name: &str) {
    let flat = entry.shift_remove(name);
    let location = entry.entry("location").or_insert_with(|| Value::Object(Map::new()));
    let Some(location) = location.as_object_mut() else {
        return;
    };
    let nested = location.shift_remove(name);
    let place = match nested.or(flat) {
        Some(code @ Value::String(_)) => {
            let mut place = Map::new();
            place.insert("code".to_owned(), code);
            Some(Value::Object(place))
        }
        other => other,
    };
    if let Some(place) = place {
        location.insert(name.to_owned(), place);
    }
    if location.is_empty() {
        entry.shift_remove("location");
    }
}

/// An instant in any of the forms registries write: RFC 3339, the same without a zone (UTC), a date, or a
/// number of seconds or milliseconds since 1970. `None` when it is none of them.
fn instant(value: &Value) -> Option<Value> {
    let time = match value {
        Value::Number(number) => epoch(number.as_i64()?)?,
        Value::String(text) => match text.trim() {
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => epoch(digits.parse().ok()?)?,
            text => text
                .parse()
                .or_else(|_| format!("{text}Z").parse())
                .or_else(|_| format!("{text}T00:00:00Z").parse())
                .ok()?,
        },
        _ => return None,
    };
    Some(Value::String(time.to_string()))
}

/// Seconds, or milliseconds where the number of seconds would lie past the year 5000.
fn epoch(number: i64) -> Option<Timestamp> {
    const MILLISECONDS_FROM: i64 = 100_000_000_000;
    if number >= MILLISECONDS_FROM {
        Timestamp::from_millisecond(number).ok()
    } else {
        Timestamp::from_second(number).ok()
    }
}

/// What a lookup asks for: any combination, each part narrowing the answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LookupRequest {
    /// The participant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscriber_id: Option<SubscriberId>,
    /// The key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<KeyId>,
    /// The role.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub r#type: Option<SubscriberType>,
    /// The domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The country code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The city code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
}

impl LookupRequest {
    /// Reads a lookup in any of the known forms of a subscription; what it does not name is not asked for.
    ///
    /// # Errors
    /// [`Fault`] when the body is no object, or with the path of the first field that cannot be read.
    pub fn parse(body: &[u8]) -> Result<Self, Fault> {
        Subscription::from_value(Value::Object(json::parse_object(body)?)).map(Self::from)
    }

    /// Whether an entry is one asked for. A domain or place the entry does not give matches all.
    #[must_use]
    pub fn matches(&self, entry: &Subscription) -> bool {
        fn same<T: PartialEq>(asked: Option<&T>, given: Option<&T>) -> bool {
            asked.is_none() || asked == given
        }
        fn same_or_all(asked: Option<&str>, given: Option<&str>) -> bool {
            match (asked, given) {
                (Some(asked), Some(given)) => given == "*" || asked == given,
                _ => true,
            }
        }
        let location = entry.location.as_ref();
        let country = location.and_then(|place| place.country.as_ref()).and_then(|country| country.code.as_deref());
        let city = location.and_then(|place| place.city.as_ref()).and_then(|city| city.code.as_deref());
        same(self.subscriber_id.as_ref(), entry.subscriber_id.as_ref())
            && same(self.key_id.as_ref(), entry.key_id.as_ref())
            && same(self.r#type.as_ref(), entry.r#type.as_ref())
            && same_or_all(self.domain.as_deref(), entry.domain.as_deref())
            && same_or_all(self.country.as_deref(), country)
            && same_or_all(self.city.as_deref(), city)
    }
}

impl From<Subscription> for LookupRequest {
    fn from(entry: Subscription) -> Self {
        let location = entry.location.unwrap_or_default();
        Self {
            subscriber_id: entry.subscriber_id,
            key_id: entry.key_id,
            r#type: entry.r#type,
            domain: entry.domain,
            country: location.country.and_then(|Country { code, .. }| code),
            city: location.city.and_then(|City { code, .. }| code),
        }
    }
}

impl<'de> Deserialize<'de> for LookupRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Subscription::from_value(Value::deserialize(deserializer)?).map(Self::from).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    fn specified() -> Value {
        json!({
            "subscriber_id": "bpp.example",
            "url": "https://bpp.example/beckn",
            "type": "BPP",
            "domain": "dhp:consultation:0.1.0",
            "location": {"country": {"code": "IND"}, "city": {"code": "std:080"}},
            "key_id": "k-1",
            "signing_public_key": "s",
            "encr_public_key": "e",
            "valid_from": "2026-01-01T00:00:00Z",
            "valid_until": "2027-01-01T00:00:00Z",
            "status": "SUBSCRIBED",
            "created": "2026-01-01T00:00:00Z",
            "updated": "2026-01-01T00:00:00Z",
            "nonce": "kept"
        })
    }

    #[test]
    fn the_specified_form_survives() {
        let entry = Subscription::from_value(specified()).unwrap();
        assert_eq!(serde_json::to_value(&entry).unwrap(), specified());
        assert_eq!(serde_json::from_value::<Subscription>(specified()).unwrap(), entry);
    }

    #[test]
    fn every_deployed_form_reads_as_the_specified_one() {
        let expected = Subscription::from_value(specified()).unwrap();
        for key in ["key_id", "unique_key_id", "ukId", "pub_key_id"] {
            for url in ["url", "subscriber_url", "cb_url"] {
                let entry = json!({
                    "subscriber_id": "bpp.example",
                    url: "https://bpp.example/beckn",
                    "type": "bpp",
                    "domain": "dhp:consultation:0.1.0",
                    "country": "IND",
                    "city": "std:080",
                    key: "k-1",
                    "signing_public_key": "s",
                    "encryption_public_key": "e",
                    "valid_from": 1_767_225_600,
                    "valid_until": "2027-01-01T00:00:00",
                    "status": "Subscribed",
                    "created": 1_767_225_600_000_i64,
                    "updated": "2026-01-01",
                    "nonce": "kept"
                });
                assert_eq!(Subscription::from_value(entry).unwrap(), expected, "{key} {url}");
            }
        }
        let mut text_places = specified();
        text_places["location"] = json!({"country": "IND", "city": "std:080"});
        assert_eq!(Subscription::from_value(text_places).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let fault = Subscription::from_value(json!({"valid_until": "soon"})).unwrap_err();
        assert_eq!(fault.path, "valid_until");
        let fault = Subscription::parse_all(br#"[{}, {"subscriber_id": 7}]"#).unwrap_err();
        assert_eq!(fault.path, "[1].subscriber_id");
        assert!(Subscription::parse_all(b"7").is_err());
        assert_eq!(Subscription::parse_all(b"[]").unwrap(), []);
        assert_eq!(Subscription::from_value(json!({"city": "", "url": null})).unwrap(), Subscription::default());
    }

    #[test]
    fn an_entry_is_in_force_between_its_times() {
        let entry = Subscription::from_value(specified()).unwrap();
        let at = |text: &str| entry.is_in_force(text.parse().unwrap());
        assert!(at("2026-01-01T00:00:00Z") && at("2026-12-31T23:59:59Z"));
        assert!(!at("2025-12-31T23:59:59Z") && !at("2027-01-01T00:00:00Z"));
        let expired = Subscription { status: Some(SubscriptionStatus::Expired), ..entry };
        assert!(!expired.is_in_force("2026-06-01T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn a_lookup_asks_for_any_combination() {
        let entry = Subscription::from_value(specified()).unwrap();
        let matches = |body: &str| LookupRequest::parse(body.as_bytes()).unwrap().matches(&entry);
        for body in [
            "{}",
            r#"{"subscriber_id":"bpp.example","ukId":"k-1"}"#,
            r#"{"type":"bpp","domain":"dhp:consultation:0.1.0"}"#,
            r#"{"city":"std:080","country":"IND"}"#,
            r#"{"location":{"city":{"code":"std:080"}}}"#,
        ] {
            assert!(matches(body), "{body}");
        }
        for body in [
            r#"{"subscriber_id":"other.example"}"#,
            r#"{"unique_key_id":"k-2"}"#,
            r#"{"type":"BAP"}"#,
            r#"{"domain":"retail"}"#,
            r#"{"city":"std:011"}"#,
        ] {
            assert!(!matches(body), "{body}");
        }
        let asked = LookupRequest { city: Some("std:080".to_owned()), ..LookupRequest::default() };
        assert_eq!(serde_json::to_string(&asked).unwrap(), r#"{"city":"std:080"}"#);
        assert_eq!(serde_json::from_str::<LookupRequest>(r#"{"city":"std:080"}"#).unwrap(), asked);
        // An entry without a place operates everywhere.
        assert!(asked.matches(&Subscription { location: None, ..entry }));
    }
}

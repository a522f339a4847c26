//! One row of a registry, in any of the forms registries write it.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::fault::Fault;
use crate::ids::{KeyId, SubscriberId};
use crate::json;
use crate::model::Location;
use crate::wire::wire_object;

use super::{SubscriberType, SubscriptionStatus};

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

    /// Whether the entry is in force at `now`: subscribed, and the keys valid.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.status == Some(SubscriptionStatus::Subscribed)
            && self.valid_from.is_none_or(|from| from <= now)
            && self.valid_until.is_none_or(|until| now < until)
    }
}

/// The answer of a lookup, as far as it can be read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listed {
    /// The entries that can be read, in their order.
    pub entries: Vec<Subscription>,
    /// What is wrong with each of the others, with its path in the list.
    pub unreadable: Vec<Fault>,
}

impl Listed {
    /// Reads a list of entries, or one. A registry lists what its participants told it, and one of them must not
    /// hide the others.
    ///
    /// # Errors
    /// [`Fault`] when the body is neither, or when it holds entries of which none can be read: that of the first.
    pub fn parse(body: &[u8]) -> Result<Self, Fault> {
        let entries = match json::parse(body)? {
            Value::Array(entries) => entries,
            entry @ Value::Object(_) => {
                return Ok(Self { entries: vec![Subscription::from_value(entry)?], ..Self::default() });
            }
            _ => return Err(Fault::invalid("", "expected a list of subscriptions")),
        };
        let mut listed = Self::default();
        for (index, entry) in entries.into_iter().enumerate() {
            match Subscription::from_value(entry) {
                Ok(entry) => listed.entries.push(entry),
                Err(fault) => {
                    let path = format!("[{index}].{}", fault.path);
                    listed.unreadable.push(Fault::new(fault.code, path, fault.message));
                }
            }
        }
        match listed.unreadable.first() {
            Some(fault) if listed.entries.is_empty() => Err(fault.clone()),
            _ => Ok(listed),
        }
    }
}

/// Brings an entry into the 1.1.0 form.
pub(super) fn in_1_1_form(mut entry: Map<String, Value>) -> Result<Map<String, Value>, Fault> {
    entry.retain(|_, value| is_told(value));
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

/// Whether a value says anything: deployed registries send empty text for what they do not know.
fn is_told(value: &Value) -> bool {
    !value.is_null() && value.as_str() != Some("")
}

/// Moves a flat `country` or `city` into `location`, and gives a place written as text its code.
fn move_place(entry: &mut Map<String, Value>, name: &str) {
    let flat = entry.shift_remove(name);
    let location = entry.entry("location").or_insert_with(|| Value::Object(Map::new()));
    let Some(location) = location.as_object_mut() else {
        return;
    };
    let nested = location.shift_remove(name).filter(is_told);
    let place = match nested.or(flat) {
        Some(Value::Object(mut place)) => {
            if place.get("code").is_some_and(|code| !is_told(code)) {
                place.shift_remove("code");
            }
            Some(Value::Object(place))
        }
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

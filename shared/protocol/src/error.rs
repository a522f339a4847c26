//! Error codes (BECKN-005) and the error object of the wire.
//!
//! Invariant: a code this version does not know survives as it came.

use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $wire:literal, $meaning:literal;)*) => {
        /// An error code: those of BECKN-005, and the two of ONDC for what BECKN-005 has no code for.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Code {
            $(
                #[doc = concat!($wire, ": ", $meaning, ".")]
                $(#[$doc])*
                $variant,
            )*
            /// A code this version does not know, kept as it came.
            Other(String),
        }

        impl Code {
            /// The listed codes, in the order of their numbers.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),*];

            /// Reads a code; one that is not listed becomes `Other`.
            #[must_use]
            pub fn parse(text: &str) -> Self {
                match text {
                    $($wire => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }

            /// The code on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $wire,)*
                    Self::Other(text) => text,
                }
            }

            /// What the code means, for a message that has no better text.
            #[must_use]
            pub const fn meaning(&self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                    Self::Other(_) => "an error of another network",
                }
            }
        }
    };
}

codes! {
    /// Also a message id used twice with different bodies, and a message for or from another participant.
    InvalidRequest = "30000", "the request is not valid";
    ProviderNotFound = "30001", "there is no such provider";
    ProviderLocationNotFound = "30002", "the provider has no such location";
    ProviderCategoryNotFound = "30003", "the provider has no such category";
    ItemNotFound = "30004", "there is no such item";
    CategoryNotFound = "30005", "there is no such category";
    OfferNotFound = "30006", "there is no such offer";
    AddOnNotFound = "30007", "there is no such add-on";
    FulfillmentUnavailable = "30008", "the fulfilment is not available";
    FulfillmentProviderUnavailable = "30009", "the provider of the fulfilment is not available";
    OrderNotFound = "30010", "there is no such order";
    InvalidCancellationReason = "30011", "there is no such cancellation reason";
    InvalidUpdateTarget = "30012", "the order has no such update target";
    UpdateInconsistency = "30013", "the order changes more than the update target";
    EntityToRateNotFound = "30014", "there is nothing of that id to rate";
    InvalidRatingValue = "30015", "the rating value is not valid";
    /// From ONDC: BECKN-005 has none.
    InvalidSignature = "30016", "the signature is not valid";
    /// From ONDC: BECKN-005 has none.
    StaleRequest = "30022", "the request is stale";
    BusinessError = "40000", "the request is refused by a rule of the business";
    ActionNotApplicable = "40001", "the action is not offered here";
    ItemQuantityUnavailable = "40002", "the quantity is not available";
    QuoteUnavailable = "40003", "the quote is no longer available";
    PaymentNotSupported = "40004", "the payment is not supported";
    TrackingNotSupported = "40005", "the order cannot be tracked";
    FulfillmentAgentUnavailable = "40006", "no agent is available for the fulfilment";
    PolicyError = "50000", "the request is refused by policy";
    CancellationNotPossible = "50001", "the cancellation policy does not allow it";
    UpdateNotPossible = "50002", "the update policy does not allow it";
    UnsupportedRatingCategory = "50003", "that category cannot be rated";
    SupportUnavailable = "50004", "there is no support for that";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CodeVisitor;

        impl Visitor<'_> for CodeVisitor {
            type Value = Code;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an error code")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Code, E> {
                Ok(Code::parse(text))
            }

            // Peers also write the code as a number.
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Code, E> {
                Ok(Code::parse(&number.to_string()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Code, E> {
                Ok(Code::parse(&number.to_string()))
            }
        }

        deserializer.deserialize_any(CodeVisitor)
    }
}

/// The error object of Beckn 1.1.0: `{code, paths, message}`.
///
/// The 0.9.4 form is read too (`path` for `paths`); its `type` survives in `extra`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What went wrong.
    pub code: Code,
    /// Where in the message, as a path such as `message.order.items[0].id`.
    pub paths: Option<String>,
    /// What was expected, in words.
    pub message: Option<String>,
    /// Other fields, kept as they came.
    pub extra: Map<String, Value>,
}

impl Error {
    /// An error without a place in the message.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, paths: None, message: Some(message.into()), extra: Map::new() }
    }

    /// The same error at a place in the message.
    #[must_use]
    pub fn at(self, path: impl Into<String>) -> Self {
        Self { paths: Some(path.into()), ..self }
    }

    /// Reads an error object in any of the peers' forms; `None` when it has none of an error's fields.
    pub(crate) fn from_value(value: Value) -> Option<Self> {
        let mut fields = match value {
            Value::Object(fields) => fields,
            Value::String(message) => return Some(Self::new(Code::Other(String::new()), message)),
            _ => return None,
        };
        let text = |value: Value| match value {
            Value::String(text) => Some(text),
            Value::Null => None,
            other => Some(other.to_string()),
        };
        let code = fields.shift_remove("code").and_then(text);
        let path = fields.shift_remove("path").and_then(text);
        let paths = fields.shift_remove("paths").and_then(text).or(path);
        let message = fields.shift_remove("message").and_then(text);
        if code.is_none() && message.is_none() && !fields.contains_key("type") {
            return None;
        }
        Some(Self { code: Code::parse(code.as_deref().unwrap_or_default()), paths, message, extra: fields })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message.as_deref().unwrap_or(self.code.meaning()))?;
        match &self.paths {
            Some(paths) => write!(f, " (at {paths})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;

        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", &self.code)?;
        if let Some(paths) = &self.paths {
            map.serialize_entry("paths", paths)?;
        }
        if let Some(message) = &self.message {
            map.serialize_entry("message", message)?;
        }
        for (key, value) in &self.extra {
            if !matches!(key.as_str(), "code" | "paths" | "message") {
                map.serialize_entry(key, value)?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Error {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_value(value).ok_or_else(|| de::Error::custom("expected an error object with a code and a message"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    #[test]
    fn codes_survive_known_or_not() {
        for code in Code::KNOWN {
            assert_eq!(&Code::parse(code.as_str()), code);
        }
        assert_eq!(Code::parse("99999"), Code::Other("99999".to_owned()));
        assert_eq!(serde_json::from_value::<Code>(json!(30_001)).unwrap(), Code::ProviderNotFound);
        assert_eq!(serde_json::to_value(Code::Other("AUT_1".to_owned())).unwrap(), "AUT_1");
    }

    #[test]
    fn both_forms_of_the_error_object_are_read() {
        let new: Error =
            serde_json::from_value(json!({"code":"30010","paths":"message.order_id","message":"none"})).unwrap();
        assert_eq!(new, Error::new(Code::OrderNotFound, "none").at("message.order_id"));
        let old: Error = serde_json::from_value(
            json!({"type":"CORE-ERROR","code":"30010","path":"message.order_id","message":"none"}),
        )
        .unwrap();
        assert_eq!((&old.code, old.paths.as_deref()), (&Code::OrderNotFound, Some("message.order_id")));
        assert_eq!(
            serde_json::to_value(&old).unwrap(),
            json!({"code":"30010","paths":"message.order_id","message":"none","type":"CORE-ERROR"})
        );
        assert!(serde_json::from_value::<Error>(json!([])).is_err());
        assert!(serde_json::from_value::<Error>(json!({})).is_err());
    }
}

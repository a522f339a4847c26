//! Identifiers that travel in Beckn messages.
//!
//! Invariant: a value of any of these types is non-empty, at most [`MAX_ID_LENGTH`] characters long and
//! free of control characters, so it may be logged, stored as a key and put in a header without checks.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest identifier accepted, in characters.
pub const MAX_ID_LENGTH: usize = 255;

/// Why a text is not an identifier. It never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// The text is empty.
    #[error("expected a non-empty identifier")]
    Empty,
    /// The text is longer than [`MAX_ID_LENGTH`] characters.
    #[error("expected an identifier of at most 255 characters, found {0}")]
    TooLong(usize),
    /// The text has a control character (a line break, for one).
    #[error("expected an identifier without control characters")]
    ControlCharacter,
}

/// Checks the rule every identifier obeys.
pub(crate) fn check(text: &str) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    // Bytes are never fewer than characters: only a long text needs counting.
    if text.len() > MAX_ID_LENGTH {
        let length = text.chars().count();
        if length > MAX_ID_LENGTH {
            return Err(InvalidId::TooLong(length));
        }
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidId::ControlCharacter);
    }
    Ok(())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Reads an identifier: non-empty, at most 255 characters, no control characters.
            ///
            /// # Errors
            /// [`InvalidId`] says which of the rules the text breaks.
            pub fn parse(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// The identifier as it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(text).map_err(serde::de::Error::custom)
            }
        }

        impl crate::wire::Described for $name {
            const SHAPE: crate::wire::Shape = crate::wire::Shape::Id;
        }

        crate::wire::required_field!($name);
    };
}

id! {
    /// A network participant: the `subscriber_id` of the registry, by default a domain name.
    SubscriberId
}
id! {
    /// One signing key of a participant: the registry's `key_id`, the second part of a `keyId`.
    KeyId
}
id! {
    /// One transaction, from search through fulfilment: `context.transaction_id`.
    TransactionId
}
id! {
    /// One request and its callback: `context.message_id`.
    MessageId
}
id! {
    /// A confirmed order, named by the provider platform.
    OrderId
}
id! {
    /// A provider (a hospital, a clinic, a laboratory) in a catalogue.
    ProviderId
}
id! {
    /// An item (a service) of a provider.
    ItemId
}
id! {
    /// One way and time of fulfilling an item.
    FulfillmentId
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn rules_are_enforced_and_named() {
        assert_eq!(OrderId::parse(""), Err(InvalidId::Empty));
        for control in ["a\nb", "a\u{7f}", "\0", "é\n", "\u{85}"] {
            assert_eq!(OrderId::parse(control), Err(InvalidId::ControlCharacter), "{control:?}");
        }
        assert_eq!(OrderId::parse("x".repeat(256)), Err(InvalidId::TooLong(256)));
        assert!(OrderId::parse("x".repeat(255)).is_ok());
        // 255 characters of two bytes each are still 255 characters.
        assert!(OrderId::parse("é".repeat(255)).is_ok());
    }

    #[test]
    fn serde_goes_through_parse() {
        let id: OrderId = serde_json::from_str("\"o-1\"").unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"o-1\"");
        let error = serde_json::from_str::<OrderId>("\"\"").unwrap_err();
        assert!(error.to_string().contains("non-empty"), "{error}");
    }
}

//! Identifiers.
//!
//! Invariant: an identifier is 1 to 128 visible ASCII characters and none of `@ # | " \`.
//! `@` joins a service to a start time in a [`SlotId`](crate::slot::SlotId), `#` and `|` join
//! parts of a storage key, quotes and backslashes would need escaping in JSON and logs. So an
//! identifier can be put into any of these without escaping, and split out again.

use std::fmt;

/// The longest identifier, in characters.
pub const MAX_ID_LEN: usize = 128;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty.
    #[error("expected an identifier of 1 to {MAX_ID_LEN} characters, found an empty text")]
    Empty,
    /// The text is longer than [`MAX_ID_LEN`].
    #[error("expected an identifier of 1 to {MAX_ID_LEN} characters, found {0}")]
    TooLong(usize),
    /// The text holds a character that an identifier may not have.
    #[error("expected visible ASCII without @ # | \" \\ in an identifier, found {found:?} at position {position}")]
    Character {
        /// The character at fault.
        found: char,
        /// Its position, counted in characters from 0.
        position: usize,
    },
}

/// Checks the rule above.
pub(crate) fn check_id(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    let length = text.chars().count();
    if length > MAX_ID_LEN {
        return Err(IdError::TooLong(length));
    }
    match text.chars().enumerate().find(|(_, c)| !c.is_ascii_graphic() || matches!(c, '@' | '#' | '|' | '"' | '\\')) {
        Some((position, found)) => Err(IdError::Character { found, position }),
        None => Ok(()),
    }
}

/// Declares identifiers that obey the rule of this module.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses an identifier; see [`IdError`](crate::catalogue::IdError) for the rule.
            pub fn parse(text: impl Into<String>) -> Result<Self, $crate::catalogue::IdError> {
                let text = text.into();
                $crate::catalogue::check_id(&text)?;
                Ok(Self(text))
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::catalogue::IdError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::catalogue::IdError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.0, f)
            }
        }
    )*};
}
pub(crate) use ids;

ids! {
    /// A facility: Beckn's `provider.id`.
    FacilityId;
    /// A department of one facility: Beckn's `category.id`.
    DepartmentId;
    /// A practitioner within this catalogue. Not the registration number, see
    /// [`Practitioner::registration_id`](crate::catalogue::Practitioner::registration_id).
    PractitionerId;
    /// A service of a practitioner: Beckn's `item.id`, unique in the catalogue.
    ServiceId;
    /// A city as `context.location.city.code` names it, such as `std:080`.
    CityCode;
}

/// A three-letter ISO 4217 currency code, such as `INR`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// Parses three capital ASCII letters.
    pub fn parse(text: &str) -> Result<Self, CurrencyError> {
        match text.as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Self([a, b, c])),
            _ => Err(CurrencyError(text.chars().take(16).collect())),
        }
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        // The bytes are ASCII by construction; the fallback can never be reached.
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }
}

/// The text is not a currency code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a currency as three capital letters (ISO 4217), such as INR, found {0:?}")]
pub struct CurrencyError(String);

impl TryFrom<String> for Currency {
    type Error = CurrencyError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn published_identifiers_pass() {
        for id in ["289edce4-d002-4962-b311-4c025e22b4f6", "cons-01", "1", "std:080", "ful/01?x=y"] {
            assert_eq!(FacilityId::parse(id).unwrap().as_str(), id);
        }
    }

    #[test]
    fn separators_and_blanks_are_refused_and_named() {
        assert_eq!(ServiceId::parse(""), Err(IdError::Empty));
        assert_eq!(ServiceId::parse("a".repeat(129)), Err(IdError::TooLong(129)));
        for bad in ['@', '#', '|', '"', '\\', ' ', '\n', 'é'] {
            let error = ServiceId::parse(format!("ab{bad}c")).unwrap_err();
            assert_eq!(error, IdError::Character { found: bad, position: 2 });
        }
    }

    #[test]
    fn currency_is_three_capitals() {
        assert_eq!(Currency::parse("INR").unwrap().to_string(), "INR");
        for bad in ["inr", "RUPEE", "", "I1R"] {
            assert!(Currency::parse(bad).is_err(), "{bad}");
        }
    }
}

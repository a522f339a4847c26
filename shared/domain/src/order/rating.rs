//! Ratings given after a consultation: Beckn's `ratings[]`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is rated: Beckn's `rating_category`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum RatingCategory {
    /// The service.
    Item,
    /// The order as a whole.
    Order,
    /// How it was carried out.
    Fulfillment,
    /// The facility.
    Provider,
    /// The practitioner.
    Agent,
    /// The support given.
    Support,
}

impl RatingCategory {
    /// Every category, as `rating_categories` lists them.
    pub const ALL: [RatingCategory; 6] =
        [Self::Item, Self::Order, Self::Fulfillment, Self::Provider, Self::Agent, Self::Support];

    /// Beckn's word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Item => "Item",
            Self::Order => "Order",
            Self::Fulfillment => "Fulfillment",
            Self::Provider => "Provider",
            Self::Agent => "Agent",
            Self::Support => "Support",
        }
    }
}

/// Why a rating is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RatingError {
    /// The category is unknown.
    #[error("expected a rating_category of Item, Order, Fulfillment, Provider, Agent or Support, found {0:?}")]
    Category(String),
    /// The value is not 1 to 5.
    #[error("expected a rating value of 1, 2, 3, 4 or 5, found {0:?}")]
    Value(String),
}

impl FromStr for RatingCategory {
    type Err = RatingError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|c| c.as_str().eq_ignore_ascii_case(text.trim()));
        known.ok_or_else(|| RatingError::Category(text.chars().take(32).collect()))
    }
}

impl TryFrom<String> for RatingCategory {
    type Error = RatingError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RatingCategory> for &'static str {
    fn from(category: RatingCategory) -> Self {
        category.as_str()
    }
}

/// One to five stars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RatingValue(u8);

impl RatingValue {
    /// Parses Beckn's `rating.value`, such as `4` or `4.0`.
    ///
    /// # Errors
    /// Anything but a whole number from 1 to 5.
    pub fn parse(text: &str) -> Result<Self, RatingError> {
        let error = || RatingError::Value(text.chars().take(32).collect());
        let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), "0"));
        match whole.as_bytes() {
            &[digit @ b'1'..=b'5'] if !fraction.is_empty() && fraction.bytes().all(|b| b == b'0') => {
                Ok(Self(digit - b'0'))
            }
            _ => Err(error()),
        }
    }

    /// The number of stars, 1 to 5.
    pub fn stars(&self) -> u8 {
        self.0
    }
}

impl fmt::Display for RatingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl TryFrom<String> for RatingValue {
    type Error = RatingError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<RatingValue> for String {
    fn from(value: RatingValue) -> Self {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn values_are_one_to_five() {
        assert_eq!(RatingValue::parse("4").unwrap().stars(), 4);
        assert_eq!(RatingValue::parse("5.0").unwrap().stars(), 5);
        for bad in ["0", "6", "4.5", "", "five", "-1", "4."] {
            assert!(RatingValue::parse(bad).unwrap_err().to_string().contains("1, 2, 3, 4 or 5"), "{bad}");
        }
    }

    #[test]
    fn categories_are_beckns_words_in_any_case() {
        for category in RatingCategory::ALL {
            assert_eq!(category.as_str().to_uppercase().parse::<RatingCategory>().unwrap(), category);
        }
        assert!("Doctor".parse::<RatingCategory>().is_err());
    }
}

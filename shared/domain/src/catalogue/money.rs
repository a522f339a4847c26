//! Fees.
//!
//! Invariant: an [`Amount`] is not negative, has at most two decimals and is at most
//! [`MAX_AMOUNT`]; a [`Percent`] is 0 to 100 with at most three decimals. Sums and products of
//! what one order holds therefore never overflow and never lose a digit.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::id::Currency;

/// The largest single amount, in units of the currency.
pub const MAX_AMOUNT: u64 = 1_000_000_000;

/// Why a number is not an amount or a percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found:?}")]
pub struct MoneyError {
    expected: &'static str,
    found: String,
}

const AMOUNT: &str = "an amount from 0 to 1000000000 with at most two decimals, such as \"500\" or \"99.50\"";
const PERCENT: &str = "a percentage from 0 to 100 with at most three decimals, such as \"5\" or \"2.5\"";

/// A sum of money without its currency.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(Decimal);

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(Decimal::ZERO);

    /// Checks the range and the decimals.
    pub fn new(value: Decimal) -> Result<Self, MoneyError> {
        let value = value.normalize();
        if value.is_sign_negative() && !value.is_zero() || value > Decimal::from(MAX_AMOUNT) || value.scale() > 2 {
            return Err(MoneyError { expected: AMOUNT, found: value.to_string() });
        }
        Ok(Self(value.abs()))
    }

    /// Parses decimal text.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        Self::new(decimal(text, AMOUNT)?)
    }

    /// The number.
    pub fn value(&self) -> Decimal {
        self.0
    }

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }
}

/// A tax rate in percent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Percent(Decimal);

impl Percent {
    /// No tax.
    pub const ZERO: Percent = Percent(Decimal::ZERO);

    /// Checks the range and the decimals.
    pub fn new(value: Decimal) -> Result<Self, MoneyError> {
        let value = value.normalize();
        if !(Decimal::ZERO..=Decimal::ONE_HUNDRED).contains(&value) || value.scale() > 3 {
            return Err(MoneyError { expected: PERCENT, found: value.to_string() });
        }
        Ok(Self(value))
    }

    /// Parses decimal text.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        Self::new(decimal(text, PERCENT)?)
    }

    /// The number of percent.
    pub fn value(&self) -> Decimal {
        self.0
    }

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }
}

fn decimal(text: &str, expected: &'static str) -> Result<Decimal, MoneyError> {
    Decimal::from_str_exact(text.trim()).map_err(|_| MoneyError { expected, found: text.chars().take(32).collect() })
}

/// Both types are JSON text; a JSON integer is accepted as well, a fraction is not, because JSON
/// readers turn it into a binary float.
macro_rules! decimal_json {
    ($($name:ident $expected:ident;)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::parse(text).map_err(E::custom)
                    }
                    fn visit_u64<E: de::Error>(self, number: u64) -> Result<$name, E> {
                        $name::new(Decimal::from(number)).map_err(E::custom)
                    }
                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<$name, E> {
                        $name::new(Decimal::from(number)).map_err(E::custom)
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }
    )*};
}
decimal_json! {
    Amount AMOUNT;
    Percent PERCENT;
}

/// What a service costs. Taxes are on the consultation alone; see [`Quote`](crate::quote::Quote).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fee {
    /// The currency of both amounts.
    pub currency: Currency,
    /// The consultation itself, before tax.
    pub consultation: Amount,
    /// A registration charge, untaxed. Absent means none.
    #[serde(default, skip_serializing_if = "Amount::is_zero")]
    pub registration: Amount,
    /// Central goods and services tax on the consultation. Absent means none.
    #[serde(default, skip_serializing_if = "Percent::is_zero")]
    pub cgst_percent: Percent,
    /// State goods and services tax on the consultation. Absent means none.
    #[serde(default, skip_serializing_if = "Percent::is_zero")]
    pub sgst_percent: Percent,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn amounts_are_never_negative_or_finer_than_two_decimals() {
        assert_eq!(Amount::parse("99.50").unwrap().to_string(), "99.5");
        assert_eq!(Amount::parse("-0").unwrap(), Amount::ZERO);
        for bad in ["-1", "1.005", "1000000001", "", "ten", "1e3"] {
            assert!(Amount::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn json_is_text_or_an_integer() {
        let fee: Fee = serde_json::from_str(r#"{"currency":"INR","consultation":500}"#).unwrap();
        assert_eq!(serde_json::to_string(&fee).unwrap(), r#"{"currency":"INR","consultation":"500"}"#);
        let float = serde_json::from_str::<Amount>("99.5").unwrap_err().to_string();
        assert!(float.contains("at most two decimals"), "{float}");
    }

    #[test]
    fn percentages_stay_within_a_hundred() {
        assert!(Percent::parse("2.5").is_ok() && Percent::parse("100").is_ok());
        for bad in ["-5", "100.5", "1.2345"] {
            assert!(Percent::parse(bad).is_err(), "{bad}");
        }
    }
}

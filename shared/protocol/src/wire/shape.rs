//! The form of a wire value, as data.
//!
//! A message is checked against the shape of its type in one walk, before any object is built; a value
//! that fits its shape is one its type accepts.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::duration::Ttl;
use crate::ids;
use crate::model::Gps;

/// The form a value must have.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Any text.
    Text,
    /// An identifier (see [`crate::ids`]).
    Id,
    /// A decimal number written as text.
    Decimal,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// An instant: RFC 3339 date and time with a zone.
    Timestamp,
    /// An ISO 8601 duration.
    Duration,
    /// `latitude,longitude` in decimal degrees.
    Gps,
    /// An object, by its name and its fields.
    Object(&'static str, fn() -> &'static [Field]),
    /// A list of values of one form.
    List(&'static Shape),
    /// Anything.
    Any,
}

/// One field of an object.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The name on the wire.
    pub name: &'static str,
    /// The form of its value.
    pub shape: Shape,
    /// Whether the object is refused without it.
    pub required: bool,
}

impl Shape {
    /// Whether a value has this form, looking at the value itself and not at what it contains.
    /// `null` fits everything: it reads as absent.
    #[must_use]
    pub fn fits(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Any, _)
            | (_, Value::Null)
            | (Self::Boolean, Value::Bool(_))
            | (Self::Object(..), Value::Object(_))
            | (Self::List(_), Value::Array(_)) => true,
            (Self::Integer, Value::Number(number)) => number.is_i64(),
            (_, Value::String(text)) => self.fits_text(text),
            _ => false,
        }
    }

    /// Whether a text has this form.
    #[must_use]
    pub(crate) fn fits_text(&self, text: &str) -> bool {
        match self {
            Self::Any | Self::Text => true,
            Self::Id => ids::check(text).is_ok(),
            Self::Decimal => is_decimal(text),
            Self::Timestamp => is_timestamp(text),
            Self::Duration => Ttl::parse(text).is_ok(),
            Self::Gps => Gps::parse(text).is_ok(),
            Self::Integer | Self::Boolean | Self::Object(..) | Self::List(_) => false,
        }
    }

    /// What is expected, for an error message.
    #[must_use]
    pub const fn expected(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Id => "an identifier of 1 to 255 characters",
            Self::Decimal => "a decimal number written as text, such as \"300.50\"",
            Self::Integer => "a whole number",
            Self::Boolean => "true or false",
            Self::Timestamp => "an RFC 3339 date and time with a zone, such as \"2026-01-31T09:30:00Z\"",
            Self::Duration => "an ISO 8601 duration, such as \"PT10M\"",
            Self::Gps => "\"latitude,longitude\" in decimal degrees",
            Self::Object(..) => "an object",
            Self::List(_) => "a list",
            Self::Any => "a value",
        }
    }
}

/// The kind of a value, for an error message that must not repeat the value.
#[must_use]
pub(crate) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The `DecimalValue` of Beckn 1.1.0, as far as [`Decimal`] can hold it: digits, one point, a sign.
pub(crate) fn is_decimal(text: &str) -> bool {
    // `Decimal` also reads underscores and exponents, which are no part of the wire form.
    text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'+' | b'-'))
        && text.parse::<Decimal>().is_ok()
}

/// RFC 3339 with `T` and a zone. The parser alone would also accept a space and other extensions.
pub(crate) fn is_timestamp(text: &str) -> bool {
    text.as_bytes().get(10).is_some_and(|byte| byte.eq_ignore_ascii_case(&b'T')) && text.parse::<Timestamp>().is_ok()
}

/// A type that has a wire form.
pub trait Described {
    /// Its form.
    const SHAPE: Shape;
}

macro_rules! described {
    ($($name:ty => $shape:expr),* $(,)?) => {
        $(impl Described for $name {
            const SHAPE: Shape = $shape;
        })*
    };
}

described! {
    String => Shape::Text,
    bool => Shape::Boolean,
    i64 => Shape::Integer,
    Decimal => Shape::Decimal,
    Timestamp => Shape::Timestamp,
    Value => Shape::Any,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    #[test]
    fn what_fits_is_what_the_type_accepts() {
        let samples = [
            json!("2023-05-25T05:23:03.443Z"),
            json!("2023-05-25T05:23:03+05:30"),
            json!("2023-05-25 05:23:03Z"),
            json!("2023-05-25T05:23:03"),
            json!("300"),
            json!("-0.5"),
            json!("1_000"),
            json!("1e5"),
            json!(".5"),
            json!(""),
            json!("PT10M"),
            json!("12.9,77.6"),
            json!(300),
            json!(3.5),
            json!(true),
            json!([]),
            json!({}),
        ];
        for sample in &samples {
            if Shape::Timestamp.fits(sample) {
                assert!(serde_json::from_value::<Timestamp>(sample.clone()).is_ok(), "{sample}");
            }
            if Shape::Decimal.fits(sample) {
                assert!(serde_json::from_value::<Decimal>(sample.clone()).is_ok(), "{sample}");
            }
            if Shape::Integer.fits(sample) {
                assert!(serde_json::from_value::<i64>(sample.clone()).is_ok(), "{sample}");
            }
        }
        assert!(
            Shape::Decimal.fits(&json!("300"))
                && Shape::Decimal.fits(&json!("-0.5"))
                && Shape::Decimal.fits(&json!(".5"))
        );
        for wrong in ["1_000", "1e5", "", "300 INR", "1.2.3"] {
            assert!(!Shape::Decimal.fits(&json!(wrong)), "{wrong}");
        }
        assert!(!Shape::Decimal.fits(&json!(300)));
        assert!(Shape::Timestamp.fits(&json!("2023-05-25T05:23:03.443Z")));
        assert!(!Shape::Timestamp.fits(&json!("2023-05-25 05:23:03Z")));
        assert!(!Shape::Timestamp.fits(&json!("2023-05-25T05:23:03")));
        assert!(!Shape::Id.fits(&json!("")));
    }
}

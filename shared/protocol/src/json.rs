//! One strict parse of a body.
//!
//! Invariant: a parsed body has no key twice (two readers could believe different values) and is at most
//! [`MAX_DEPTH`] deep (so that every later walk may recurse).

use std::cell::RefCell;
use std::fmt::{self, Write as _};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use crate::fault::Fault;

/// How deep a body may be nested.
pub const MAX_DEPTH: usize = 64;

/// Parses a body that must be one JSON object.
pub(crate) fn parse_object(body: &[u8]) -> Result<Map<String, Value>, Fault> {
    match parse(body)? {
        Value::Object(object) => Ok(object),
        _ => Err(Fault::malformed("", "expected a JSON object")),
    }
}

/// Parses a body: UTF-8, JSON, no key twice, at most [`MAX_DEPTH`] deep, nothing after the value.
///
/// # Errors
/// A malformed [`Fault`] with the place: the path of a doubled or too deep value, else line and column.
pub fn parse(body: &[u8]) -> Result<Value, Fault> {
    let text = std::str::from_utf8(body).map_err(|error| {
        Fault::malformed("", format!("expected UTF-8, found other bytes at {}", error.valid_up_to()))
    })?;
    let trail = Trail::default();
    let mut reader = serde_json::Deserializer::from_str(text);
    let parsed =
        Node { depth: 0, trail: &trail }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    parsed.map_err(|error| match trail.refusal.get() {
        Some(refusal) => Fault::malformed(trail.path(), refusal),
        None => Fault::malformed(
            "",
            format!("expected JSON, found none at line {}, column {}", error.line(), error.column()),
        ),
    })
}

/// Where a refusal happened, written on the way out so that a good body pays nothing for it.
#[derive(Default)]
struct Trail {
    refusal: std::cell::Cell<Option<&'static str>>,
    /// From the innermost outwards.
    steps: RefCell<Vec<Step>>,
}

enum Step {
    Key(String),
    Index(usize),
}

impl Trail {
    fn path(&self) -> String {
        let mut path = String::new();
        for step in self.steps.borrow().iter().rev() {
            // Writing to a String cannot fail.
            let _ = match step {
                Step::Key(key) if path.is_empty() => write!(path, "{key}"),
                Step::Key(key) => write!(path, ".{key}"),
                Step::Index(index) => write!(path, "[{index}]"),
            };
        }
        path
    }
}

/// The value of a member of a body, read as [`parse`] reads it, for whoever reads the body itself. What is
/// refused has no path here.
pub(crate) struct Member;

impl<'de> DeserializeSeed<'de> for Member {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Node { depth: 1, trail: &Trail::default() }.deserialize(deserializer)
    }
}

/// One value on the way in.
#[derive(Clone, Copy)]
struct Node<'a> {
    depth: usize,
    trail: &'a Trail,
}

impl Node<'_> {
    fn child<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            self.trail.refusal.set(Some("expected at most 64 levels of nesting, found more"));
            return Err(E::custom("too deep"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let child = self.child()?;
        let mut values = Vec::new();
        loop {
            match list.next_element_seed(child) {
                Ok(Some(value)) => values.push(value),
                Ok(None) => return Ok(Value::Array(values)),
                Err(error) => {
                    self.trail.steps.borrow_mut().push(Step::Index(values.len()));
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let child = self.child()?;
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = match map.next_value_seed(child) {
                Ok(value) => value,
                Err(error) => {
                    self.trail.steps.borrow_mut().push(Step::Key(key));
                    return Err(error);
                }
            };
            // One look at the map both finds a doubled key and stores a new one.
            match object.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(value);
                }
                Entry::Occupied(place) => {
                    self.trail.refusal.set(Some("expected each key once, found this one twice"));
                    self.trail.steps.borrow_mut().push(Step::Key(place.key().clone()));
                    return Err(A::Error::custom("duplicate key"));
                }
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_parsed() {
        let text = r#" {"a":[1,-2,2.5,"x\n",null,true],"b":{"c":{}}} "#;
        assert_eq!(parse(text.as_bytes()).unwrap(), json!({"a":[1,-2,2.5,"x\n",null,true],"b":{"c":{}}}));
    }

    #[test]
    fn a_number_is_written_as_it_was_meant() {
        // Read to the nearest double and not near it: written and read again it is the same.
        for text in ["-4.444444444444444e23", "0.1", "1e-7", "2.2250738585072014e-308", "1.7976931348623157e308"] {
            let value = parse(text.as_bytes()).unwrap();
            assert_eq!(value.as_f64(), Some(text.parse().unwrap()), "{text}");
            assert_eq!(parse(value.to_string().as_bytes()).unwrap(), value, "{text}");
        }
        let long = parse(b"-444444444444444444444444").unwrap();
        assert_eq!(parse(long.to_string().as_bytes()).unwrap(), long);
    }

    #[test]
    fn a_key_given_twice_is_refused_with_its_path() {
        let fault = parse(br#"{"message":{"order":{"items":[{},{"id":"1","id":"2"}]}}}"#).unwrap_err();
        assert!(fault.is_malformed());
        assert_eq!(fault.path, "message.order.items[1].id");
        // Escapes do not hide it.
        assert_eq!(parse(br#"{"id":1,"\u0069d":2}"#).unwrap_err().path, "id");
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        let fault = parse(nested(MAX_DEPTH + 1).as_bytes()).unwrap_err();
        assert!(fault.message.contains("64 levels") && fault.path.starts_with("[0][0]"), "{fault}");
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn what_is_no_json_is_refused_without_repeating_it() {
        for body in [&b""[..], b"{", b"{}x", b"nope", b"\xff", b"{\"a\":\"secret", b"{'a':1}", b"\xef\xbb\xbf{}"] {
            let fault = parse(body).unwrap_err();
            assert!(fault.is_malformed() && !fault.message.contains("secret"), "{fault}");
        }
    }
}

//! One pass over the bytes of a message that is sound, as nearly all are, without building it.
//!
//! Invariant: it only ever says yes. A message that passes is one whose body [`super::read`] accepts in the
//! strict reading: the same JSON, each key once, the same depth, every known field with its form by the same
//! [`Shape`]s, nothing under a name that is known to be wrong. Of any other it says nothing, also not what is
//! at fault: [`super::read`] does.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::json;
use crate::wire::{Field, Key, Shape};

use super::faults;

/// A message of which only the context is left to be checked.
pub(super) struct Skimmed {
    /// The context as it came, if it did.
    pub(super) context: Option<Value>,
}

/// Skims a message that should hold a body of this shape and no error.
pub(super) fn skim(body: &[u8], shape: Shape) -> Option<Skimmed> {
    let mut reader = serde_json::Deserializer::from_str(std::str::from_utf8(body).ok()?);
    let skimmed = Whole { shape }.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(skimmed)
}

/// Ends the pass. Nobody is told why.
fn unsure<E: Error>() -> E {
    E::custom("")
}

/// The whole message.
struct Whole {
    shape: Shape,
}

impl<'de> DeserializeSeed<'de> for Whole {
    type Value = Skimmed;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Skimmed, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Whole {
    type Value = Skimmed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Skimmed, A::Error> {
        let body = Form { shape: &self.shape, depth: 1 };
        let other = Form { shape: &Shape::Any, depth: 1 };
        let mut context = None;
        let mut has_body = false;
        let mut names = Names::default();
        while let Some(Key(name)) = map.next_key()? {
            match name.as_ref() {
                "context" => context = Some(map.next_value_seed(json::Member)?),
                "message" => has_body = map.next_value_seed(body)? == Found::Value,
                // Beside an error the body may be partial: that is read with care.
                "error" => {
                    if map.next_value_seed(other)? == Found::Value {
                        return Err(unsure());
                    }
                }
                _ => {
                    map.next_value_seed(other)?;
                }
            }
            names.0.push(name);
        }
        if has_body && names.are_all_different() { Ok(Skimmed { context }) } else { Err(unsure()) }
    }
}

/// What stands where a value was looked for.
#[derive(PartialEq, Eq)]
enum Found {
    Value,
    /// It reads as absent.
    Null,
}

/// A value that should have this form.
#[derive(Clone, Copy)]
struct Form<'s> {
    shape: &'s Shape,
    /// Of the value itself; the whole message has none.
    depth: usize,
}

impl<'s> Form<'s> {
    /// The form of what the value contains.
    fn child<E: Error>(self, shape: &'s Shape) -> Result<Self, E> {
        if self.depth < json::MAX_DEPTH { Ok(Self { shape, depth: self.depth + 1 }) } else { Err(unsure()) }
    }
}

/// A value that fits, or the end of the pass.
fn fitting<E: Error>(fits: bool) -> Result<Found, E> {
    if fits { Ok(Found::Value) } else { Err(unsure()) }
}

impl<'de> DeserializeSeed<'de> for Form<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        // Every value is read for what it is, as when it is built: what cannot be read then is not skipped now.
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Form<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shape.expected())
    }

    fn visit_unit<E>(self) -> Result<Found, E> {
        Ok(Found::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Found, E> {
        fitting(matches!(self.shape, Shape::Boolean | Shape::Any))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Found, E> {
        fitting(match self.shape {
            Shape::Integer => i64::try_from(value).is_ok(),
            shape => matches!(shape, Shape::Any),
        })
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Found, E> {
        fitting(matches!(self.shape, Shape::Integer | Shape::Any))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Found, E> {
        fitting(matches!(self.shape, Shape::Any))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Found, E> {
        fitting(self.shape.fits_text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Found, A::Error> {
        let element = match self.shape {
            Shape::List(element) => self.child(element)?,
            Shape::Any => self.child(&Shape::Any)?,
            _ => return Err(unsure()),
        };
        while let Some(found) = list.next_element_seed(element)? {
            // A member that is null reads as absent; an element cannot.
            if found == Found::Null && !matches!(element.shape, Shape::Any) {
                return Err(unsure());
            }
        }
        Ok(Found::Value)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        let fields: &[Field] = match self.shape {
            Shape::Object(_, fields) => fields(),
            Shape::Any => &[],
            _ => return Err(unsure()),
        };
        let anything = self.child(&Shape::Any)?;
        // One bit for each known field that was met, or met with a value.
        let (mut met, mut has_value) = (0_u64, 0_u64);
        let mut names = Names::default();
        while let Some(Key(name)) = map.next_key()? {
            let Some(at) = fields.iter().position(|field| field.name == name) else {
                if faults::naming(fields, &name).is_some() {
                    return Err(unsure());
                }
                map.next_value_seed(anything)?;
                names.0.push(name);
                continue;
            };
            let (Some(field), Some(bit)) = (fields.get(at), 1_u64.checked_shl(at as u32)) else {
                return Err(unsure());
            };
            if met & bit != 0 {
                return Err(unsure());
            }
            met |= bit;
            if map.next_value_seed(self.child(&field.shape)?)? == Found::Value {
                has_value |= bit;
            }
        }
        let has_required = fields
            .iter()
            .enumerate()
            .all(|(at, field)| !field.required || has_value.checked_shr(at as u32).is_some_and(|bits| bits & 1 == 1));
        fitting(has_required && names.are_all_different())
    }
}

/// Names of one object that no bit stands for; usually none or few.
#[derive(Default)]
struct Names<'de>(Vec<Cow<'de, str>>);

impl Names<'_> {
    /// Sorting costs the same whatever names a stranger thinks of.
    fn are_all_different(mut self) -> bool {
        self.0.sort_unstable();
        self.0.windows(2).all(|pair| pair.first() != pair.last())
    }
}

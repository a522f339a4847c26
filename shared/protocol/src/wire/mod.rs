//! How a wire object is read, written and described.
//!
//! Invariant: an object defined by `wire_object!` keeps every field it does not know (in `extra`),
//! refuses a field given twice, leaves out what is absent, and is described by a [`Shape`] from which
//! the same fields can be checked in a parsed message without building the object.

mod enumeration;
pub(crate) mod object;
mod shape;

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap};
use serde_json::Value;

pub(crate) use enumeration::wire_enum;
pub(crate) use object::wire_object;
pub(crate) use shape::kind;
pub use shape::{Described, Field, Shape};

/// A member of a wire object: optional (`Option`), repeated (`Vec`) or required (anything else).
pub trait Member: Sized {
    /// Whether the object is refused without it.
    const REQUIRED: bool;

    /// The form of the value.
    const MEMBER_SHAPE: Shape;

    /// The value of a member that was not sent; `None` when it is required.
    fn absent() -> Option<Self>;

    /// Whether the member is left out when written.
    fn is_absent(&self) -> bool;

    /// Reads the value; `null` counts as not sent where that is allowed.
    ///
    /// # Errors
    /// When the value does not have the expected form.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    /// Writes the entry `name`.
    ///
    /// # Errors
    /// Only those of the writer.
    fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error>;
}

impl<T: for<'a> Deserialize<'a> + Serialize + Described> Member for Option<T> {
    const REQUIRED: bool = false;
    const MEMBER_SHAPE: Shape = T::SHAPE;

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }

    fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry(name, self)
    }
}

impl<T: for<'a> Deserialize<'a> + Serialize + Described> Member for Vec<T> {
    const REQUIRED: bool = false;
    const MEMBER_SHAPE: Shape = Shape::List(&T::SHAPE);

    fn absent() -> Option<Self> {
        Some(Self::new())
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<Self>::deserialize(deserializer)?.unwrap_or_default())
    }

    fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry(name, self)
    }
}

/// Makes a type usable as a required member.
macro_rules! required_field {
    ($name:ty) => {
        impl $crate::wire::Member for $name {
            const REQUIRED: bool = true;
            const MEMBER_SHAPE: $crate::wire::Shape = <$name as $crate::wire::Described>::SHAPE;

            fn absent() -> Option<Self> {
                None
            }

            fn is_absent(&self) -> bool {
                false
            }

            fn read<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <$name as serde::Deserialize<'de>>::deserialize(deserializer)
            }

            fn write<M: serde::ser::SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
                map.serialize_entry(name, self)
            }
        }
    };
}
pub(crate) use required_field;

required_field!(String);

/// A [`Member`] as the value of a map, so that a path tracker sees it under its key.
pub(crate) struct Slot<T>(pub(crate) T);

impl<'de, T: Member> Deserialize<'de> for Slot<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read(deserializer).map(Slot)
    }
}

/// Reads one member of an object, refusing a second occurrence.
pub(crate) fn read_member<'de, A: MapAccess<'de>, T: Member>(
    map: &mut A,
    name: &'static str,
    into: &mut Option<T>,
) -> Result<(), A::Error> {
    if into.is_some() {
        return Err(A::Error::duplicate_field(name));
    }
    *into = Some(map.next_value::<Slot<T>>()?.0);
    Ok(())
}

/// Keeps one member the object does not know, refusing a second occurrence.
pub(crate) fn read_extra<'de, A: MapAccess<'de>>(
    map: &mut A,
    name: Cow<'de, str>,
    extra: &mut serde_json::Map<String, Value>,
) -> Result<(), A::Error> {
    let value = map.next_value::<Value>()?;
    match extra.insert(name.into_owned(), value) {
        None => Ok(()),
        Some(_) => Err(A::Error::custom("a field is given twice")),
    }
}

/// Settles a member after the whole object was read.
pub(crate) fn settle<T: Member, E: serde::de::Error>(read: Option<T>, name: &'static str) -> Result<T, E> {
    read.or_else(T::absent).ok_or_else(|| E::missing_field(name))
}

/// The key of an object member, borrowed from the input where possible.
pub(crate) struct Key<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E>(self, text: String) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text)))
            }
        }

        deserializer.deserialize_str(KeyVisitor)
    }
}

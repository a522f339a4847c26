//! `wire_object!`: a struct whose known fields are typed and whose unknown fields are kept.
//!
//! `serde(flatten)` would do the same, but it buffers the whole object and loses the place of an error;
//! this visitor does neither.

/// Defines a wire object.
///
/// Each member is an `Option<T>`, a `Vec<T>` (left out when empty) or a required type; `as "name"` gives
/// the wire name where it differs from the Rust name. `: private` after the struct's name makes `Debug`
/// show which fields are set and none of their values.
macro_rules! wire_object {
    (
        $(#[$meta:meta])*
        pub struct $name:ident $(: $private:ident)? {
            $(
                $(#[$field_meta:meta])*
                pub $field:ident : $ty:ty $(as $wire:literal)?
            ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq)]
        pub struct $name {
            $(
                $(#[$field_meta])*
                pub $field: $ty,
            )*
            /// Fields of the message this version does not know, kept as they came.
            pub extra: serde_json::Map<String, serde_json::Value>,
        }

        impl $name {
            /// The wire names of the known fields.
            const NAMES: &'static [&'static str] = &[
                $($crate::wire::object::wire_name!($field $($wire)?)),*
            ];

            fn shape_fields() -> &'static [$crate::wire::Field] {
                const FIELDS: &[$crate::wire::Field] = &[
                    $($crate::wire::Field {
                        name: $crate::wire::object::wire_name!($field $($wire)?),
                        shape: <$ty as $crate::wire::Member>::MEMBER_SHAPE,
                        required: <$ty as $crate::wire::Member>::REQUIRED,
                    }),*
                ];
                FIELDS
            }
        }

        impl $crate::wire::Described for $name {
            const SHAPE: $crate::wire::Shape =
                $crate::wire::Shape::Object(stringify!($name), Self::shape_fields);
        }

        $crate::wire::required_field!($name);

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct ObjectVisitor;

                impl<'de> serde::de::Visitor<'de> for ObjectVisitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("an object (", stringify!($name), ")"))
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        $(let mut $field: Option<$ty> = None;)*
                        let mut extra = serde_json::Map::new();
                        while let Some($crate::wire::Key(key)) = map.next_key::<$crate::wire::Key<'de>>()? {
                            match key.as_ref() {
                                $(
                                    $crate::wire::object::wire_name!($field $($wire)?) => $crate::wire::read_member(
                                        &mut map,
                                        $crate::wire::object::wire_name!($field $($wire)?),
                                        &mut $field,
                                    )?,
                                )*
                                _ => $crate::wire::read_extra(&mut map, key, &mut extra)?,
                            }
                        }
                        Ok($name {
                            $(
                                $field: $crate::wire::settle(
                                    $field,
                                    $crate::wire::object::wire_name!($field $($wire)?),
                                )?,
                            )*
                            extra,
                        })
                    }
                }

                deserializer.deserialize_map(ObjectVisitor)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;

                let mut map = serializer.serialize_map(None)?;
                $(
                    if !$crate::wire::Member::is_absent(&self.$field) {
                        $crate::wire::Member::write(
                            &self.$field,
                            $crate::wire::object::wire_name!($field $($wire)?),
                            &mut map,
                        )?;
                    }
                )*
                // A known field wins over a namesake put into `extra` by hand: no key is written twice.
                for (key, value) in &self.extra {
                    if !Self::NAMES.contains(&key.as_str()) {
                        map.serialize_entry(key, value)?;
                    }
                }
                map.end()
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                const PRIVATE: bool = !stringify!($($private)?).is_empty();

                let mut shown = f.debug_struct(stringify!($name));
                $(
                    if !$crate::wire::Member::is_absent(&self.$field) {
                        let value: &dyn std::fmt::Debug =
                            if PRIVATE { &$crate::wire::object::Redacted } else { &self.$field };
                        shown.field($crate::wire::object::wire_name!($field $($wire)?), value);
                    }
                )*
                // What an unknown field holds is unknown too: only its name is shown.
                if !self.extra.is_empty() {
                    shown.field("extra", &self.extra.keys().collect::<Vec<_>>());
                }
                shown.finish()
            }
        }
    };
}

/// The wire name of a field: the one given, else the Rust name.
macro_rules! wire_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $wire:literal) => {
        $wire
    };
}

/// What `Debug` shows of a field of a private object.
pub(crate) struct Redacted;

impl std::fmt::Debug for Redacted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<redacted>")
    }
}

pub(crate) use {wire_name, wire_object};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]
    use proptest::prelude::*;
    use serde_json::{Value, json};

    wire_object! {
        /// A test object.
        #[derive(Default)]
        pub struct Leaf {
            /// Required.
            pub id: String,
            /// Renamed.
            pub r#type: Option<String> as "type",
        }
    }

    wire_object! {
        /// A test object that holds others.
        #[derive(Default)]
        pub struct Tree: private {
            /// One.
            pub leaf: Option<Leaf>,
            /// Many.
            pub leaves: Vec<Leaf>,
        }
    }

    #[test]
    fn known_fields_are_typed_and_unknown_ones_survive() {
        let text = r#"{"zeta":1,"leaf":{"id":"a","type":"T","x":[1,{"y":null}]},"leaves":[],"alpha":{"b":2}}"#;
        let tree: Tree = serde_json::from_str(text).unwrap();
        assert_eq!(tree.leaf.as_ref().unwrap().r#type.as_deref(), Some("T"));
        assert_eq!(
            serde_json::to_value(&tree).unwrap(),
            json!({"leaf":{"id":"a","type":"T","x":[1,{"y":null}]},"zeta":1,"alpha":{"b":2}})
        );
    }

    #[test]
    fn null_reads_as_absent() {
        let tree: Tree = serde_json::from_str(r#"{"leaf":null,"leaves":null}"#).unwrap();
        assert_eq!(tree, Tree::default());
    }

    #[test]
    fn duplicates_and_missing_fields_are_refused_with_their_path() {
        let read = |text: &str| {
            let mut reader = serde_json::Deserializer::from_str(text);
            let error = serde_path_to_error::deserialize::<_, Tree>(&mut reader).unwrap_err();
            (error.path().to_string(), error.into_inner().to_string())
        };
        let (path, message) = read(r#"{"leaf":{"id":"a","id":"b"}}"#);
        assert!(path.starts_with("leaf") && message.contains("duplicate field `id`"), "{path}: {message}");
        let (_, message) = read(r#"{"x":1,"x":2}"#);
        assert!(message.contains("twice"), "{message}");
        let (path, message) = read(r#"{"leaves":[{"id":"a"},{"type":"T"}]}"#);
        assert!(path == "leaves[1]" && message.contains("missing field `id`"), "{path}: {message}");
        let (path, _) = read(r#"{"leaves":[{"id":7}]}"#);
        assert_eq!(path, "leaves[0].id");
    }

    #[test]
    fn private_objects_show_no_values() {
        let tree: Tree = serde_json::from_str(r#"{"leaf":{"id":"secret"},"note":"secret"}"#).unwrap();
        let shown = format!("{tree:?}");
        assert!(shown.contains("leaf") && shown.contains("note") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn a_namesake_in_extra_is_not_written_twice() {
        let mut leaf = Leaf { id: "a".to_owned(), ..Leaf::default() };
        leaf.extra.insert("id".to_owned(), json!("b"));
        assert_eq!(serde_json::to_string(&leaf).unwrap(), r#"{"id":"a"}"#);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{1,6}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_unknown_field_survives_a_round_trip(
            extra in prop::collection::btree_map("[a-z_ \"\\\\é]{1,8}", any_json(), 0..6),
            id in ".{0,20}",
        ) {
            let mut sent: serde_json::Map<String, Value> = extra.into_iter().collect();
            sent.remove("type");
            sent.insert("id".to_owned(), Value::from(id));
            let text = Value::Object(sent.clone()).to_string();
            let leaf: Leaf = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(serde_json::to_value(&leaf).unwrap(), Value::Object(sent));
        }
    }
}

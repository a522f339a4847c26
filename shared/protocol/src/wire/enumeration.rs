//! `wire_enum!`: a closed list of names that stays open to names it does not know.

/// Defines an enum of wire names. A name that is not listed survives as `Other`.
macro_rules! wire_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $( $(#[$variant_meta:meta])* $variant:ident = $wire:literal ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $( $(#[$variant_meta])* $variant, )*
            /// A name this version does not know, kept as it came.
            Other(String),
        }

        impl $name {
            /// The listed names.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),*];

            /// Reads a name; one that is not listed becomes `Other`.
            #[must_use]
            pub fn parse(text: &str) -> Self {
                match text {
                    $($wire => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }

            /// The name on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $wire,)*
                    Self::Other(text) => text,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::convert::Infallible;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self::parse(text))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self::parse(&<String as serde::Deserialize<'de>>::deserialize(deserializer)?))
            }
        }

        impl $crate::wire::Described for $name {
            const SHAPE: $crate::wire::Shape = $crate::wire::Shape::Text;
        }
    };
}

pub(crate) use wire_enum;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

    wire_enum! {
        /// A test list.
        pub enum Colour {
            /// Red.
            Red = "RED",
        }
    }

    #[test]
    fn unknown_names_survive() {
        let read = |text: &str| serde_json::from_str::<Colour>(text).unwrap();
        assert_eq!(read("\"RED\""), Colour::Red);
        assert_eq!(read("\"red\""), Colour::Other("red".to_owned()));
        assert_eq!(serde_json::to_string(&read("\"red\"")).unwrap(), "\"red\"");
        assert_eq!(Colour::KNOWN, [Colour::Red]);
    }
}

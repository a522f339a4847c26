//! Tags: what a network adds to Beckn (BECKN-009).

use super::Descriptor;
use crate::wire::wire_object;

wire_object! {
    /// A group of tags (`TagGroup`).
    #[derive(Default)]
    pub struct TagGroup {
        /// Whether to show it to people.
        pub display: Option<bool>,
        /// What the group is.
        pub descriptor: Option<Descriptor>,
        /// The tags.
        pub list: Vec<Tag>,
    }
}

wire_object! {
    /// A tag (`Tag`). It may hold anything, health data too.
    #[derive(Default)]
    pub struct Tag: private {
        /// What it is.
        pub descriptor: Option<Descriptor>,
        /// Its value.
        pub value: Option<String>,
        /// Whether to show it to people.
        pub display: Option<bool>,
    }
}

//! What an order costs.

use super::{Item, Price};
use crate::duration::Ttl;
use crate::wire::wire_object;

wire_object! {
    /// A quote (`Quotation`).
    #[derive(Default)]
    pub struct Quotation {
        /// Its id.
        pub id: Option<String>,
        /// The total.
        pub price: Option<Price>,
        /// How the total comes about.
        pub breakup: Vec<Breakup>,
        /// How long it holds.
        pub ttl: Option<Ttl>,
    }
}

wire_object! {
    /// One line of a quote (`Quotation.breakup`).
    #[derive(Default)]
    pub struct Breakup {
        /// The item it is for.
        pub item: Option<Item>,
        /// What it is for.
        pub title: Option<String>,
        /// How much.
        pub price: Option<Price>,
    }
}

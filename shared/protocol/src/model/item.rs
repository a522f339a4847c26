//! What can be ordered.

use serde_json::Value;

use super::{
    CancellationTerm, Descriptor, Organization, Price, RefundTerm, ReplacementTerm, ReturnTerm, Scalar, TagGroup, Time,
};
use crate::duration::Ttl;
use crate::ids::{FulfillmentId, ItemId};
use crate::wire::wire_object;

wire_object! {
    /// An item of a catalogue or an order (`Item`): a consultation, a test, a medicine.
    #[derive(Default)]
    pub struct Item {
        /// Its id.
        pub id: Option<ItemId>,
        /// The item it is part of.
        pub parent_item_id: Option<ItemId>,
        /// How many of the item it is part of.
        pub parent_item_quantity: Option<ItemQuantity>,
        /// What it is.
        pub descriptor: Option<Descriptor>,
        /// Who made it.
        pub creator: Option<Organization>,
        /// What it costs.
        pub price: Option<Price>,
        /// How many.
        pub quantity: Option<ItemQuantity>,
        /// Its categories.
        pub category_ids: Vec<String>,
        /// Its ways and times of fulfilment.
        pub fulfillment_ids: Vec<FulfillmentId>,
        /// Its locations.
        pub location_ids: Vec<String>,
        /// Its ways of payment.
        pub payment_ids: Vec<String>,
        /// What can be added to it.
        pub add_ons: Vec<AddOn>,
        /// What cancelling it costs.
        pub cancellation_terms: Vec<CancellationTerm>,
        /// What is refunded.
        pub refund_terms: Vec<RefundTerm>,
        /// When it is replaced.
        pub replacement_terms: Vec<ReplacementTerm>,
        /// When it is taken back.
        pub return_terms: Vec<ReturnTerm>,
        /// A form to fill in (BECKN-007), kept as it came.
        pub xinput: Option<Value>,
        /// When it is available.
        pub time: Option<Time>,
        /// Whether it can be rated.
        pub rateable: Option<bool>,
        /// Its rating.
        pub rating: Option<String>,
        /// Whether it matches the search.
        pub matched: Option<bool>,
        /// Whether it is related to a match.
        pub related: Option<bool>,
        /// Whether it is recommended.
        pub recommended: Option<bool>,
        /// How long the entry holds.
        pub ttl: Option<Ttl>,
        /// Anything else.
        pub tags: Vec<TagGroup>,
    }
}

wire_object! {
    /// Something that can be added to an item (`AddOn`).
    #[derive(Default)]
    pub struct AddOn {
        /// Its id.
        pub id: Option<String>,
        /// What it is.
        pub descriptor: Option<Descriptor>,
        /// What it costs.
        pub price: Option<Price>,
    }
}

wire_object! {
    /// How many of an item (`ItemQuantity`).
    #[derive(Default)]
    pub struct ItemQuantity {
        /// Set aside for the consumer.
        pub allocated: Option<Quantity>,
        /// To be had.
        pub available: Option<Quantity>,
        /// The most one may take.
        pub maximum: Option<Quantity>,
        /// The least one may take.
        pub minimum: Option<Quantity>,
        /// Taken.
        pub selected: Option<Quantity>,
        /// In one unit.
        pub unitized: Option<Quantity>,
    }
}

wire_object! {
    /// A count or a measure.
    #[derive(Default)]
    pub struct Quantity {
        /// The count.
        pub count: Option<i64>,
        /// The measure.
        pub measure: Option<Scalar>,
    }
}

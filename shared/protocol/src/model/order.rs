//! The order.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    AddOn, Billing, Cancellation, CancellationTerm, Fulfillment, Item, Offer, Payment, Provider, Quotation, RefundTerm,
    ReplacementTerm, ReturnTerm, TagGroup,
};
use crate::ids::OrderId;
use crate::wire::{wire_enum, wire_object};

wire_enum! {
    /// Where an order stands, in the three words Beckn has (`Order.status`).
    pub enum OrderStatus {
        /// Under way.
        Active = "ACTIVE",
        /// Done.
        Complete = "COMPLETE",
        /// Cancelled.
        Cancelled = "CANCELLED",
    }
}

wire_enum! {
    /// What kind of order it is (`Order.type`).
    pub enum OrderType {
        /// Not placed yet.
        Draft = "DRAFT",
        /// Placed.
        Default = "DEFAULT",
    }
}

wire_object! {
    /// An order or a draft of one (`Order`).
    #[derive(Default)]
    pub struct Order {
        /// Its id, given by the provider platform when it is placed.
        pub id: Option<OrderId>,
        /// Orders it is linked to.
        pub ref_order_ids: Vec<OrderId>,
        /// Where it stands.
        pub status: Option<OrderStatus>,
        /// What kind it is.
        pub r#type: Option<OrderType> as "type",
        /// Who provides.
        pub provider: Option<Provider>,
        /// What is ordered; after a consultation also what was prescribed.
        pub items: Vec<Item>,
        /// What is added.
        pub add_ons: Vec<AddOn>,
        /// The offers applied.
        pub offers: Vec<Offer>,
        /// Who pays.
        pub billing: Option<Billing>,
        /// How, where, when and by whom.
        pub fulfillments: Vec<Fulfillment>,
        /// The cancellation, once it happened.
        pub cancellation: Option<Cancellation>,
        /// What cancelling costs.
        pub cancellation_terms: Vec<CancellationTerm>,
        /// What is refunded.
        pub refund_terms: Vec<RefundTerm>,
        /// When items are replaced.
        pub replacement_terms: Vec<ReplacementTerm>,
        /// When items are taken back.
        pub return_terms: Vec<ReturnTerm>,
        /// What it costs.
        pub quote: Option<Quotation>,
        /// How it is paid.
        pub payments: Vec<Payment>,
        /// When it was made.
        pub created_at: Option<Timestamp>,
        /// When it last changed.
        pub updated_at: Option<Timestamp>,
        /// A form to fill in (BECKN-007), kept as it came.
        pub xinput: Option<Value>,
        /// Anything else.
        pub tags: Vec<TagGroup>,
    }
}

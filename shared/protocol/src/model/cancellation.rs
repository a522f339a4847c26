//! Cancelling, refunding, replacing and returning: what happened and on what terms.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::Value;

use super::{Descriptor, FulfillmentState, Location, MediaFile, Price, State, Time};
use crate::wire::{wire_enum, wire_object};

wire_enum! {
    /// A side of the transaction.
    pub enum TransactingParty {
        /// The consumer.
        Consumer = "CONSUMER",
        /// The provider.
        Provider = "PROVIDER",
    }
}

wire_object! {
    /// One of the reasons a consumer may choose from (`Option` in Beckn).
    #[derive(Default)]
    pub struct ReasonOption {
        /// The id a request names it by.
        pub id: Option<String>,
        /// What it says.
        pub descriptor: Option<Descriptor>,
    }
}

wire_object! {
    /// A cancellation that happened (`Cancellation`).
    #[derive(Default)]
    pub struct Cancellation {
        /// When.
        pub time: Option<Timestamp>,
        /// By whom.
        pub cancelled_by: Option<TransactingParty>,
        /// Why.
        pub reason: Option<ReasonOption>,
        /// What else was said.
        pub additional_description: Option<Descriptor>,
    }
}

wire_object! {
    /// A fee, as a share or an amount (`Fee`).
    #[derive(Default)]
    pub struct Fee {
        /// The share, in per cent of the order.
        pub percentage: Option<Decimal>,
        /// The amount.
        pub amount: Option<Price>,
    }
}

wire_object! {
    /// What cancelling costs in one state of the fulfilment (`CancellationTerm`).
    #[derive(Default)]
    pub struct CancellationTerm {
        /// The state it holds for.
        pub fulfillment_state: Option<FulfillmentState>,
        /// Whether a reason must be given.
        pub reason_required: Option<bool>,
        /// Until when.
        pub cancel_by: Option<Time>,
        /// What it costs.
        pub cancellation_fee: Option<Fee>,
        /// A form to fill in.
        pub xinput: Option<Value>,
        /// The terms at length.
        pub external_ref: Option<MediaFile>,
    }
}

wire_object! {
    /// What is refunded in one state of the fulfilment (`refund_terms`).
    #[derive(Default)]
    pub struct RefundTerm {
        /// The state it holds for. The specification says `State`, published messages send a descriptor.
        pub fulfillment_state: Option<FulfillmentState>,
        /// Whether anything is refunded.
        pub refund_eligible: Option<bool>,
        /// Within what time.
        pub refund_within: Option<Time>,
        /// How much.
        pub refund_amount: Option<Price>,
    }
}

wire_object! {
    /// When an item is replaced (`ReplacementTerm`).
    #[derive(Default)]
    pub struct ReplacementTerm {
        /// The state it holds for.
        pub fulfillment_state: Option<State>,
        /// Within what time.
        pub replace_within: Option<Time>,
        /// The terms at length.
        pub external_ref: Option<MediaFile>,
    }
}

wire_object! {
    /// When an item is taken back (`ReturnTerm`).
    #[derive(Default)]
    pub struct ReturnTerm {
        /// The state it holds for.
        pub fulfillment_state: Option<State>,
        /// Whether it is taken back.
        pub return_eligible: Option<bool>,
        /// Within what time.
        pub return_time: Option<Time>,
        /// Where to.
        pub return_location: Option<Location>,
        /// Who brings it.
        pub fulfillment_managed_by: Option<TransactingParty>,
    }
}

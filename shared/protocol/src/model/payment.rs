//! How an order is paid.

use rust_decimal::Decimal;

use super::{TagGroup, Time};
use crate::wire::{wire_enum, wire_object};

wire_enum! {
    /// When one pays (`Payment.type`).
    pub enum PaymentType {
        /// Before the order is placed.
        PreOrder = "PRE-ORDER",
        /// Before the service.
        PreFulfillment = "PRE-FULFILLMENT",
        /// At the service.
        OnFulfillment = "ON-FULFILLMENT",
        /// After the service.
        PostFulfillment = "POST-FULFILLMENT",
    }
}

wire_enum! {
    /// Whether it was paid (`Payment.status`).
    pub enum PaymentStatus {
        /// Paid.
        Paid = "PAID",
        /// Not paid.
        NotPaid = "NOT-PAID",
    }
}

wire_object! {
    /// A payment or the terms of one (`Payment`).
    #[derive(Default)]
    pub struct Payment {
        /// Its id.
        pub id: Option<String>,
        /// Who collects it: `BAP` or `BPP`.
        pub collected_by: Option<String>,
        /// Where to pay.
        pub url: Option<String>,
        /// What and to which account.
        pub params: Option<PaymentParams>,
        /// When one pays.
        pub r#type: Option<PaymentType> as "type",
        /// Whether it was paid.
        pub status: Option<PaymentStatus>,
        /// When.
        pub time: Option<Time>,
        /// Anything else.
        pub tags: Vec<TagGroup>,
    }
}

wire_object! {
    /// What is paid and between which accounts (`Payment.params`). Personal.
    #[derive(Default)]
    pub struct PaymentParams: private {
        /// The payer's reference.
        pub transaction_id: Option<String>,
        /// How much.
        pub amount: Option<Decimal>,
        /// In which currency (ISO 4217).
        pub currency: Option<String>,
        /// The receiving bank.
        pub bank_code: Option<String>,
        /// The receiving account.
        pub bank_account_number: Option<String>,
        /// The receiving payment address.
        pub virtual_payment_address: Option<String>,
        /// The paying bank.
        pub source_bank_code: Option<String>,
        /// The paying account.
        pub source_bank_account_number: Option<String>,
        /// The paying address.
        pub source_virtual_payment_address: Option<String>,
    }
}

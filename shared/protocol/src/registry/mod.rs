//! What a registry knows of its participants, how they join, and how they are looked up.
//!
//! The shapes are those of registry API 1.1.0 (`Subscription`, `/subscribe`, `/on_subscribe`, `/lookup`), read
//! also under the names that earlier versions and deployed registries use. Where the API says nothing
//! (who signs, what a refusal looks like, how a newcomer gets the registry's keys) the type concerned says what
//! this project does.
//!
//! Invariant: a [`Subscription`] is written in the form of registry API 1.1.0, and read in that form or any
//! of those that deployed registries answer in; a [`Registration`] has every field a registry needs, and keys
//! that are keys.

mod keys;
mod lookup;
mod on_subscribe;
mod subscribe;
mod subscription;

pub use keys::RegistryKeys;
pub use lookup::LookupRequest;
pub use on_subscribe::{OnSubscribe, OnSubscribeAnswer};
pub use subscribe::{Registration, SubscribeRequest, SubscribeResponse};
pub use subscription::{Listed, Subscription};

use crate::wire::wire_enum;

wire_enum! {
    /// The role of a participant (`Subscriber.type`). Read in any case.
    pub enum SubscriberType {
        /// A consumer platform.
        Bap = "BAP",
        /// A provider platform.
        Bpp = "BPP",
        /// A gateway.
        Bg = "BG",
        /// A registry.
        Breg = "BREG",
    }
}

wire_enum! {
    /// Where a subscription stands (`Subscription.status`).
    pub enum SubscriptionStatus {
        /// Asked for.
        Initiated = "INITIATED",
        /// Being checked.
        UnderSubscription = "UNDER_SUBSCRIPTION",
        /// In force.
        Subscribed = "SUBSCRIBED",
        /// Over.
        Expired = "EXPIRED",
        /// Given up.
        Unsubscribed = "UNSUBSCRIBED",
        /// The participant's certificate did not pass.
        InvalidSsl = "INVALID_SSL",
    }
}

#[cfg(test)]
mod tests;

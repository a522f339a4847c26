//! The component objects of Beckn 1.1.0, with the additions of the Decentralised Health Protocol.
//!
//! Invariant: every field is optional (the specification requires none), unknown fields and unknown names
//! survive, and objects that can hold personal or health data show none of it in `Debug`.

mod billing;
mod cancellation;
mod catalog;
mod descriptor;
mod fulfillment;
mod intent;
mod item;
mod location;
mod order;
mod payment;
mod person;
mod price;
mod quote;
mod rating;
mod support;
mod tags;
mod time;
mod tracking;

pub use billing::Billing;
pub use cancellation::{
    Cancellation, CancellationTerm, Fee, ReasonOption, RefundTerm, ReplacementTerm, ReturnTerm, TransactingParty,
};
pub use catalog::{Catalog, Category, Offer, Provider};
pub use descriptor::{AdditionalDescription, Descriptor, Image, MediaFile};
pub use fulfillment::{Authorization, Fulfillment, FulfillmentState, Stop, Vehicle};
pub use intent::Intent;
pub use item::{AddOn, Item, ItemQuantity, Quantity};
pub use location::{Circle, City, Country, Gps, InvalidGps, Location, State};
pub use order::{Order, OrderStatus, OrderType};
pub use payment::{Payment, PaymentParams, PaymentStatus, PaymentType};
pub use person::{Agent, Contact, Credential, Customer, Language, Organization, Person, Skill};
pub use price::{Price, Scalar, ScalarRange};
pub use quote::{Breakup, Quotation};
pub use rating::{Rating, RatingCategory};
pub use support::Support;
pub use tags::{Tag, TagGroup};
pub use time::{Range, Schedule, Time};
pub use tracking::{Tracking, TrackingStatus};

#[cfg(test)]
mod tests;

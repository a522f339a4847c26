//! Beckn health wire types, signatures and dialects.
//!
//! Everything here is pure: no input or output, no clock, no logging. A received body goes through
//! [`dialect::read`], which parses it once, settles the known faults of deployed peers, checks it against
//! the forms of its action and hands out an [`Envelope`], or [`dialect::check`], which leaves the body where it
//! is; [`dialect::write`] makes the bytes of a message; [`signature`] signs and verifies them.
//!
//! Invariant: a value of a type of this crate that came from the wire has been checked; unknown fields of
//! the wire survive in `extra`; `Debug` shows no personal or health data.

pub mod ack;
pub mod action;
pub mod challenge;
pub mod context;
pub mod dialect;
pub mod duration;
pub mod error;
pub mod fault;
pub mod ids;
pub mod json;
pub mod message;
pub mod model;
pub mod registry;
pub mod signature;
pub mod wire;

pub use ack::{Ack, AckStatus, Response};
pub use action::{Action, Callback, Verb};
pub use context::Context;
pub use dialect::{Envelope, Reading, Tolerated};
pub use duration::Ttl;
pub use error::{Code, Error};
pub use fault::Fault;
pub use ids::{FulfillmentId, InvalidId, ItemId, KeyId, MessageId, OrderId, ProviderId, SubscriberId, TransactionId};
pub use message::Message;

//! Journeys over real HTTP with real signatures against the local network.
//!
//! Invariant: nothing is called that a participant could not call; the tables and queues are only looked at.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod booking;
mod callers;
mod canary;
mod client_errors;
mod delivery;
mod durability;
mod foreigner;
mod gateway;
mod gateway_many;
mod gateway_relay;
mod joining;
mod lapse;
mod observability;
mod one_slot;
mod refused_callback;
mod refused_header;
mod refused_message;
mod refused_order;
mod search;
mod seed_001;
mod ten_actions;
mod threats;

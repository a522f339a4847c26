//! The local network and the `beckn-health` command.
//!
//! Invariant: nothing here decides anything about health services; this crate composes the
//! functions with stand-ins for AWS, and talks to networks over the same HTTP as anybody.

pub mod commands;
pub mod failure;
pub mod network;
pub mod operator;
pub mod progress;
pub mod sample;
pub mod sqs;

//! What an operator does to a deployment, on AWS or local: look, move, store. The commands print what these
//! answer.
//!
//! Invariant: tables and queues are those called `<deployment>-<name>`; nothing here scans a table, and
//! every failure is a sentence that says what to do.

pub mod answering;
pub mod catalogue;
pub mod dead_letters;
pub mod deployment;
pub mod diagnosis;
pub mod hops;
pub mod joining;
pub mod key_file;
pub mod participants;
pub mod registry_client;

pub use deployment::{Deployment, DeploymentName};

//! Everything between the rules and the world: the ports of the network's functions, their AWS
//! implementations, the verification pipeline, delivery and the Lambda glue.
//!
//! Invariant: this is the only crate that names an AWS SDK. The functions above it receive a
//! [`deps::Deps`] and a parsed message; the crates below it (`protocol`, `domain`) are pure.

pub mod batch;
pub mod caller;
pub mod clock;
pub mod deliver;
pub mod deps;
pub mod egress;
pub mod function;
pub mod hop;
pub mod lambda;
pub mod log;
pub mod participant;
pub mod possession;
pub mod queue;
pub mod receive;
pub mod registry;
pub mod respond;
pub mod settings;
pub mod store;
pub mod trace;

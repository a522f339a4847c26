//! What the network costs: processor time, cold starts, throughput, latency, money.
//!
//! Invariant: everything runs on this machine alone and talks to loopback; what is compared is measured in
//! the same run, taking turns.

pub mod cold_start;
pub mod consumer;
pub mod cost;
pub mod cpu;
pub mod figures;
pub mod load;
pub mod machine;
pub mod network;
pub mod report;
pub mod runtime_api;
pub mod search;
pub mod throughput;

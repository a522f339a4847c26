//! Between Beckn's words and the domain's.
//!
//! Invariant: nothing is decided here. What a peer wrote becomes a domain value or an error that
//! names its path; what the domain decided becomes Beckn objects.

pub mod catalog;
pub mod intent;
pub mod order;
pub mod refusal;

//! What the journeys share: a network to talk to, strangers who talk to it, an app behind its BAP.
//!
//! Invariant: everything here speaks to the network over HTTP, as anybody would. Only three things are
//! done behind its back: registering a stranger, moving the clock, and looking at the tables and queues.

// A test stops at the first surprise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod app;
pub mod fixture;
pub mod forger;
pub mod log;
pub mod network;
pub mod outpost;
pub mod reply;
pub mod stranger;
pub mod wire;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a test waits for something that must happen before it fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for `future`.
///
/// # Panics
/// It does not end within [`PATIENCE`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// An id in the form of a UUID that no other call in this process gives.
pub fn fresh_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("5e55a9e0-0000-4000-8000-{:012x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A plain HTTP client: no proxy, no redirects.
pub fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

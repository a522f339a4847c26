//! Fresh ids: of messages, receives, requests and move tasks.
//!
//! Invariant: this is the one place of the queues where chance comes in. No behaviour depends on an
//! id's value, so tests need not choose it.

use uuid::Uuid;

/// An id nobody has had before.
#[expect(clippy::disallowed_methods, reason = "SQS makes its ids itself; a caller cannot choose them on AWS either")]
pub(super) fn id() -> Uuid {
    Uuid::new_v4()
}

//! What a Lambda function is to this project: a name, a trigger with its handler, and what it uses.
//!
//! Invariant: every function is described by exactly one `FUNCTION` constant beside its handler.
//! The Lambda binary, the local network, the journey tests and the drift test all read that
//! constant, so none of them can disagree about a route, a queue or a table.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::deps::Deps;

/// One deployable function.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    /// `<role>-<action>`: also the binary's name and the folder of its sample events.
    pub name: &'static str,
    /// What invokes it.
    pub trigger: Trigger,
    /// The tables it reads or writes, by their name without the deployment's prefix.
    pub tables: &'static [&'static str],
    /// The queues it sends to, by their name without the deployment's prefix.
    pub sends_to: &'static [&'static str],
    /// What it does once before its first event, so that no event waits for it.
    pub prepare: Option<Prepare>,
}

/// What invokes a function, with the handler of that kind of event.
#[derive(Clone, Copy)]
pub enum Trigger {
    /// An HTTP route of the role's API.
    Http {
        /// The route.
        route: Route,
        /// Answers one request. Never fails: a fault of ours is a 5xx response.
        handler: HttpHandler,
    },
    /// An SQS queue; records are handled one by one, concurrently.
    Queue {
        /// The queue's name without the deployment's prefix.
        queue: &'static str,
        /// Seconds the function may run; the queue's visibility timeout is six times this.
        timeout_seconds: u32,
        /// Deliveries before the message goes to the dead-letter queue.
        max_receive_count: u32,
        /// Handles one record.
        handler: RecordHandler,
    },
    /// The stream of a table.
    Stream {
        /// The table's name without the deployment's prefix.
        table: &'static str,
        /// Handles a batch of changes as a whole.
        handler: StreamHandler,
    },
    /// The clock.
    Schedule {
        /// Minutes between two invocations.
        every_minutes: u32,
        /// Does what is due.
        handler: ScheduleHandler,
    },
}

impl std::fmt::Debug for Trigger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trigger::Http { route, .. } => write!(f, "Http({} {})", route.method, route.path),
            Trigger::Queue { queue, .. } => write!(f, "Queue({queue})"),
            Trigger::Stream { table, .. } => write!(f, "Stream({table})"),
            Trigger::Schedule { every_minutes, .. } => write!(f, "Schedule(every {every_minutes} min)"),
        }
    }
}

/// Method and path of an HTTP function, as API Gateway writes them (`/client/{x}` has a parameter).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Absolute path.
    pub path: &'static str,
}

impl Route {
    /// A `POST` route.
    pub const fn post(path: &'static str) -> Self {
        Self { method: "POST", path }
    }

    /// A `GET` route.
    pub const fn get(path: &'static str) -> Self {
        Self { method: "GET", path }
    }
}

/// A request with its body read; API Gateway's base64 is already undone.
pub type Request = http::Request<Bytes>;
/// A whole response.
pub type Response = http::Response<Bytes>;

/// Answers one HTTP request.
pub type HttpHandler = fn(Arc<Deps>, Request) -> BoxFuture<'static, Response>;
/// Prepares a function at start.
pub type Prepare = fn(Arc<Deps>) -> BoxFuture<'static, ()>;
/// Handles one queue record.
pub type RecordHandler = fn(Arc<Deps>, QueueRecord) -> BoxFuture<'static, Result<(), RecordFailure>>;
/// Handles one batch of stream records.
pub type StreamHandler = fn(Arc<Deps>, Vec<Change>) -> BoxFuture<'static, Result<(), StreamFailure>>;

/// Does what is due.
pub type ScheduleHandler = fn(Arc<Deps>) -> BoxFuture<'static, Result<(), ScheduleFailure>>;

/// One message of an SQS batch.
#[derive(Clone)]
pub struct QueueRecord {
    /// SQS's id, which a partial batch failure names.
    pub id: String,
    /// The handle with which this delivery's visibility is changed.
    pub receipt_handle: String,
    /// Deliveries so far, this one included.
    pub receive_count: u32,
    /// The body as it was sent; for protocol messages the signed bytes.
    pub body: String,
    /// String message attributes.
    pub attributes: std::collections::BTreeMap<String, String>,
    /// The queue's name without the deployment's prefix.
    pub queue: &'static str,
}

impl QueueRecord {
    /// A required message attribute.
    ///
    /// # Errors
    /// [`RecordFailure::Malformed`] when the attribute is missing: no retry can add it.
    pub fn attribute(&self, name: &'static str) -> Result<&str, RecordFailure> {
        self.attributes
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| RecordFailure::Malformed(format!("message attribute {name} is missing")))
    }
}

/// The body holds personal data, so it is never printed.
impl std::fmt::Debug for QueueRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueueRecord")
            .field("id", &self.id)
            .field("receive_count", &self.receive_count)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Why a record goes back to its queue.
#[derive(Debug, thiserror::Error)]
pub enum RecordFailure {
    /// Something of ours failed (a table, a queue, the registry); the record is tried again.
    #[error("temporary failure: {0}")]
    Temporary(String),
    /// The record can never be handled; it goes to the dead-letter queue after its deliveries.
    #[error("malformed record: {0}")]
    Malformed(String),
    /// Nobody waits for the result any more; the record goes to the dead-letter queue at once.
    #[error("the message's time to live has passed")]
    Lapsed,
}

impl RecordFailure {
    /// A temporary failure from any error that describes itself without personal data.
    pub fn temporary(error: impl std::fmt::Display) -> Self {
        Self::Temporary(error.to_string())
    }
}

/// One change of a table, as far as the functions need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
    /// For an item that was deleted: its string and number attributes as they were, if the stream carries them.
    pub removed: Option<std::collections::BTreeMap<String, String>>,
}

/// Why a stream batch is retried as a whole.
#[derive(Debug, thiserror::Error)]
#[error("stream batch failed: {0}")]
pub struct StreamFailure(pub String);

/// Why a scheduled run did not do all that was due; the next one goes on.
#[derive(Debug, thiserror::Error)]
#[error("scheduled run failed: {0}")]
pub struct ScheduleFailure(pub String);

//! Queues: their settings, names, addresses and depth.
//!
//! Invariant: every queue that feeds a function has its own dead-letter queue, `<name>-dlq`, and a
//! dead-letter queue has exactly one source.

use std::time::Duration;

use super::error::SqsError;

/// The account that every local queue belongs to.
pub(super) const ACCOUNT: &str = "000000000000";

/// What SDK clients call a queue is this followed by its name: queues bear the name of their deployment
/// on AWS, and functions and operators call the local ones in the same way.
pub const QUEUE_NAME_PREFIX: &str = "beckn-health-local-";

/// A queue's URL is this followed by its name. Any other host does as well: of a URL only account
/// and name count.
pub const QUEUE_URL_PREFIX: &str = "http://sqs.localhost/000000000000/beckn-health-local-";

/// A queue's ARN is this followed by its name.
pub const QUEUE_ARN_PREFIX: &str = "arn:aws:sqs:us-east-1:000000000000:beckn-health-local-";

/// What a dead-letter queue's name adds to its source's.
pub const DEAD_LETTER_SUFFIX: &str = "-dlq";

/// How long a queue keeps a message nobody deletes: SQS's default, four days.
pub const MESSAGE_RETENTION: Duration = Duration::from_secs(4 * 86_400);

/// How long a dead-letter queue keeps a message, counted from its first sending: 14 days.
pub const DEAD_LETTER_RETENTION: Duration = Duration::from_secs(14 * 86_400);

/// The longest visibility timeout, as in SQS: 12 hours.
pub const MAX_VISIBILITY_TIMEOUT: Duration = Duration::from_secs(12 * 3_600);

const MAX_NAME: usize = 80;

/// What a queue is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSettings {
    /// Up to 76 letters, digits, `-` and `_`, not ending in `-dlq`.
    pub name: String,
    /// How long a received message stays hidden; at most 12 hours.
    pub visibility_timeout: Duration,
    /// After this many receives (1 to 1000) without a delete, the message goes to `<name>-dlq`.
    pub max_receive_count: u32,
}

impl QueueSettings {
    pub(super) fn check(&self) -> Result<(), SqsError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if self.name.is_empty()
            || self.name.len() + DEAD_LETTER_SUFFIX.len() > MAX_NAME
            || !self.name.bytes().all(allowed)
            || self.name.ends_with(DEAD_LETTER_SUFFIX)
        {
            return Err(SqsError::invalid(
                "QueueName",
                "must be 1 to 76 letters, digits, hyphens and underscores, not ending in `-dlq`",
            ));
        }
        check_visibility(self.visibility_timeout)?;
        if !(1..=1_000).contains(&self.max_receive_count) {
            return Err(SqsError::invalid("RedrivePolicy", "maxReceiveCount must be 1 to 1000"));
        }
        Ok(())
    }
}

/// Refuses a visibility timeout above 12 hours.
pub(super) fn check_visibility(timeout: Duration) -> Result<(), SqsError> {
    if timeout > MAX_VISIBILITY_TIMEOUT {
        return Err(SqsError::invalid("VisibilityTimeout", "must be 0 to 43200 seconds"));
    }
    Ok(())
}

/// How many messages a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Messages the next receiver may get.
    pub visible: u64,
    /// Messages a receiver has and has not deleted.
    pub in_flight: u64,
    /// Messages whose delay has not passed.
    pub delayed: u64,
    /// Time since the oldest message was sent; none when the queue is empty.
    pub oldest_age: Option<Duration>,
}

/// What `GetQueueAttributes` tells about a queue.
pub(super) struct QueueDescription {
    pub(super) name: String,
    pub(super) visibility_timeout_ms: i64,
    pub(super) retention_ms: i64,
    pub(super) created_at_ms: i64,
    /// The dead-letter queue and the receives after which it is used.
    pub(super) redrive: Option<(String, u32)>,
    pub(super) depth: Depth,
}

/// Milliseconds of a duration, saturating; every duration here is bounded by days.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

//! How a responder's work ends when it does not succeed.
//!
//! Invariant: a consumer's mistake becomes an answer and a failure of ours a retry; the two are never
//! mixed up.

use beckn_health_platform::function::RecordFailure;
use beckn_health_platform::respond::Decision;
use beckn_health_protocol::error::Error;

/// Why there is no answer yet: the consumer's mistake, or a failure of ours.
pub(super) enum NoAnswer {
    Refused(Error),
    Failed(RecordFailure),
}

impl From<RecordFailure> for NoAnswer {
    fn from(failure: RecordFailure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Error> for NoAnswer {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// Turns a refusal into an answer and keeps a failure a failure.
pub(super) fn answered<T>(outcome: Result<T, NoAnswer>) -> Result<Result<T, Error>, RecordFailure> {
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(NoAnswer::Refused(error)) => Ok(Err(error)),
        Err(NoAnswer::Failed(failure)) => Err(failure),
    }
}

/// The same for an action that changes state: a refusal is a decision without writes.
pub(super) fn decided<T>(outcome: Result<Decision<T>, NoAnswer>) -> Result<Decision<T>, RecordFailure> {
    Ok(answered(outcome)?.unwrap_or_else(|error| Decision { writes: Vec::new(), answer: Err(error) }))
}

//! What can go wrong at a queue, under the names SQS gives it.
//!
//! Invariant: every error knows its SQS code, its shape and whose fault it is, so the wire layer and
//! the native calls can never disagree about what happened.

use std::sync::Arc;

/// An error of the embedded SQS.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SqsError {
    /// No queue of that name was created.
    #[error("The specified queue does not exist: `{0}`.")]
    QueueDoesNotExist(String),
    /// A parameter lies outside what SQS accepts.
    #[error("Value for parameter {parameter} is invalid. Reason: {reason}.")]
    InvalidParameterValue {
        /// The parameter at fault, by its SQS name.
        parameter: &'static str,
        /// What was expected.
        reason: String,
    },
    /// A required parameter is absent or empty.
    #[error("The request must contain the parameter {0}.")]
    MissingParameter(&'static str),
    /// The body holds a character outside XML's set, so SQS refuses the message.
    #[error("The message contains characters outside the allowed set: U+{0:04X}.")]
    InvalidMessageContents(u32),
    /// The receipt handle was never issued by this queue.
    #[error("The input receipt handle is not a valid receipt handle of queue `{0}`.")]
    ReceiptHandleIsInvalid(String),
    /// The visibility of a message was changed after it had become visible again.
    #[error("The message referred to is not in flight.")]
    MessageNotInflight,
    /// The queue URL does not belong to this endpoint.
    #[error("The address {0} is not valid for this endpoint.")]
    InvalidAddress(String),
    /// A batch without entries.
    #[error("There should be at least one entry in the request.")]
    EmptyBatchRequest,
    /// A batch with more than ten entries.
    #[error("Maximum number of entries per request are 10. You have sent {0}.")]
    TooManyEntriesInBatchRequest(usize),
    /// Two entries of one batch carry the same id.
    #[error("Id {0} repeated.")]
    BatchEntryIdsNotDistinct(String),
    /// A batch entry's id is not 1 to 80 letters, digits, hyphens and underscores.
    #[error(
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. \
         It can be at most 80 letters long."
    )]
    InvalidBatchEntryId,
    /// The entries of a batch together exceed the size cap.
    #[error("Batch requests cannot be longer than {limit} bytes. You have sent {sent} bytes.")]
    BatchRequestTooLong {
        /// The cap, in bytes.
        limit: usize,
        /// The size of the refused batch, in bytes.
        sent: usize,
    },
    /// An attribute name SQS does not know.
    #[error("Unknown Attribute {0}.")]
    InvalidAttributeName(String),
    /// The queue named by an ARN does not exist.
    #[error("The resource that you specified for the {0} parameter doesn't exist.")]
    ResourceNotFound(&'static str),
    /// The operation is not an operation of SQS, or not one the local network offers.
    #[error("The operation {0} is not known to the local SQS.")]
    UnknownOperation(String),
    /// The request body is not JSON of the operation's shape.
    #[error("The request body does not fit {operation}: {detail}")]
    Serialization {
        /// The operation that was asked for.
        operation: String,
        /// Where the body departs from its shape; never a value of it.
        detail: String,
    },
    /// A fault a test asked for with [`Sqs::fail_next`](super::Sqs::fail_next).
    #[error("We encountered an internal error. Please try again.")]
    InternalFailure,
    /// SQLite refused: disk full, file damaged, or the file is in use by another process.
    #[error("The queue storage failed: {0}")]
    Storage(#[source] Arc<rusqlite::Error>),
    /// The data file was written by a newer version of this program.
    #[error("The queue file has schema version {found}, this program reads up to {known}.")]
    SchemaTooNew {
        /// The version found in the file.
        found: i64,
        /// The newest version this program reads.
        known: i64,
    },
    /// The writer thread could not start or has ended.
    #[error("The local SQS is closed.")]
    Closed,
}

impl From<rusqlite::Error> for SqsError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(Arc::new(error))
    }
}

impl SqsError {
    /// The code a client reads from the error, as in the `x-amzn-query-error` header.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::QueueDoesNotExist(_) => "AWS.SimpleQueueService.NonExistentQueue",
            Self::InvalidParameterValue { .. } => "InvalidParameterValue",
            Self::MissingParameter(_) => "MissingParameter",
            Self::InvalidMessageContents(_) => "InvalidMessageContents",
            Self::ReceiptHandleIsInvalid(_) => "ReceiptHandleIsInvalid",
            Self::MessageNotInflight => "AWS.SimpleQueueService.MessageNotInflight",
            Self::InvalidAddress(_) => "InvalidAddress",
            Self::EmptyBatchRequest => "AWS.SimpleQueueService.EmptyBatchRequest",
            Self::TooManyEntriesInBatchRequest(_) => "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            Self::BatchEntryIdsNotDistinct(_) => "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            Self::InvalidBatchEntryId => "AWS.SimpleQueueService.InvalidBatchEntryId",
            Self::BatchRequestTooLong { .. } => "AWS.SimpleQueueService.BatchRequestTooLong",
            Self::InvalidAttributeName(_) => "InvalidAttributeName",
            Self::ResourceNotFound(_) => "ResourceNotFoundException",
            Self::UnknownOperation(_) => "UnknownOperationException",
            Self::Serialization { .. } => "SerializationException",
            Self::InternalFailure | Self::Storage(_) | Self::SchemaTooNew { .. } | Self::Closed => "InternalFailure",
        }
    }

    /// The `__type` of the JSON error body.
    pub(super) fn shape(&self) -> &'static str {
        match self {
            Self::QueueDoesNotExist(_) => "com.amazonaws.sqs#QueueDoesNotExist",
            Self::InvalidParameterValue { .. } => "com.amazon.coral.service#InvalidParameterValueException",
            Self::MissingParameter(_) => "com.amazon.coral.service#MissingRequiredParameterException",
            Self::InvalidMessageContents(_) => "com.amazonaws.sqs#InvalidMessageContents",
            Self::ReceiptHandleIsInvalid(_) => "com.amazonaws.sqs#ReceiptHandleIsInvalid",
            Self::MessageNotInflight => "com.amazonaws.sqs#MessageNotInflight",
            Self::InvalidAddress(_) => "com.amazonaws.sqs#InvalidAddress",
            Self::EmptyBatchRequest => "com.amazonaws.sqs#EmptyBatchRequest",
            Self::TooManyEntriesInBatchRequest(_) => "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
            Self::BatchEntryIdsNotDistinct(_) => "com.amazonaws.sqs#BatchEntryIdsNotDistinct",
            Self::InvalidBatchEntryId => "com.amazonaws.sqs#InvalidBatchEntryId",
            Self::BatchRequestTooLong { .. } => "com.amazonaws.sqs#BatchRequestTooLong",
            Self::InvalidAttributeName(_) => "com.amazonaws.sqs#InvalidAttributeName",
            Self::ResourceNotFound(_) => "com.amazonaws.sqs#ResourceNotFoundException",
            Self::UnknownOperation(_) => "com.amazon.coral.service#UnknownOperationException",
            Self::Serialization { .. } => "com.amazon.coral.service#SerializationException",
            Self::InternalFailure | Self::Storage(_) | Self::SchemaTooNew { .. } | Self::Closed => {
                "com.amazon.coral.service#InternalFailure"
            }
        }
    }

    /// Whether the caller is at fault (HTTP 400) rather than the queue (HTTP 500).
    #[must_use]
    pub fn is_sender_fault(&self) -> bool {
        !matches!(self, Self::InternalFailure | Self::Storage(_) | Self::SchemaTooNew { .. } | Self::Closed)
    }

    /// An [`SqsError::InvalidParameterValue`].
    pub(super) fn invalid(parameter: &'static str, reason: impl Into<String>) -> Self {
        Self::InvalidParameterValue { parameter, reason: reason.into() }
    }
}

//! SQS's AWS JSON 1.0 protocol: which operation, its input, its answer or its error.
//!
//! Invariant: an error leaves here as SQS words it: HTTP 400 for the sender's fault and 500 for
//! ours, `__type` and `message` in the body, the code a client reads in `x-amzn-query-error`.

mod batch;
mod moves;
mod queues;
mod receive;
mod send;

pub(super) use moves::MoveTask;

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::queue::{ACCOUNT, QUEUE_NAME_PREFIX};
use super::{Sqs, SqsError};

/// An HTTP answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// The value of `x-amzn-query-error`.
    pub(crate) query_error: Option<String>,
}

#[derive(Serialize)]
struct ErrorBody {
    #[serde(rename = "__type")]
    shape: &'static str,
    message: String,
}

/// The answer of an operation without output.
#[derive(Serialize)]
struct Empty {}

/// Answers one request.
pub(super) async fn answer(sqs: &Sqs, operation: &str, body: &[u8]) -> Answer {
    match perform(sqs, operation, body).await {
        Ok(body) => Answer { status: 200, body, query_error: None },
        Err(error) => {
            let (status, fault) = if error.is_sender_fault() { (400, "Sender") } else { (500, "Receiver") };
            let body = ErrorBody { shape: error.shape(), message: error.to_string() };
            Answer {
                status,
                // Two strings always serialise.
                body: serde_json::to_vec(&body).unwrap_or_default(),
                query_error: Some(format!("{};{fault}", error.code())),
            }
        }
    }
}

async fn perform(sqs: &Sqs, operation: &str, body: &[u8]) -> Result<Vec<u8>, SqsError> {
    sqs.take_fault(operation)?;
    match operation {
        "SendMessage" => json(&send::send_message(sqs, parse(operation, body)?).await?),
        "SendMessageBatch" => json(&send::send_message_batch(sqs, parse(operation, body)?).await?),
        "ReceiveMessage" => json(&receive::receive_message(sqs, parse(operation, body)?).await?),
        "DeleteMessage" => json(&receive::delete_message(sqs, parse(operation, body)?).await?),
        "DeleteMessageBatch" => json(&receive::delete_message_batch(sqs, parse(operation, body)?).await?),
        "ChangeMessageVisibility" => json(&receive::change_message_visibility(sqs, parse(operation, body)?).await?),
        "ChangeMessageVisibilityBatch" => {
            json(&receive::change_message_visibility_batch(sqs, parse(operation, body)?).await?)
        }
        "GetQueueUrl" => json(&queues::queue_url(sqs, parse(operation, body)?).await?),
        "GetQueueAttributes" => json(&queues::queue_attributes(sqs, parse(operation, body)?).await?),
        "ListQueues" => json(&queues::list_queues(sqs, parse(operation, body)?).await?),
        "StartMessageMoveTask" => json(&moves::start_message_move_task(sqs, parse(operation, body)?).await?),
        "ListMessageMoveTasks" => json(&moves::list_message_move_tasks(sqs, parse(operation, body)?).await?),
        _ => Err(SqsError::UnknownOperation(operation.to_owned())),
    }
}

fn parse<T: DeserializeOwned>(operation: &str, body: &[u8]) -> Result<T, SqsError> {
    serde_json::from_slice(body).map_err(|error| SqsError::Serialization {
        operation: operation.to_owned(),
        // The place only: the parser's own words may quote a value.
        detail: format!("see line {} column {}", error.line(), error.column()),
    })
}

fn json(output: &impl Serialize) -> Result<Vec<u8>, SqsError> {
    serde_json::to_vec(output).map_err(|_| SqsError::InternalFailure)
}

fn required<T>(name: &'static str, value: Option<T>) -> Result<T, SqsError> {
    value.ok_or(SqsError::MissingParameter(name))
}

/// The queue a URL names, whatever its host: a client may know this endpoint by several addresses.
fn queue_name(url: Option<String>) -> Result<String, SqsError> {
    let url = required("QueueUrl", url)?;
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map(|(_, path)| path);
    match path.and_then(|path| path.strip_prefix(ACCOUNT)).and_then(|rest| rest.strip_prefix('/')) {
        Some(name) => short_name(name),
        None => Err(SqsError::InvalidAddress(url)),
    }
}

/// A queue's name without its deployment's.
fn short_name(name: &str) -> Result<String, SqsError> {
    match name.strip_prefix(QUEUE_NAME_PREFIX) {
        Some(short) => Ok(short.to_owned()),
        None => Err(SqsError::QueueDoesNotExist(name.to_owned())),
    }
}

/// A whole number within SQS's limits for the parameter.
fn bounded(parameter: &'static str, value: Option<i64>, range: RangeInclusive<u32>) -> Result<Option<u32>, SqsError> {
    let Some(value) = value else { return Ok(None) };
    match u32::try_from(value) {
        Ok(number) if range.contains(&number) => Ok(Some(number)),
        _ => Err(SqsError::invalid(parameter, format!("must be {} to {}", range.start(), range.end()))),
    }
}

fn seconds(
    parameter: &'static str,
    value: Option<i64>,
    range: RangeInclusive<u32>,
) -> Result<Option<Duration>, SqsError> {
    let number = bounded(parameter, value, range)?;
    Ok(number.map(|seconds| Duration::from_secs(seconds.into())))
}

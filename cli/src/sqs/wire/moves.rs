//! `StartMessageMoveTask` and `ListMessageMoveTasks`: dead letters on their way back.
//!
//! Invariant: the local move is done in one transaction before it is answered, so every task that is listed
//! has completed.

use std::sync::PoisonError;

use serde::{Deserialize, Serialize};

use super::{bounded, required};
use crate::sqs::queue::QUEUE_ARN_PREFIX;
use crate::sqs::{Sqs, SqsError, fresh};

/// Tasks of one queue that SQS remembers.
const REMEMBERED: usize = 10;

/// A move that was done.
pub(in crate::sqs) struct MoveTask {
    /// The dead-letter queue.
    source: String,
    /// Where the messages were sent, when that is not where they came from.
    destination: Option<String>,
    /// How many.
    moved: u64,
    /// When, in milliseconds since 1970.
    started_at: i64,
}

/// Input of `StartMessageMoveTask`. The local move is done when it is answered, so its rate
/// (`MaxNumberOfMessagesPerSecond`) means nothing here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StartMessageMoveTaskInput {
    source_arn: Option<String>,
    destination_arn: Option<String>,
}

/// Output of `StartMessageMoveTask`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StartMessageMoveTaskOutput {
    task_handle: String,
}

pub(super) async fn start_message_move_task(
    sqs: &Sqs,
    input: StartMessageMoveTaskInput,
) -> Result<StartMessageMoveTaskOutput, SqsError> {
    let source = named("SourceArn", &required("SourceArn", input.source_arn)?)?;
    let destination = match input.destination_arn {
        None => None,
        Some(arn) => Some(named("DestinationArn", &arn)?),
    };
    let task = sqs
        .run(move |engine| {
            let from = engine.place(&source).map_err(|_| SqsError::ResourceNotFound("SourceArn"))?;
            let to = match &destination {
                None => None,
                Some(name) => Some(engine.place(name).map_err(|_| SqsError::ResourceNotFound("DestinationArn"))?),
            };
            let moved = engine.redrive(from, to)?;
            Ok(MoveTask { source, destination, moved, started_at: engine.now() })
        })
        .await?;
    let mut moves = sqs.inner.moves.lock().unwrap_or_else(PoisonError::into_inner);
    let mut of_this_queue = moves.iter().enumerate().filter(|(_, other)| other.source == task.source);
    let oldest = of_this_queue.next().map(|(place, _)| place);
    if of_this_queue.count() + 1 >= REMEMBERED
        && let Some(oldest) = oldest
    {
        moves.remove(oldest);
    }
    moves.push(task);
    Ok(StartMessageMoveTaskOutput { task_handle: fresh::id().to_string() })
}

/// Input of `ListMessageMoveTasks`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListMessageMoveTasksInput {
    source_arn: Option<String>,
    max_results: Option<i64>,
}

/// Output of `ListMessageMoveTasks`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListMessageMoveTasksOutput {
    results: Vec<WireTask>,
}

/// A task as SQS lists it; only one that still runs has a handle.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireTask {
    status: &'static str,
    source_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_arn: Option<String>,
    approximate_number_of_messages_moved: u64,
    approximate_number_of_messages_to_move: u64,
    started_timestamp: i64,
}

pub(super) async fn list_message_move_tasks(
    sqs: &Sqs,
    input: ListMessageMoveTasksInput,
) -> Result<ListMessageMoveTasksOutput, SqsError> {
    let source = named("SourceArn", &required("SourceArn", input.source_arn)?)?;
    let max = bounded("MaxResults", input.max_results, 1..=10)?.unwrap_or(1);
    let known = sqs.queue_names().await?;
    if !known.contains(&source) {
        return Err(SqsError::ResourceNotFound("SourceArn"));
    }
    let moves = sqs.inner.moves.lock().unwrap_or_else(PoisonError::into_inner);
    let latest_first = moves.iter().rev().filter(|task| task.source == source);
    let results = latest_first.take(max as usize).map(|task| WireTask {
        status: "COMPLETED",
        source_arn: arn(&task.source),
        destination_arn: task.destination.as_deref().map(arn),
        approximate_number_of_messages_moved: task.moved,
        approximate_number_of_messages_to_move: task.moved,
        started_timestamp: task.started_at,
    });
    Ok(ListMessageMoveTasksOutput { results: results.collect() })
}

fn arn(queue: &str) -> String {
    format!("{QUEUE_ARN_PREFIX}{queue}")
}

/// The queue an ARN names.
fn named(parameter: &'static str, arn: &str) -> Result<String, SqsError> {
    arn.strip_prefix(QUEUE_ARN_PREFIX).map(str::to_owned).ok_or(SqsError::ResourceNotFound(parameter))
}

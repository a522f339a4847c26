//! What AWS does between a queue or a stream and a function: event-source mappings.
//!
//! Invariant: a message is deleted only after its function has handled it; whatever fails comes
//! back after its visibility timeout and ends in the dead-letter queue after its deliveries.

use std::sync::Arc;
use std::time::Duration;

use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, Trigger};
use beckn_health_platform::lambda;
use dynoxide::Database;
use dynoxide::actions::{describe_stream, get_records, get_shard_iterator, list_streams};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tracing::{error, warn};

use crate::sqs::{QueueSettings, ReceivedMessage, Sqs};

/// Records of one invocation, as in `infra/`.
const BATCH: u32 = 10;
/// Invocations of one function at the same time.
const CONCURRENCY: usize = 8;
/// Longest wait for a message before asking again.
const LONG_POLL: Duration = Duration::from_secs(20);
/// Pause between two looks at a stream; AWS polls four times a second.
const STREAM_POLL: Duration = Duration::from_millis(100);
/// Most stream records of one invocation.
const STREAM_BATCH: usize = 10_000;

/// The queue of a function as `infra/` describes it.
pub(super) fn queue_settings(function: &Function) -> Option<QueueSettings> {
    match function.trigger {
        Trigger::Queue { queue, timeout_seconds, max_receive_count, .. } => Some(QueueSettings {
            name: queue.to_owned(),
            visibility_timeout: Duration::from_secs(u64::from(timeout_seconds) * 6),
            max_receive_count,
        }),
        _ => None,
    }
}

/// Feeds a function from its queue until `stop`.
pub(super) async fn from_queue(function: Function, deps: Arc<Deps>, sqs: Sqs, mut stop: watch::Receiver<bool>) {
    let Trigger::Queue { queue, .. } = function.trigger else { return };
    let permits = Arc::new(Semaphore::new(CONCURRENCY));
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        let received = tokio::select! {
            received = sqs.receive(queue, BATCH, LONG_POLL) => received,
            _ = stop.wait_for(|stopped| *stopped) => break,
        };
        match received {
            Ok(messages) if messages.is_empty() => {}
            Ok(messages) => {
                let (deps, sqs) = (deps.clone(), sqs.clone());
                tokio::spawn(async move {
                    invoke(&function, deps, &sqs, queue, messages).await;
                    drop(permit);
                });
            }
            Err(problem) => {
                error!(queue, %problem, "queue not read");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
    // What is being handled is finished before the process ends.
    let _ = permits.acquire_many(CONCURRENCY as u32).await;
}

async fn invoke(function: &Function, deps: Arc<Deps>, sqs: &Sqs, queue: &str, messages: Vec<ReceivedMessage>) {
    let records: Vec<Value> = messages.iter().map(record).collect();
    let failed: Vec<String> = match lambda::invoke(function, deps, json!({ "Records": records })).await {
        Ok(response) => response["batchItemFailures"]
            .as_array()
            .map(|failures| {
                failures.iter().filter_map(|failure| failure["itemIdentifier"].as_str().map(str::to_owned)).collect()
            })
            .unwrap_or_default(),
        Err(problem) => {
            error!(queue, %problem, "invocation failed");
            return;
        }
    };
    let handled = messages
        .into_iter()
        .filter(|message| !failed.contains(&message.message_id))
        .map(|message| message.receipt_handle);
    if let Err(problem) = sqs.delete(queue, handled.collect()).await {
        // They come back and find their claims.
        warn!(queue, %problem, "handled messages not deleted");
    }
}

/// A message as Lambda shows it to a function.
fn record(message: &ReceivedMessage) -> Value {
    let attributes: serde_json::Map<String, Value> = message
        .message_attributes
        .iter()
        .map(|(name, text)| (name.clone(), json!({ "stringValue": text, "dataType": "String" })))
        .collect();
    let mut system = serde_json::Map::from_iter([
        ("ApproximateReceiveCount".to_owned(), json!(message.receive_count.to_string())),
        ("SentTimestamp".to_owned(), json!(message.sent_at.as_millisecond().to_string())),
    ]);
    if let Some(trace) = &message.trace_header {
        system.insert("AWSTraceHeader".to_owned(), json!(trace));
    }
    json!({
        "messageId": message.message_id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "md5OfBody": message.md5_of_body,
        "attributes": system,
        "messageAttributes": attributes,
        "eventSource": "aws:sqs",
        "awsRegion": "us-east-1",
    })
}

/// Feeds a function from the stream of its table until `stop`, from the oldest record the stream
/// still holds: a stream function must bear repetition.
pub(super) async fn from_stream(
    function: Function,
    deps: Arc<Deps>,
    database: Database,
    prefix: &str,
    mut stop: watch::Receiver<bool>,
) {
    let Trigger::Stream { table, .. } = function.trigger else { return };
    let table = format!("{prefix}{table}");
    let mut iterator = None;
    loop {
        let (database_, table_, at) = (database.clone(), table.clone(), iterator.clone());
        let read = tokio::task::spawn_blocking(move || read_stream(&database_, &table_, at)).await;
        match read {
            Ok(Ok((records, _))) if !records.is_empty() && !handled(&function, &deps, &records).await => {
                // A batch that cannot be handled is tried again for ever, but not beyond the end of the network.
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs(1)) => continue,
                    _ = stop.wait_for(|stopped| *stopped) => return,
                }
            }
            Ok(Ok((_, next))) => iterator = next,
            Ok(Err(problem)) => error!(table, problem, "stream not read"),
            Err(_) => return,
        }
        tokio::select! {
            () = tokio::time::sleep(STREAM_POLL) => {}
            _ = stop.wait_for(|stopped| *stopped) => return,
        }
    }
}

/// Runs a function every so many minutes until `stop`.
pub(super) async fn from_schedule(function: Function, deps: Arc<Deps>, mut stop: watch::Receiver<bool>) {
    let Trigger::Schedule { every_minutes, .. } = function.trigger else { return };
    let pause = Duration::from_secs(u64::from(every_minutes) * 60);
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|stopped| *stopped) => return,
        }
        if let Err(problem) = lambda::invoke(&function, deps.clone(), Value::Null).await {
            warn!(function = function.name, %problem, "scheduled run failed");
        }
    }
}

async fn handled(function: &Function, deps: &Arc<Deps>, records: &[Value]) -> bool {
    match lambda::invoke(function, deps.clone(), json!({ "Records": records })).await {
        Ok(_) => true,
        Err(problem) => {
            warn!(function = function.name, %problem, "stream batch will be retried");
            false
        }
    }
}

/// The next records, at most one batch of them, and where to go on.
fn read_stream(
    database: &Database,
    table: &str,
    mut iterator: Option<String>,
) -> Result<(Vec<Value>, Option<String>), String> {
    let text = |error: dynoxide::errors::DynoxideError| error.to_string();
    if iterator.is_none() {
        let request = list_streams::ListStreamsRequest { table_name: Some(table.to_owned()), ..Default::default() };
        let Some(stream) = database.list_streams(request).map_err(text)?.streams.into_iter().next() else {
            return Ok((Vec::new(), None));
        };
        let request =
            describe_stream::DescribeStreamRequest { stream_arn: stream.stream_arn.clone(), ..Default::default() };
        let Some(shard) = database.describe_stream(request).map_err(text)?.stream_description.shards.into_iter().next()
        else {
            return Ok((Vec::new(), None));
        };
        let request = get_shard_iterator::GetShardIteratorRequest {
            stream_arn: stream.stream_arn,
            shard_id: shard.shard_id,
            shard_iterator_type: "TRIM_HORIZON".to_owned(),
            ..Default::default()
        };
        iterator = database.get_shard_iterator(request).map_err(text)?.shard_iterator;
    }
    let mut records = Vec::new();
    while let Some(at) = iterator.clone() {
        let read = database
            .get_records(get_records::GetRecordsRequest { shard_iterator: at, limit: Some(1_000) })
            .map_err(text)?;
        iterator = read.next_shard_iterator;
        if read.records.is_empty() {
            break;
        }
        for record in read.records {
            records.push(serde_json::to_value(record).map_err(|error| error.to_string())?);
        }
        if records.len() >= STREAM_BATCH {
            break;
        }
    }
    Ok((records, iterator))
}

//! One SQS batch through a one-record handler.
//!
//! Invariant: every record of a batch is answered on its own. A failing or panicking record is
//! reported as exactly one failed item; the others are deleted from the queue as usual.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use serde::Serialize;
use tracing::{error, warn};

use crate::deps::Deps;
use crate::function::{QueueRecord, RecordFailure, RecordHandler};
use crate::hop::{Hop, Outcome};
use crate::trace::Trace;

/// The answer SQS understands: which records to keep.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    /// One entry for each record that failed.
    pub batch_item_failures: Vec<ItemFailure>,
}

/// A record that failed.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemFailure {
    /// SQS's message id. Never empty: an empty one would fail the whole batch.
    pub item_identifier: String,
}

/// Runs `handler` over every record of `event`, concurrently, each as a hop of `function` in the trace of whoever
/// put it on the queue.
pub async fn handle(
    deps: Arc<Deps>,
    function: &'static str,
    queue: &'static str,
    handler: RecordHandler,
    event: SqsEvent,
) -> BatchResponse {
    let mut running = Vec::with_capacity(event.records.len());
    for message in event.records {
        let trace = message.attributes.get("AWSTraceHeader").and_then(|header| Trace::parse(header));
        let hop = Hop::begin(&deps, function, trace);
        let record = record(queue, message);
        let (id, receipt, count) = (record.id.clone(), record.receipt_handle.clone(), record.receive_count);
        let deps = deps.clone();
        let task = tokio::spawn(hop.run(async move { handler(deps, record).await }, ended));
        running.push((id, receipt, count, task));
    }
    let mut response = BatchResponse::default();
    for (id, receipt_handle, receive_count, task) in running {
        let mut delay = backoff(receive_count, &id);
        match task.await {
            Ok(Ok(Ok(()))) => continue,
            Ok(Ok(Err(failure @ RecordFailure::Lapsed))) => {
                warn!(queue, sqs_message_id = %id, receive_count, %failure, "record given up");
                // Its remaining deliveries are used up quickly, so that it rests where it is seen.
                delay = Duration::ZERO;
            }
            Ok(Ok(Err(failure @ RecordFailure::Temporary(_)))) => {
                warn!(queue, sqs_message_id = %id, receive_count, %failure, "record will be retried");
            }
            Ok(Ok(Err(failure @ RecordFailure::Malformed(_)))) => {
                error!(queue, sqs_message_id = %id, receive_count, %failure, "record cannot be handled");
            }
            // The panic message may quote what it was working on, so it is not logged.
            Ok(Err(_)) | Err(_) => error!(queue, sqs_message_id = %id, receive_count, "record panicked"),
        }
        if let Err(failure) = deps.queues.change_visibility(queue, &receipt_handle, delay).await {
            // The queue's own visibility timeout then decides when the record comes back.
            warn!(queue, sqs_message_id = %id, %failure, "visibility not changed");
        }
        response.batch_item_failures.push(ItemFailure { item_identifier: id });
    }
    response
}

/// How a hop ends that did not say so itself.
fn ended(result: &Result<(), RecordFailure>) -> Option<Outcome> {
    match result {
        Ok(()) => Some(Outcome::Answered),
        Err(RecordFailure::Lapsed) => Some(Outcome::Lapsed),
        Err(RecordFailure::Temporary(_) | RecordFailure::Malformed(_)) => Some(Outcome::Failed),
    }
}

/// How long a record waits before its next delivery: 1 s doubled per delivery up to 5 min, with a
/// jitter of ±25 % taken from the message id, so that a burst that failed together spreads out.
pub fn backoff(receive_count: u32, message_id: &str) -> Duration {
    const LONGEST_MS: u64 = 300_000;
    let exponent = receive_count.saturating_sub(1).min(16);
    let base = 1_000u64.saturating_mul(1 << exponent).min(LONGEST_MS);
    let spread = message_id
        .bytes()
        .fold(u64::from(receive_count), |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)))
        % (base / 2);
    Duration::from_millis(base - base / 4 + spread)
}

fn record(queue: &'static str, message: SqsMessage) -> QueueRecord {
    let attributes: BTreeMap<String, String> = message
        .message_attributes
        .into_iter()
        .filter_map(|(name, attribute)| attribute.string_value.map(|value| (name, value)))
        .collect();
    QueueRecord {
        receive_count: message
            .attributes
            .get("ApproximateReceiveCount")
            .and_then(|count| count.parse().ok())
            .unwrap_or(1),
        id: message.message_id.unwrap_or_default(),
        receipt_handle: message.receipt_handle.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        attributes,
        queue,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn backoff_doubles_stays_bounded_and_spreads() {
        for count in 1..40 {
            let base = (1_000u64 << (count - 1).min(16)).min(300_000);
            let delay = backoff(count, "0b0b-message").as_millis() as u64;
            assert!(delay >= base - base / 4 && delay <= base + base / 4, "{count}: {delay}");
        }
        assert_ne!(backoff(3, "a"), backoff(3, "b"));
    }
}

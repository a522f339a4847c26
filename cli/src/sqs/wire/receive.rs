//! `ReceiveMessage`, `DeleteMessage` and `ChangeMessageVisibility`, and the batches of the latter
//! two.
//!
//! Invariant: a receiver gets the attributes it asked for and no others, and the digest is that of
//! the attributes it got.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::batch::{BatchResult, Done, check_ids};
use super::send::WireAttribute;
use super::{Empty, bounded, queue_name, required, seconds};
use crate::sqs::message::{Delivered, MessageAttribute};
use crate::sqs::queue::{QUEUE_ARN_PREFIX, millis};
use crate::sqs::{Sqs, SqsError, digest};

/// The account every local queue belongs to.
const SENDER_ID: &str = "000000000000";

const SYSTEM_ATTRIBUTES: [&str; 10] = [
    "All",
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];

/// Input of `ReceiveMessage`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveMessageInput {
    queue_url: Option<String>,
    max_number_of_messages: Option<i64>,
    wait_time_seconds: Option<i64>,
    visibility_timeout: Option<i64>,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
}

/// Output of `ReceiveMessage`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveMessageOutput {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<WireDelivery>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireDelivery {
    message_id: String,
    receipt_handle: String,
    #[serde(rename = "MD5OfBody")]
    md5_of_body: String,
    body: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, String>,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    message_attributes: BTreeMap<String, WireAttribute>,
}

pub(super) async fn receive_message(sqs: &Sqs, input: ReceiveMessageInput) -> Result<ReceiveMessageOutput, SqsError> {
    let queue = queue_name(input.queue_url)?;
    let max = bounded("MaxNumberOfMessages", input.max_number_of_messages, 1..=10)?.unwrap_or(1);
    let wait = seconds("WaitTimeSeconds", input.wait_time_seconds, 0..=20)?.unwrap_or_default();
    let visibility = seconds("VisibilityTimeout", input.visibility_timeout, 0..=43_200)?;
    let mut system = input.attribute_names;
    system.extend(input.message_system_attribute_names);
    if let Some(unknown) = system.iter().find(|name| !SYSTEM_ATTRIBUTES.contains(&name.as_str())) {
        return Err(SqsError::InvalidAttributeName(unknown.clone()));
    }
    let delivered = sqs.poll(&queue, max, wait, visibility).await?;
    let messages =
        delivered.into_iter().map(|message| render(message, &system, &input.message_attribute_names)).collect();
    Ok(ReceiveMessageOutput { messages })
}

fn render(message: Delivered, system: &[String], names: &[String]) -> WireDelivery {
    let asked: BTreeMap<String, MessageAttribute> = message
        .attributes
        .iter()
        .filter(|(name, _)| names.iter().any(|pattern| selects(pattern, name)))
        .map(|(name, attribute)| (name.clone(), attribute.clone()))
        .collect();
    WireDelivery {
        attributes: system_attributes(&message, system),
        md5_of_message_attributes: digest::of_attributes(&asked),
        message_attributes: asked
            .iter()
            .map(|(name, attribute)| (name.clone(), WireAttribute::from(attribute)))
            .collect(),
        receipt_handle: message.receipt.to_string(),
        message_id: message.message_id,
        md5_of_body: message.md5_of_body,
        body: message.body,
    }
}

/// `All`, `.*`, a name, or a prefix followed by `.*`.
fn selects(pattern: &str, name: &str) -> bool {
    pattern == "All" || pattern == name || pattern.strip_suffix(".*").is_some_and(|prefix| name.starts_with(prefix))
}

fn system_attributes(message: &Delivered, asked: &[String]) -> BTreeMap<&'static str, String> {
    let known = [
        ("SenderId", Some(SENDER_ID.to_owned())),
        ("SentTimestamp", Some(message.sent_at.as_millisecond().to_string())),
        ("ApproximateReceiveCount", Some(message.receive_count.to_string())),
        ("ApproximateFirstReceiveTimestamp", Some(message.first_received_at.as_millisecond().to_string())),
        ("MessageGroupId", message.group_id.clone()),
        ("AWSTraceHeader", message.trace_header.clone()),
        (
            "DeadLetterQueueSourceArn",
            message.dead_letter_source.as_ref().map(|queue| format!("{QUEUE_ARN_PREFIX}{queue}")),
        ),
    ];
    known
        .into_iter()
        .filter(|(name, _)| asked.iter().any(|asked| asked == "All" || asked == name))
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// Input of `DeleteMessage`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteMessageInput {
    queue_url: Option<String>,
    receipt_handle: Option<String>,
}

pub(super) async fn delete_message(sqs: &Sqs, input: DeleteMessageInput) -> Result<Empty, SqsError> {
    let queue = queue_name(input.queue_url)?;
    let handle = required("ReceiptHandle", input.receipt_handle)?;
    sqs.run(move |engine| {
        let place = engine.place(&queue)?;
        engine.delete(place, &handle)
    })
    .await?;
    Ok(Empty {})
}

/// Input of `DeleteMessageBatch`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteMessageBatchInput {
    queue_url: Option<String>,
    #[serde(default)]
    entries: Vec<DeleteMessageBatchEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteMessageBatchEntry {
    #[serde(default)]
    id: String,
    receipt_handle: Option<String>,
}

pub(super) async fn delete_message_batch(
    sqs: &Sqs,
    input: DeleteMessageBatchInput,
) -> Result<BatchResult<Done>, SqsError> {
    let queue = queue_name(input.queue_url)?;
    check_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
    sqs.run(move |engine| {
        let place = engine.place(&queue)?;
        let mut results = BatchResult::new();
        for DeleteMessageBatchEntry { id, receipt_handle } in input.entries {
            let result = required("ReceiptHandle", receipt_handle)
                .and_then(|handle| engine.delete(place, &handle))
                .map(|()| Done { id: id.clone() });
            results.file(id, result)?;
        }
        Ok(results)
    })
    .await
}

/// Input of `ChangeMessageVisibility`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeMessageVisibilityInput {
    queue_url: Option<String>,
    receipt_handle: Option<String>,
    visibility_timeout: Option<i64>,
}

fn visibility(value: Option<i64>) -> Result<Duration, SqsError> {
    required("VisibilityTimeout", seconds("VisibilityTimeout", value, 0..=43_200)?)
}

pub(super) async fn change_message_visibility(
    sqs: &Sqs,
    input: ChangeMessageVisibilityInput,
) -> Result<Empty, SqsError> {
    let queue = queue_name(input.queue_url)?;
    let handle = required("ReceiptHandle", input.receipt_handle)?;
    let timeout = visibility(input.visibility_timeout)?;
    sqs.run(move |engine| {
        let place = engine.place(&queue)?;
        engine.change_visibility(place, &handle, millis(timeout))
    })
    .await?;
    Ok(Empty {})
}

/// Input of `ChangeMessageVisibilityBatch`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeMessageVisibilityBatchInput {
    queue_url: Option<String>,
    #[serde(default)]
    entries: Vec<ChangeMessageVisibilityBatchEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChangeMessageVisibilityBatchEntry {
    #[serde(default)]
    id: String,
    receipt_handle: Option<String>,
    visibility_timeout: Option<i64>,
}

pub(super) async fn change_message_visibility_batch(
    sqs: &Sqs,
    input: ChangeMessageVisibilityBatchInput,
) -> Result<BatchResult<Done>, SqsError> {
    let queue = queue_name(input.queue_url)?;
    check_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
    sqs.run(move |engine| {
        let place = engine.place(&queue)?;
        let mut results = BatchResult::new();
        for entry in input.entries {
            let result = required("ReceiptHandle", entry.receipt_handle)
                .and_then(|handle| Ok((handle, visibility(entry.visibility_timeout)?)))
                .and_then(|(handle, timeout)| engine.change_visibility(place, &handle, millis(timeout)))
                .map(|()| Done { id: entry.id.clone() });
            results.file(entry.id, result)?;
        }
        Ok(results)
    })
    .await
}

//! `GetQueueUrl`, `GetQueueAttributes` and `ListQueues`.
//!
//! Invariant: what these tell of a queue is read in one transaction, so counts fit together.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{bounded, queue_name, required, short_name};
use crate::sqs::queue::{QUEUE_ARN_PREFIX, QUEUE_NAME_PREFIX, QUEUE_URL_PREFIX, QueueDescription};
use crate::sqs::{Sqs, SqsError};

/// Input of `GetQueueUrl`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueUrlInput {
    queue_name: Option<String>,
}

/// Output of `GetQueueUrl`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueUrlOutput {
    queue_url: String,
}

pub(super) async fn queue_url(sqs: &Sqs, input: QueueUrlInput) -> Result<QueueUrlOutput, SqsError> {
    let name = short_name(&required("QueueName", input.queue_name)?)?;
    sqs.run(move |engine| {
        engine.place(&name)?;
        Ok(QueueUrlOutput { queue_url: format!("{QUEUE_URL_PREFIX}{name}") })
    })
    .await
}

/// Input of `GetQueueAttributes`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueAttributesInput {
    queue_url: Option<String>,
    #[serde(default)]
    attribute_names: Vec<String>,
}

/// Output of `GetQueueAttributes`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueAttributesOutput {
    attributes: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RedrivePolicy {
    dead_letter_target_arn: String,
    max_receive_count: u32,
}

pub(super) async fn queue_attributes(
    sqs: &Sqs,
    input: QueueAttributesInput,
) -> Result<QueueAttributesOutput, SqsError> {
    let name = queue_name(input.queue_url)?;
    let queue = sqs
        .run(move |engine| {
            let place = engine.place(&name)?;
            engine.describe(place)
        })
        .await?;
    let asked = input.attribute_names;
    let known = attributes(&queue, sqs.maximum_message_size())?;
    let unknown = asked.iter().find(|asked| *asked != "All" && !known.iter().any(|(name, _)| name == asked));
    if let Some(unknown) = unknown {
        return Err(SqsError::InvalidAttributeName(unknown.clone()));
    }
    let attributes = known
        .into_iter()
        .filter(|(name, _)| asked.iter().any(|asked| asked == "All" || asked == name))
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    Ok(QueueAttributesOutput { attributes })
}

fn attributes(
    queue: &QueueDescription,
    maximum_message_size: usize,
) -> Result<Vec<(&'static str, Option<String>)>, SqsError> {
    let policy = match &queue.redrive {
        None => None,
        Some((dead_letter, max_receive_count)) => {
            let policy = RedrivePolicy {
                dead_letter_target_arn: format!("{QUEUE_ARN_PREFIX}{dead_letter}"),
                max_receive_count: *max_receive_count,
            };
            Some(serde_json::to_string(&policy).map_err(|_| SqsError::InternalFailure)?)
        }
    };
    let text = |value: String| Some(value);
    let whole_seconds = |millis: i64| Some((millis / 1_000).to_string());
    Ok(vec![
        ("ApproximateNumberOfMessages", text(queue.depth.visible.to_string())),
        ("ApproximateNumberOfMessagesNotVisible", text(queue.depth.in_flight.to_string())),
        ("ApproximateNumberOfMessagesDelayed", text(queue.depth.delayed.to_string())),
        ("VisibilityTimeout", whole_seconds(queue.visibility_timeout_ms)),
        ("MessageRetentionPeriod", whole_seconds(queue.retention_ms)),
        ("CreatedTimestamp", whole_seconds(queue.created_at_ms)),
        ("LastModifiedTimestamp", whole_seconds(queue.created_at_ms)),
        ("MaximumMessageSize", text(maximum_message_size.to_string())),
        ("DelaySeconds", text("0".to_owned())),
        ("ReceiveMessageWaitTimeSeconds", text("0".to_owned())),
        ("QueueArn", text(format!("{QUEUE_ARN_PREFIX}{}", queue.name))),
        ("RedrivePolicy", policy),
    ])
}

/// Input of `ListQueues`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListQueuesInput {
    #[serde(default)]
    queue_name_prefix: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

/// Output of `ListQueues`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListQueuesOutput {
    queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(super) async fn list_queues(sqs: &Sqs, input: ListQueuesInput) -> Result<ListQueuesOutput, SqsError> {
    let page = bounded("MaxResults", input.max_results, 1..=1_000)?;
    let after = match input.next_token {
        None => None,
        Some(token) => Some(
            STANDARD
                .decode(token)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| SqsError::invalid("NextToken", "must come from ListQueues"))?,
        ),
    };
    let prefix = input.queue_name_prefix.unwrap_or_default();
    let mut names = sqs.queue_names().await?;
    names.retain(|name| {
        format!("{QUEUE_NAME_PREFIX}{name}").starts_with(&prefix) && after.as_ref().is_none_or(|after| name > after)
    });
    // Without MaxResults SQS lists up to 1000 queues and gives no token.
    let limit = page.unwrap_or(1_000) as usize;
    let more = page.is_some() && names.len() > limit;
    names.truncate(limit);
    let next_token = names.last().filter(|_| more).map(|name| STANDARD.encode(name));
    Ok(ListQueuesOutput {
        queue_urls: names.into_iter().map(|name| format!("{QUEUE_URL_PREFIX}{name}")).collect(),
        next_token,
    })
}

//! The queues between a function that acknowledges and the one that answers.
//!
//! Invariant: [`Queues::send`] and [`Queues::send_batch`] return `Ok` only after SQS has accepted the message, or
//! every one of them; an ACK is never given before that.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_sqs::error::{BuildError, DisplayErrorContext};
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends as SystemAttribute, MessageSystemAttributeValue,
    SendMessageBatchRequestEntry,
};
use futures_util::stream::{self, TryStreamExt as _};
use tracing::warn;

use crate::hop;

/// Most messages of one call.
const BATCH_MESSAGES: usize = 10;
/// Most bytes of one call, and of one message: 1 MiB with the attributes.
pub const MAX_MESSAGE: usize = 1024 * 1024;
/// Calls of one batch at the same time.
const BATCH_CALLS: usize = 8;
/// Times the messages that SQS did not accept are sent before the batch is given up.
const BATCH_ATTEMPTS: u32 = 3;
/// Pause before they are sent for the second time; each further one is as much longer.
const BATCH_PAUSE: Duration = Duration::from_millis(100);
/// Longest wait for SQS while a function starts.
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);

/// Sends to the deployment's queues by their short names.
#[derive(Debug, Clone)]
pub struct Queues {
    client: aws_sdk_sqs::Client,
    url_prefix: String,
}

/// A message to send.
#[derive(Clone)]
pub struct Outgoing {
    /// The body; at most 1 MiB with the attributes.
    pub body: String,
    /// String attributes, at most ten.
    pub attributes: BTreeMap<&'static str, String>,
    /// The tenant this message belongs to: one noisy subscriber does not starve the others (SQS
    /// fair queues).
    pub group: String,
    /// How long the queue keeps it hidden first.
    pub delay: Duration,
}

/// SQS did not accept the call.
#[derive(Debug, thiserror::Error)]
#[error("SQS {operation} on {queue}: {problem}")]
pub struct QueueError {
    operation: &'static str,
    queue: String,
    problem: String,
    /// True when the message itself is at fault (size or characters), so that sending it again
    /// cannot help.
    pub message_at_fault: bool,
}

impl Queues {
    /// Queues whose URL is `url_prefix` followed by their short name.
    pub fn new(client: aws_sdk_sqs::Client, url_prefix: String) -> Self {
        Self { client, url_prefix }
    }

    /// Puts a message on `queue`, with the trace of the hop that sends it.
    ///
    /// # Errors
    /// SQS refused or could not be reached; the message is then not on the queue as far as we know.
    pub async fn send(&self, queue: &str, message: Outgoing) -> Result<(), QueueError> {
        let failed = |problem: BuildError| self.error("SendMessage", queue, problem, false);
        let mut call = self
            .client
            .send_message()
            .queue_url(self.url(queue))
            .message_group_id(group_id(&message.group))
            .set_delay_seconds(message.delay_seconds())
            .set_message_attributes(Some(message.attributes().map_err(failed)?))
            .message_body(message.body);
        if let Some(trace) = trace_header().map_err(failed)? {
            call = call.message_system_attributes(SystemAttribute::AwsTraceHeader, trace);
        }
        call.send().await.map(|_| ()).map_err(|error| {
            let at_fault = error.as_service_error().is_some_and(|fault| {
                fault.is_invalid_message_contents() || fault.meta().code() == Some("InvalidParameterValue")
            });
            self.error("SendMessage", queue, DisplayErrorContext(&error), at_fault)
        })
    }

    /// Puts many messages on `queue`, ten at a time or as many as one call may hold, with the trace of the hop
    /// that sends them. What SQS does not accept of a call is sent again, alone.
    ///
    /// # Errors
    /// Some messages were not accepted; others may be on the queue, and are there twice when all are sent again.
    pub async fn send_batch(&self, queue: &str, messages: Vec<Outgoing>) -> Result<(), QueueError> {
        stream::iter(calls(messages).into_iter().map(Ok))
            .try_for_each_concurrent(BATCH_CALLS, |call| self.send_call(queue, call))
            .await
    }

    /// Sends what one call holds until SQS has accepted all of it.
    async fn send_call(&self, queue: &str, messages: Vec<Outgoing>) -> Result<(), QueueError> {
        let failed = |problem| self.error("SendMessageBatch", queue, problem, false);
        let mut entries = Vec::with_capacity(messages.len());
        for (place, message) in messages.into_iter().enumerate() {
            let entry = SendMessageBatchRequestEntry::builder()
                .id(place.to_string())
                .message_group_id(group_id(&message.group))
                .set_delay_seconds(message.delay_seconds())
                .set_message_attributes(Some(message.attributes().map_err(|error| failed(error.to_string()))?))
                .set_message_system_attributes(
                    trace_header()
                        .map_err(|error| failed(error.to_string()))?
                        .map(|trace| [(SystemAttribute::AwsTraceHeader, trace)].into()),
                )
                .message_body(message.body);
            entries.push(entry.build().map_err(|error| failed(error.to_string()))?);
        }
        for attempt in 1..=BATCH_ATTEMPTS {
            let call = self.client.send_message_batch().queue_url(self.url(queue));
            let answer = call
                .set_entries(Some(entries.clone()))
                .send()
                .await
                .map_err(|error| failed(DisplayErrorContext(&error).to_string()))?;
            let refused = answer.failed();
            let Some(first) = refused.first() else { return Ok(()) };
            if let Some(at_fault) = refused.iter().find(|entry| entry.sender_fault()) {
                return Err(self.error("SendMessageBatch", queue, at_fault.code(), true));
            }
            if attempt == BATCH_ATTEMPTS {
                return Err(failed(format!("{} of {} messages: {}", refused.len(), entries.len(), first.code())));
            }
            warn!(queue, refused = refused.len(), code = first.code(), "messages are sent again");
            entries.retain(|entry| refused.iter().any(|refused| refused.id() == entry.id()));
            tokio::time::sleep(BATCH_PAUSE * attempt).await;
        }
        Ok(())
    }

    /// Opens the connection that the first message to `queue` will need, while nobody waits for it yet; returns whether
    /// SQS answered. It is asked with an empty batch, which it refuses without effect and which asks for no
    /// permission but that to send.
    pub async fn connect(&self, queue: &str) -> bool {
        let nothing = self.client.send_message_batch().queue_url(self.url(queue)).set_entries(Some(Vec::new())).send();
        match tokio::time::timeout(CONNECT_PATIENCE, nothing).await {
            Ok(Ok(_)) => true,
            Ok(Err(refusal)) => refusal.raw_response().is_some(),
            Err(_) => false,
        }
    }

    /// Makes one delivery of a message visible again after `delay`.
    ///
    /// # Errors
    /// SQS refused, e.g. because the delivery's visibility has already lapsed.
    pub async fn change_visibility(
        &self,
        queue: &str,
        receipt_handle: &str,
        delay: Duration,
    ) -> Result<(), QueueError> {
        self.client
            .change_message_visibility()
            .queue_url(self.url(queue))
            .receipt_handle(receipt_handle)
            .visibility_timeout(i32::try_from(delay.as_secs()).unwrap_or(i32::MAX))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| self.error("ChangeMessageVisibility", queue, DisplayErrorContext(&error), false))
    }

    fn url(&self, queue: &str) -> String {
        format!("{}{queue}", self.url_prefix)
    }

    fn error(
        &self,
        operation: &'static str,
        queue: &str,
        problem: impl std::fmt::Display,
        message_at_fault: bool,
    ) -> QueueError {
        QueueError { operation, queue: queue.to_owned(), problem: problem.to_string(), message_at_fault }
    }
}

impl Outgoing {
    fn delay_seconds(&self) -> Option<i32> {
        let seconds = i32::try_from(self.delay.as_secs().clamp(1, 900)).unwrap_or(900);
        (!self.delay.is_zero()).then_some(seconds)
    }

    fn attributes(&self) -> Result<HashMap<String, MessageAttributeValue>, BuildError> {
        let attributes = self.attributes.iter().map(|(name, value)| {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build()?;
            Ok(((*name).to_owned(), value))
        });
        attributes.collect()
    }

    /// Its size as SQS counts it: body, and name, type and value of each attribute, in bytes.
    fn size(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, value)| name.len() + "String".len() + value.len());
        self.body.len() + attributes.sum::<usize>()
    }
}

/// The trace of the hop that sends.
fn trace_header() -> Result<Option<MessageSystemAttributeValue>, BuildError> {
    hop::trace()
        .map(|trace| MessageSystemAttributeValue::builder().data_type("String").string_value(trace.to_string()).build())
        .transpose()
}

/// The messages in their order, in as few calls as their number and size allow. One that is too large for any
/// call stands alone; SQS then says so.
fn calls(messages: Vec<Outgoing>) -> Vec<Vec<Outgoing>> {
    let mut calls: Vec<Vec<Outgoing>> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        let size = message.size();
        match calls.last_mut() {
            Some(call) if call.len() < BATCH_MESSAGES && bytes + size <= MAX_MESSAGE => {
                bytes += size;
                call.push(message);
            }
            _ => {
                bytes = size;
                calls.push(vec![message]);
            }
        }
    }
    calls
}

/// SQS accepts up to 128 characters of letters, digits and punctuation.
fn group_id(subscriber: &str) -> String {
    subscriber.chars().filter(char::is_ascii_graphic).take(128).collect()
}

#[cfg(test)]
mod tests;

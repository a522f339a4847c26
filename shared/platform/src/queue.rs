//! The queues between a function that acknowledges and the one that answers.
//!
//! Invariant: [`Queues::send`] returns `Ok` only after SQS has accepted the message; an ACK is
//! never given before that.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::MessageAttributeValue;

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

    /// Puts a message on `queue`.
    ///
    /// # Errors
    /// SQS refused or could not be reached; the message is then not on the queue as far as we know.
    pub async fn send(&self, queue: &str, message: Outgoing) -> Result<(), QueueError> {
        let mut call = self
            .client
            .send_message()
            .queue_url(self.url(queue))
            .message_body(message.body)
            .message_group_id(group_id(&message.group));
        if !message.delay.is_zero() {
            call = call.delay_seconds(i32::try_from(message.delay.as_secs().clamp(1, 900)).unwrap_or(900));
        }
        for (name, value) in message.attributes {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            let value = value.map_err(|error| self.error("SendMessage", queue, error, false))?;
            call = call.message_attributes(name, value);
        }
        call.send().await.map(|_| ()).map_err(|error| {
            let at_fault = error.as_service_error().is_some_and(|fault| {
                fault.is_invalid_message_contents() || fault.meta().code() == Some("InvalidParameterValue")
            });
            self.error("SendMessage", queue, DisplayErrorContext(&error), at_fault)
        })
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

/// SQS accepts up to 128 characters of letters, digits and punctuation.
fn group_id(subscriber: &str) -> String {
    subscriber.chars().filter(char::is_ascii_graphic).take(128).collect()
}

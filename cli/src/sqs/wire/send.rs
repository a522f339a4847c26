//! `SendMessage` and `SendMessageBatch`.
//!
//! Invariant: a message is answered with its id only after the commit that holds it.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::batch::{BatchResult, check_ids};
use super::{queue_name, required, seconds};
use crate::sqs::message::AcceptedMessage;
use crate::sqs::{AttributeValue, MessageAttribute, OutgoingMessage, SentMessage, Sqs, SqsError};

const TRACE_HEADER: &str = "AWSTraceHeader";

/// A message attribute on the wire.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireAttribute {
    data_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    string_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
}

impl WireAttribute {
    fn parse(self) -> Result<MessageAttribute, SqsError> {
        let data_type = required("DataType", self.data_type)?;
        let value = match (self.string_value, self.binary_value) {
            (Some(text), None) => AttributeValue::Text(text),
            (None, Some(encoded)) => match STANDARD.decode(encoded) {
                Ok(bytes) => AttributeValue::Binary(bytes),
                Err(_) => return Err(SqsError::invalid("BinaryValue", "must be base64")),
            },
            _ => {
                return Err(SqsError::invalid(
                    "MessageAttributes",
                    "an attribute has either a StringValue or a BinaryValue",
                ));
            }
        };
        MessageAttribute::new(data_type, value)
    }
}

impl From<&MessageAttribute> for WireAttribute {
    fn from(attribute: &MessageAttribute) -> Self {
        let (string_value, binary_value) = match attribute.value() {
            AttributeValue::Text(text) => (Some(text.clone()), None),
            AttributeValue::Binary(bytes) => (None, Some(STANDARD.encode(bytes))),
        };
        Self { data_type: Some(attribute.data_type().to_owned()), string_value, binary_value }
    }
}

/// The members of a message, common to the single operation and a batch's entry.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireMessage {
    message_body: Option<String>,
    delay_seconds: Option<i64>,
    message_attributes: Option<BTreeMap<String, WireAttribute>>,
    message_system_attributes: Option<BTreeMap<String, WireAttribute>>,
    message_deduplication_id: Option<String>,
    message_group_id: Option<String>,
}

impl WireMessage {
    fn parse(self) -> Result<(OutgoingMessage, Option<String>), SqsError> {
        if self.message_deduplication_id.is_some() {
            return Err(SqsError::invalid(
                "MessageDeduplicationId",
                "The request includes a parameter that is not valid for this queue type",
            ));
        }
        let attributes = self
            .message_attributes
            .unwrap_or_default()
            .into_iter()
            .map(|(name, attribute)| Ok((name, attribute.parse()?)))
            .collect::<Result<_, SqsError>>()?;
        let mut system = BTreeMap::new();
        for (name, attribute) in self.message_system_attributes.unwrap_or_default() {
            if name != TRACE_HEADER {
                return Err(SqsError::invalid(
                    "MessageSystemAttributes",
                    "the only system attribute of a sender is AWSTraceHeader",
                ));
            }
            system.insert(name, attribute.parse()?);
        }
        let digest = crate::sqs::digest::of_attributes(&system);
        let trace_header = match system.remove(TRACE_HEADER) {
            None => None,
            Some(attribute) => match attribute.value() {
                AttributeValue::Text(text) => Some(text.clone()),
                AttributeValue::Binary(_) => {
                    return Err(SqsError::invalid("MessageSystemAttributes", "AWSTraceHeader must be a String"));
                }
            },
        };
        let message = OutgoingMessage {
            body: required("MessageBody", self.message_body)?,
            delay: seconds("DelaySeconds", self.delay_seconds, 0..=900)?.unwrap_or_default(),
            attributes,
            group_id: self.message_group_id,
            trace_header,
        };
        Ok((message, digest))
    }
}

/// Input of `SendMessage`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendMessageInput {
    queue_url: Option<String>,
    #[serde(flatten)]
    message: WireMessage,
}

/// Input of `SendMessageBatch`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendMessageBatchInput {
    queue_url: Option<String>,
    #[serde(default)]
    entries: Vec<SendMessageBatchEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessageBatchEntry {
    #[serde(default)]
    id: String,
    #[serde(flatten)]
    message: WireMessage,
}

/// Output of `SendMessage` and, with an id, of a batch's entry.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendMessageOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    message_id: String,
    #[serde(rename = "MD5OfMessageBody")]
    md5_of_message_body: String,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<String>,
    #[serde(rename = "MD5OfMessageSystemAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_system_attributes: Option<String>,
}

impl fmt::Debug for SendMessageOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendMessageOutput").field("message_id", &self.message_id).finish_non_exhaustive()
    }
}

impl SendMessageOutput {
    fn new(id: Option<String>, sent: SentMessage, system: Option<String>) -> Self {
        Self {
            id,
            message_id: sent.message_id,
            md5_of_message_body: sent.md5_of_body,
            md5_of_message_attributes: sent.md5_of_attributes,
            md5_of_message_system_attributes: system,
        }
    }
}

pub(super) async fn send_message(sqs: &Sqs, input: SendMessageInput) -> Result<SendMessageOutput, SqsError> {
    let queue = queue_name(input.queue_url)?;
    let (message, system) = input.message.parse()?;
    let accepted = sqs.accept(message)?;
    sqs.run(move |engine| {
        let place = engine.place(&queue)?;
        engine.send(place, &accepted)?;
        Ok(SendMessageOutput::new(None, accepted.receipt_for_sender(), system))
    })
    .await
}

pub(super) async fn send_message_batch(
    sqs: &Sqs,
    input: SendMessageBatchInput,
) -> Result<BatchResult<SendMessageOutput>, SqsError> {
    let queue = queue_name(input.queue_url)?;
    check_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
    let limit = sqs.maximum_message_size();
    let mut total = 0;
    let mut entries = Vec::with_capacity(input.entries.len());
    for entry in input.entries {
        let parsed = entry.message.parse().and_then(|(message, system)| {
            total += message.size();
            Ok((AcceptedMessage::parse(message, limit)?, system))
        });
        entries.push((entry.id, parsed));
    }
    if total > limit {
        return Err(SqsError::BatchRequestTooLong { limit, sent: total });
    }
    sqs.run(move |engine| {
        let place = engine.place(&queue)?;
        let mut results = BatchResult::new();
        for (id, parsed) in entries {
            let result = match parsed {
                Ok((accepted, system)) => engine.send(place, &accepted).map(|()| {
                    let sent = accepted.receipt_for_sender();
                    SendMessageOutput::new(Some(id.clone()), sent, system)
                }),
                Err(error) => Err(error),
            };
            results.file(id, result)?;
        }
        Ok(results)
    })
    .await
}

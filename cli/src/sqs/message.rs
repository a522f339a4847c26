//! Messages as they are sent, stored, received and looked at.
//!
//! Invariant: an [`AcceptedMessage`] has passed every check SQS makes on a message, so whatever
//! reaches the store can be delivered. Bodies and attribute values may hold personal data: no
//! `Debug` here shows them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::SqsError;
use super::{digest, fresh};

/// Longest delay of a message, as in SQS: 15 minutes.
pub const MAX_DELAY: Duration = Duration::from_secs(15 * 60);

const MAX_ATTRIBUTES: usize = 10;
const MAX_ATTRIBUTE_NAME: usize = 256;
const MAX_GROUP_ID: usize = 128;

/// The value of a message attribute.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttributeValue {
    /// A `String` or `Number` attribute.
    Text(String),
    /// A `Binary` attribute.
    Binary(Vec<u8>),
}

impl fmt::Debug for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Binary(bytes) => write!(f, "Binary({} bytes)", bytes.len()),
        }
    }
}

/// A message attribute: a data type, optionally with a custom label (`Number.int`), and a value of
/// that type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageAttribute {
    data_type: String,
    value: AttributeValue,
}

impl MessageAttribute {
    /// A `String` attribute. SQS refuses an empty value when the message is sent.
    #[must_use]
    pub fn string(value: impl Into<String>) -> Self {
        Self { data_type: "String".to_owned(), value: AttributeValue::Text(value.into()) }
    }

    /// An attribute of the given data type.
    ///
    /// # Errors
    /// [`SqsError::InvalidParameterValue`] when the type is not `String`, `Number` or `Binary`
    /// (with or without a label), or the value is not of that type.
    pub fn new(data_type: String, value: AttributeValue) -> Result<Self, SqsError> {
        let base = data_type.split('.').next().unwrap_or_default();
        let fits = match (base, &value) {
            ("String", AttributeValue::Text(_)) | ("Binary", AttributeValue::Binary(_)) => true,
            ("Number", AttributeValue::Text(text)) => text.parse::<f64>().is_ok_and(f64::is_finite),
            _ => false,
        };
        if !fits || data_type.len() > MAX_ATTRIBUTE_NAME {
            return Err(SqsError::invalid(
                "MessageAttributes",
                "DataType must be String, Number or Binary and the value must be of that type",
            ));
        }
        Ok(Self { data_type, value })
    }

    /// The data type with its label.
    #[must_use]
    pub fn data_type(&self) -> &str {
        &self.data_type
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &AttributeValue {
        &self.value
    }

    fn value_bytes(&self) -> &[u8] {
        match &self.value {
            AttributeValue::Text(text) => text.as_bytes(),
            AttributeValue::Binary(bytes) => bytes,
        }
    }
}

/// A message as a sender words it, not yet checked.
#[derive(Clone, Default)]
pub struct OutgoingMessage {
    /// The body: 1 byte up to the size cap, characters of XML's set.
    pub body: String,
    /// How long the message stays hidden after it was accepted; at most [`MAX_DELAY`].
    pub delay: Duration,
    /// At most ten attributes.
    pub attributes: BTreeMap<String, MessageAttribute>,
    /// `MessageGroupId`: on a standard queue a hint for fair queues, kept and returned.
    pub group_id: Option<String>,
    /// `AWSTraceHeader`, kept and returned.
    pub trace_header: Option<String>,
}

impl OutgoingMessage {
    /// A message with this body and nothing else.
    #[must_use]
    pub fn new(body: impl Into<String>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// What SQS counts against the size cap: the body and every name, type and value, in bytes.
    pub(super) fn size(&self) -> usize {
        let attributes: usize = self
            .attributes
            .iter()
            .map(|(name, attribute)| name.len() + attribute.data_type.len() + attribute.value_bytes().len())
            .sum();
        self.body.len() + attributes
    }
}

impl fmt::Debug for OutgoingMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingMessage")
            .field("size", &self.size())
            .field("delay", &self.delay)
            .finish_non_exhaustive()
    }
}

/// What the sender is told about an accepted message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentMessage {
    /// The id SQS gave the message.
    pub message_id: String,
    /// Hexadecimal MD5 of the body.
    pub md5_of_body: String,
    /// Hexadecimal MD5 of the attributes, when there are any.
    pub md5_of_attributes: Option<String>,
}

/// A message that passed all checks and has its id.
pub(super) struct AcceptedMessage {
    message_id: String,
    md5_of_body: String,
    message: OutgoingMessage,
}

impl AcceptedMessage {
    /// Checks a message against SQS's rules and gives it an id.
    pub(super) fn parse(message: OutgoingMessage, limit: usize) -> Result<Self, SqsError> {
        if message.body.is_empty() {
            return Err(SqsError::MissingParameter("MessageBody"));
        }
        if message.size() > limit {
            return Err(SqsError::invalid("MessageBody", format!("Message must be shorter than {limit} bytes")));
        }
        if let Some(character) = message.body.chars().find(|c| !is_xml(*c)) {
            return Err(SqsError::InvalidMessageContents(u32::from(character)));
        }
        if message.delay > MAX_DELAY {
            return Err(SqsError::invalid("DelaySeconds", "must be 0 to 900"));
        }
        check_attributes(&message.attributes)?;
        if let Some(group) = &message.group_id {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte.is_ascii_punctuation();
            if group.is_empty() || group.len() > MAX_GROUP_ID || !group.bytes().all(allowed) {
                return Err(SqsError::invalid(
                    "MessageGroupId",
                    "must be 1 to 128 alphanumeric and punctuation characters",
                ));
            }
        }
        Ok(Self { message_id: fresh::id().to_string(), md5_of_body: digest::of_body(&message.body), message })
    }

    pub(super) fn message_id(&self) -> &str {
        &self.message_id
    }

    pub(super) fn md5_of_body(&self) -> &str {
        &self.md5_of_body
    }

    pub(super) fn message(&self) -> &OutgoingMessage {
        &self.message
    }

    pub(super) fn receipt_for_sender(&self) -> SentMessage {
        SentMessage {
            message_id: self.message_id.clone(),
            md5_of_body: self.md5_of_body.clone(),
            md5_of_attributes: digest::of_attributes(&self.message.attributes),
        }
    }
}

fn check_attributes(attributes: &BTreeMap<String, MessageAttribute>) -> Result<(), SqsError> {
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(SqsError::invalid("MessageAttributes", "at most 10 attributes are allowed"));
    }
    for (name, attribute) in attributes {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        let lower = name.to_ascii_lowercase();
        if name.is_empty()
            || name.len() > MAX_ATTRIBUTE_NAME
            || !name.bytes().all(allowed)
            || name.starts_with('.')
            || name.ends_with('.')
            || name.contains("..")
            || lower.starts_with("aws.")
            || lower.starts_with("amazon.")
        {
            return Err(SqsError::invalid(
                "MessageAttributes",
                "a name has 1 to 256 letters, digits, `_`, `-` and single inner `.`, and does not \
                 start with `AWS.` or `Amazon.`",
            ));
        }
        if attribute.value_bytes().is_empty() {
            return Err(SqsError::invalid("MessageAttributes", "a value must not be empty"));
        }
        if let AttributeValue::Text(text) = &attribute.value
            && let Some(character) = text.chars().find(|c| !is_xml(*c))
        {
            return Err(SqsError::InvalidMessageContents(u32::from(character)));
        }
    }
    Ok(())
}

/// SQS takes the characters of XML 1.0: tab, newline, carriage return, and from space upwards
/// without U+FFFE and U+FFFF (surrogates cannot occur in a `char`).
fn is_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}'
        | '\u{10000}'..='\u{10FFFF}')
}

/// Which receive of which message a receipt handle stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) queue: i64,
    pub(super) seq: i64,
    /// Drawn anew at each receive, so the handle of an earlier one matches nothing.
    pub(super) nonce: i64,
}

impl Receipt {
    pub(super) fn issue(queue: i64, seq: i64) -> Self {
        // The low half of a version 4 id has 62 random bits below its variant.
        let (_, low) = fresh::id().as_u64_pair();
        let nonce = i64::try_from(low & 0x3fff_ffff_ffff_ffff).unwrap_or_default();
        Self { queue, seq, nonce }
    }

    pub(super) fn parse(handle: &str) -> Option<Self> {
        let mut parts = handle.split('.');
        let mut next = || i64::from_str_radix(parts.next()?, 16).ok();
        let receipt = Self { queue: next()?, seq: next()?, nonce: next()? };
        parts.next().is_none().then_some(receipt)
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{:x}.{:016x}", self.queue, self.seq, self.nonce)
    }
}

/// A received message with everything the wire may be asked for.
pub(super) struct Delivered {
    pub(super) receipt: Receipt,
    pub(super) message_id: String,
    pub(super) body: String,
    pub(super) md5_of_body: String,
    pub(super) receive_count: u32,
    pub(super) sent_at: Timestamp,
    pub(super) first_received_at: Timestamp,
    pub(super) attributes: BTreeMap<String, MessageAttribute>,
    pub(super) group_id: Option<String>,
    pub(super) trace_header: Option<String>,
    /// The queue a dead letter came from.
    pub(super) dead_letter_source: Option<String>,
}

/// A received message. It is hidden from other receivers until its visibility timeout ends.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The id SQS gave the message when it was sent.
    pub message_id: String,
    /// What deletes this receive of the message, or changes its visibility.
    pub receipt_handle: String,
    /// The body as it was sent.
    pub body: String,
    /// Hexadecimal MD5 of the body.
    pub md5_of_body: String,
    /// How often the message was received, this time included.
    pub receive_count: u32,
    /// When the message was accepted.
    pub sent_at: Timestamp,
    /// When the message was first received.
    pub first_received_at: Timestamp,
    /// The `String` and `Number` attributes by name.
    pub message_attributes: BTreeMap<String, String>,
    /// `MessageGroupId`, when the sender gave one.
    pub group_id: Option<String>,
    /// `AWSTraceHeader`, when the sender gave one.
    pub trace_header: Option<String>,
}

impl From<Delivered> for ReceivedMessage {
    fn from(delivered: Delivered) -> Self {
        Self {
            message_id: delivered.message_id,
            receipt_handle: delivered.receipt.to_string(),
            body: delivered.body,
            md5_of_body: delivered.md5_of_body,
            receive_count: delivered.receive_count,
            sent_at: delivered.sent_at,
            first_received_at: delivered.first_received_at,
            message_attributes: texts(delivered.attributes),
            group_id: delivered.group_id,
            trace_header: delivered.trace_header,
        }
    }
}

impl fmt::Debug for ReceivedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedMessage")
            .field("message_id", &self.message_id)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("receive_count", &self.receive_count)
            .field("sent_at", &self.sent_at)
            .finish_non_exhaustive()
    }
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageState {
    /// The next receiver gets it.
    Visible,
    /// A receiver has it; it comes back when its visibility timeout ends.
    InFlight,
    /// It was sent with a delay that has not passed.
    Delayed,
}

/// A message as an operator sees it: everything but the body.
#[derive(Clone, PartialEq, Eq)]
pub struct PeekedMessage {
    /// The id SQS gave the message when it was sent.
    pub message_id: String,
    /// Where it stands.
    pub state: MessageState,
    /// When the message was accepted.
    pub sent_at: Timestamp,
    /// When it is or was next visible.
    pub available_at: Timestamp,
    /// How often it was received.
    pub receive_count: u32,
    /// The `String` and `Number` attributes by name.
    pub message_attributes: BTreeMap<String, String>,
    /// `MessageGroupId`, when the sender gave one.
    pub group_id: Option<String>,
    /// The size of the body in bytes.
    pub body_bytes: u64,
}

impl fmt::Debug for PeekedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeekedMessage")
            .field("message_id", &self.message_id)
            .field("state", &self.state)
            .field("receive_count", &self.receive_count)
            .finish_non_exhaustive()
    }
}

/// The attributes whose value is text.
pub(super) fn texts(attributes: BTreeMap<String, MessageAttribute>) -> BTreeMap<String, String> {
    attributes
        .into_iter()
        .filter_map(|(name, attribute)| match attribute.value {
            AttributeValue::Text(text) => Some((name, text)),
            AttributeValue::Binary(_) => None,
        })
        .collect()
}

//! Table `bpp-replies`: the claim on a message, together with the reply it led to (the outbox).
//!
//! Key: `pk` = `<action>#<length of message id>#<message id>#<subscriber id>`, `sk` = `reply`. The
//! length keeps two different triples from ever sharing a key; the message id in front spreads
//! one subscriber's messages over the partitions.
//!
//! Invariant: a message is claimed exactly once, in the same transaction as its effect, and the
//! stored reply is what every redelivery and every duplicate gets, delivered before or not. So that a reply to a
//! message was delivered is not written down: nothing would be done otherwise for it. What is written down is a refusal,
//! and that a lapse was told of, since nobody asks for that again.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use beckn_health_protocol::action::Action;
use beckn_health_protocol::ids::{MessageId, SubscriberId};
use jiff::{SignedDuration, Timestamp};

use super::packing::{Sample, pack_like};
use super::{Purpose, StoreError, Tables, binary, is_refused, key, number, string, table, text, unpacked_like};

/// How long a claim outlives its message. Signatures live an hour at most, so a replay after this
/// is refused by its signature.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// What a claim is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimKey(String);

impl ClaimKey {
    /// The claim on one message of one subscriber.
    pub fn new(subscriber: &SubscriberId, action: Action, message: &MessageId) -> Self {
        Self(format!("{action}#{}#{message}#{subscriber}", message.as_str().len()))
    }

    /// The claim on the lapse of one hold of an order: it has its effect once.
    pub fn lapse(order_id: &str, expires_at: i64) -> Self {
        Self(format!("lapse#{order_id}#{expires_at}"))
    }

    /// Whether it is on a lapse rather than on a message.
    pub fn is_on_lapse(&self) -> bool {
        self.0.starts_with("lapse#")
    }

    /// The key as it travels in a queue attribute.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A key read back from a queue attribute.
    pub fn from_attribute(value: &str) -> Self {
        Self(value.to_owned())
    }
}

/// How far a stored reply got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The peer acknowledged it.
    Delivered,
    /// The peer refused it for good.
    Refused,
}

impl Delivery {
    fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Refused => "refused",
        }
    }
}

/// A reply read back.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredReply {
    /// Digest of the request that led to it.
    pub digest: String,
    /// The reply's bytes.
    pub body: Vec<u8>,
    /// Whether the end of its delivery was recorded.
    pub ended: bool,
}

/// The `bpp-replies` table.
#[derive(Debug, Clone)]
pub struct Replies(Tables);

impl Replies {
    /// The table of this deployment.
    pub fn new(tables: Tables) -> Self {
        Self(tables)
    }

    /// The write that claims a message and stores its reply; its condition fails when the message
    /// is claimed already.
    pub fn claim(&self, claim: &ClaimKey, digest: &str, body: &[u8], now: Timestamp) -> (Purpose, TransactWriteItem) {
        let expires_at = now.saturating_add(KEPT).unwrap_or(Timestamp::MAX);
        let put = Put::builder()
            .table_name(self.0.name(table::REPLIES))
            .set_item(Some(key(claim.as_str(), "reply")))
            .item("digest", string(digest))
            .item("body", binary(pack_like(Sample::Callback, body)))
            .item("expires_at", number(expires_at.as_second()))
            .condition_expression("attribute_not_exists(pk) OR expires_at <= :now")
            .expression_attribute_values(":now", number(now.as_second()));
        (Purpose::Claim, TransactWriteItem::builder().set_put(put.build().ok()).build())
    }

    /// The reply stored under a claim, if the message is claimed.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub async fn find(&self, claim: &ClaimKey, now: Timestamp) -> Result<Option<StoredReply>, StoreError> {
        let Some(item) = self.0.get(table::REPLIES, claim.as_str(), "reply").await? else { return Ok(None) };
        if super::integer(&item, "expires_at").is_none_or(|until| until <= now.as_second()) {
            return Ok(None);
        }
        let digest = text(&item, "digest").ok_or_else(|| StoreError::malformed(table::REPLIES, "digest"))?.to_owned();
        let body = unpacked_like(&item, "body").ok_or_else(|| StoreError::malformed(table::REPLIES, "body"))?;
        Ok(Some(StoredReply { digest, body, ended: item.contains_key("state") }))
    }

    /// Records how the delivery of a stored reply ended.
    ///
    /// # Errors
    /// DynamoDB failed; the reply may then be delivered once more.
    pub async fn mark(&self, claim: &ClaimKey, delivery: Delivery) -> Result<(), StoreError> {
        let outcome = self
            .0
            .client()
            .update_item()
            .table_name(self.0.name(table::REPLIES))
            .set_key(Some(key(claim.as_str(), "reply")))
            .update_expression("SET #state = :state")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":state", string(delivery.as_str()))
            .send()
            .await;
        match outcome {
            Ok(_) => Ok(()),
            // The row has lapsed meanwhile: nothing is left to mark.
            Err(error) if is_refused(&error) => Ok(()),
            Err(error) => Err(self.0.error("UpdateItem", table::REPLIES, &error)),
        }
    }
}

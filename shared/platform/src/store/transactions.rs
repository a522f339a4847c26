//! Table `bap-transactions`: what a consumer's app sent, and every callback that came back.
//!
//! Keys: `pk` = transaction id, `sk` = `transaction` (when it began, whose it is, with whom it trades) or
//! `sent#<action>#<message id>`; callbacks are spread over `pk` = `<transaction id>#<shard>`,
//! `sk` = `<callback>#<length of bpp id>#<bpp id>#<message id>` (for `on_search` with the digest,
//! since one provider may answer one search in several parts). One item per callback: a search that
//! a thousand providers answer makes a thousand small writes, never one growing list.
//!
//! Invariant: what the peer said is kept as it said it; the app's view is read from it, never
//! guessed. A transaction belongs to the caller who began it, and to nobody else ever after; one that began
//! without a caller belongs to nobody.

use std::borrow::Cow;
use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use beckn_health_protocol::action::{Action, Callback};
use beckn_health_protocol::ids::{MAX_ID_LENGTH, MessageId, SubscriberId, TransactionId};
use beckn_health_protocol::signature;
use jiff::{SignedDuration, Timestamp};

use super::packing::pack;
use super::{Item, StoreError, Tables, binary, key, number, string, table, text, unpacked};
use crate::caller::{Caller, Subject};

/// How long a transaction is kept after its last message.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24 * 90);
/// Partitions over which one transaction's callbacks are spread.
const SHARDS: u32 = 4;
/// The sort key of the item that holds what is known of a whole transaction.
const TRANSACTION: &str = "transaction";

/// The `bap-transactions` table.
#[derive(Debug, Clone)]
pub struct Transactions(Tables);

/// A message the app sent.
#[derive(Clone)]
pub struct Sent {
    /// Which action.
    pub action: Action,
    /// Its message id.
    pub message_id: MessageId,
    /// The signed bytes.
    pub body: Vec<u8>,
    /// When it was sent.
    pub at: Timestamp,
    /// The BPP, or the gateway, it was sent to.
    pub to: String,
    /// How the peer acknowledged it: `pending`, `ACK`, `NACK` or what went wrong.
    pub outcome: String,
    /// Milliseconds until the peer acknowledged it.
    pub milliseconds: Option<i64>,
}

/// A callback that came back.
#[derive(Clone)]
pub struct Received {
    /// Which callback.
    pub callback: Callback,
    /// The message id it answers, or its own when unsolicited.
    pub message_id: MessageId,
    /// The BPP that signed it.
    pub bpp_id: SubscriberId,
    /// The signed bytes.
    pub body: Vec<u8>,
    /// When it came.
    pub at: Timestamp,
}

/// Whether a callback was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is stored.
    New,
    /// The same bytes had come before.
    Duplicate,
    /// Other bytes had come under the same message id; those stay.
    Contradiction,
}

/// What a callback is held against.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The BPPs to which messages of this transaction were sent.
    pub bpps: BTreeSet<SubscriberId>,
    /// To whom the message the callback names was sent, a BPP or the gateway; `None` when it was not.
    pub sent_to: Option<String>,
}

/// Whether a message could be recorded in its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// It is recorded and may be sent.
    Recorded,
    /// The transaction is somebody else's; nothing was changed.
    SomebodyElses,
}

/// Whether something could be noted in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Noted {
    Done,
    /// It exists and has no owner.
    Nobodys,
    SomebodyElses,
}

/// A whole transaction.
#[derive(Clone, Default)]
pub struct Exchanged {
    /// Whose it is.
    pub owner: Option<Subject>,
    /// What was sent, oldest first.
    pub sent: Vec<Sent>,
    /// What came back, oldest first.
    pub received: Vec<Received>,
}

impl Transactions {
    /// The table of this deployment.
    pub fn new(tables: Tables) -> Self {
        Self(tables)
    }

    /// Records a message about to be sent, and the BPP it goes to. The first message makes the transaction its
    /// caller's; a message of another caller is not recorded.
    ///
    /// # Errors
    /// DynamoDB failed; the message must not be sent.
    pub async fn begin(
        &self,
        transaction: &TransactionId,
        sent: &Sent,
        bpp: Option<&SubscriberId>,
        caller: Option<&Caller>,
    ) -> Result<Begun, StoreError> {
        let subject = caller.map(|caller| &caller.subject);
        let owned = match self.note(transaction, sent.at, bpp, subject).await? {
            // What began without a caller, before a token was asked for, is still open to everybody.
            Noted::Nobodys if subject.is_some() => self.note(transaction, sent.at, bpp, None).await?,
            noted => noted,
        };
        if owned != Noted::Done {
            return Ok(Begun::SomebodyElses);
        }
        self.0
            .client()
            .put_item()
            .table_name(self.0.name(table::TRANSACTIONS))
            .set_item(Some(key(transaction.as_str(), &sent_key(sent.action, &sent.message_id))))
            .item("at", number(sent.at.as_millisecond()))
            .item("body", binary(pack(&sent.body)))
            .item("to", string(&sent.to))
            .item("outcome", string(&sent.outcome))
            .item("expires_at", number(expiry(sent.at)))
            .send()
            .await
            .map(|_| Begun::Recorded)
            .map_err(|error| self.0.error("PutItem", table::TRANSACTIONS, &error))
    }

    /// Notes in the transaction that something is sent to `bpp`, if it is `owner`'s or new. Without an owner:
    /// if it is nobody's or new.
    async fn note(
        &self,
        transaction: &TransactionId,
        at: Timestamp,
        bpp: Option<&SubscriberId>,
        owner: Option<&Subject>,
    ) -> Result<Noted, StoreError> {
        let mut set = "SET expires_at = :expires, began_at = if_not_exists(began_at, :at)".to_owned();
        let mut update = self
            .0
            .client()
            .update_item()
            .table_name(self.0.name(table::TRANSACTIONS))
            .set_key(Some(key(transaction.as_str(), TRANSACTION)))
            .expression_attribute_values(":expires", number(expiry(at)))
            .expression_attribute_values(":at", number(at.as_millisecond()))
            .expression_attribute_names("#owner", "owner")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        update = match owner {
            Some(owner) => {
                set.push_str(", #owner = :owner");
                update
                    .expression_attribute_values(":owner", string(owner.as_str()))
                    .condition_expression("attribute_not_exists(pk) OR #owner = :owner")
            }
            None => update.condition_expression("attribute_not_exists(#owner)"),
        };
        if let Some(bpp) = bpp {
            set.push_str(" ADD bpps :bpp");
            update = update.expression_attribute_values(":bpp", AttributeValue::Ss(vec![bpp.to_string()]));
        }
        let Err(error) = update.update_expression(set).send().await else { return Ok(Noted::Done) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                let is_owned = failed.item().is_some_and(|item| item.contains_key("owner"));
                Ok(if is_owned { Noted::SomebodyElses } else { Noted::Nobodys })
            }
            _ => Err(self.0.error("UpdateItem", table::TRANSACTIONS, &error)),
        }
    }

    /// Records how the peer acknowledged a message.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub async fn acknowledged(
        &self,
        transaction: &TransactionId,
        action: Action,
        message: &MessageId,
        outcome: &str,
        milliseconds: i64,
    ) -> Result<(), StoreError> {
        self.0
            .client()
            .update_item()
            .table_name(self.0.name(table::TRANSACTIONS))
            .set_key(Some(key(transaction.as_str(), &sent_key(action, message))))
            .update_expression("SET outcome = :outcome, milliseconds = :ms")
            .expression_attribute_values(":outcome", string(outcome))
            .expression_attribute_values(":ms", number(milliseconds))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| self.0.error("UpdateItem", table::TRANSACTIONS, &error))
    }

    /// What is known of a transaction, for checking a callback; `None` when it is not ours.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub async fn known(
        &self,
        transaction: &TransactionId,
        action: Action,
        message: &MessageId,
    ) -> Result<Option<Known>, StoreError> {
        let sent = sent_key(action, message);
        let keys = vec![(transaction.to_string(), TRANSACTION.to_owned()), (transaction.to_string(), sent.clone())];
        let items = self.0.batch_get(table::TRANSACTIONS, keys).await?;
        let Some(header) = items.iter().find(|item| text(item, "sk") == Some(TRANSACTION)) else { return Ok(None) };
        let bpps = header
            .get("bpps")
            .and_then(|set| set.as_ss().ok())
            .map(|set| set.iter().filter_map(|id| SubscriberId::parse(id.as_str()).ok()).collect())
            .unwrap_or_default();
        let request = items.iter().find(|item| text(item, "sk") == Some(&sent));
        Ok(Some(Known { bpps, sent_to: request.map(|item| text(item, "to").unwrap_or_default().to_owned()) }))
    }

    /// Stores a callback once.
    ///
    /// # Errors
    /// DynamoDB failed; the peer must be told to try again.
    pub async fn record(
        &self,
        transaction: &TransactionId,
        received: &Received,
        digest: &str,
    ) -> Result<Recorded, StoreError> {
        let (pk, sk) = received_key(transaction, received, digest);
        let outcome = self
            .0
            .client()
            .put_item()
            .table_name(self.0.name(table::TRANSACTIONS))
            .set_item(Some(key(&pk, &sk)))
            .item("at", number(received.at.as_millisecond()))
            .item("message_id", string(received.message_id.as_str()))
            .item("bpp_id", string(received.bpp_id.as_str()))
            .item("digest", string(digest))
            .item("body", binary(pack(&received.body)))
            .item("expires_at", number(expiry(received.at)))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let error = match outcome {
            Ok(_) => return Ok(Recorded::New),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                let known = failed.item().and_then(|item| text(item, "digest"));
                Ok(if known == Some(digest) { Recorded::Duplicate } else { Recorded::Contradiction })
            }
            _ => Err(self.0.error("PutItem", table::TRANSACTIONS, &error)),
        }
    }

    /// Everything sent and received under a transaction; empty when it is unknown.
    ///
    /// # Errors
    /// DynamoDB failed, or an item has an unknown shape.
    pub async fn exchanged(&self, transaction: &TransactionId) -> Result<Exchanged, StoreError> {
        let partitions = (0..SHARDS).map(|shard| format!("{transaction}#{shard}"));
        let own = self.0.query(table::TRANSACTIONS, transaction.as_str(), "");
        let received = futures_util::future::try_join_all(
            partitions.map(|pk| async move { self.0.query(table::TRANSACTIONS, &pk, "").await }),
        );
        let (own, received) = futures_util::try_join!(own, received)?;
        let (whole, sent): (Vec<&Item>, Vec<&Item>) =
            own.iter().partition(|item| text(item, "sk") == Some(TRANSACTION));
        let owner = whole.first().and_then(|item| item.get("owner"));
        let mut exchanged = Exchanged {
            owner: owner.map(read_owner).transpose()?,
            sent: sent.into_iter().map(read_sent).collect::<Result<_, _>>()?,
            received: received.iter().flatten().map(read_received).collect::<Result<_, _>>()?,
        };
        exchanged.sent.sort_by(|a, b| (a.at, &a.message_id).cmp(&(b.at, &b.message_id)));
        exchanged.received.sort_by(|a, b| (a.at, &a.message_id, &a.bpp_id).cmp(&(b.at, &b.message_id, &b.bpp_id)));
        Ok(exchanged)
    }
}

fn expiry(at: Timestamp) -> i64 {
    at.saturating_add(KEPT).unwrap_or(Timestamp::MAX).as_second()
}

fn sent_key(action: Action, message: &MessageId) -> String {
    format!("sent#{action}#{}", in_key(message))
}

/// A message id as part of a sort key, of which DynamoDB takes 1 024 bytes. A peer's may be 255 characters of
/// four bytes each; its digest then stands for it. Ours are never that long, so they are read back from the key.
fn in_key(message: &MessageId) -> Cow<'_, str> {
    let id = message.as_str();
    if id.len() <= MAX_ID_LENGTH { Cow::Borrowed(id) } else { Cow::Owned(signature::digest(id.as_bytes())) }
}

fn received_key(transaction: &TransactionId, received: &Received, digest: &str) -> (String, String) {
    let bpp = received.bpp_id.as_str();
    let mut sk = format!("{}#{}#{bpp}#{}", received.callback, bpp.len(), in_key(&received.message_id));
    if received.callback == Callback::OnSearch {
        sk.push('#');
        sk.push_str(digest);
    }
    let shard = sk.bytes().fold(0u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte))) % SHARDS;
    (format!("{transaction}#{shard}"), sk)
}

fn read_owner(value: &AttributeValue) -> Result<Subject, StoreError> {
    // An owner that cannot be read is not nobody.
    let owner = value.as_s().ok().and_then(|owner| Subject::parse(owner.as_str()).ok());
    owner.ok_or_else(|| StoreError::malformed(table::TRANSACTIONS, "owner"))
}

fn read_sent(item: &Item) -> Result<Sent, StoreError> {
    let malformed = |what: &str| StoreError::malformed(table::TRANSACTIONS, what);
    let mut parts = text(item, "sk").unwrap_or_default().splitn(3, '#').skip(1);
    Ok(Sent {
        action: parts.next().and_then(|action| action.parse().ok()).ok_or_else(|| malformed("sk"))?,
        message_id: parts.next().and_then(|id| MessageId::parse(id).ok()).ok_or_else(|| malformed("sk"))?,
        body: unpacked(item, "body").ok_or_else(|| malformed("body"))?,
        at: instant(item)?,
        to: text(item, "to").unwrap_or_default().to_owned(),
        outcome: text(item, "outcome").unwrap_or_default().to_owned(),
        milliseconds: super::integer(item, "milliseconds"),
    })
}

fn read_received(item: &Item) -> Result<Received, StoreError> {
    let malformed = |what: &str| StoreError::malformed(table::TRANSACTIONS, what);
    let callback = text(item, "sk").and_then(|sk| sk.split('#').next()).and_then(|callback| callback.parse().ok());
    Ok(Received {
        callback: callback.ok_or_else(|| malformed("sk"))?,
        message_id: text(item, "message_id")
            .and_then(|id| MessageId::parse(id).ok())
            .ok_or_else(|| malformed("message_id"))?,
        bpp_id: text(item, "bpp_id").and_then(|id| SubscriberId::parse(id).ok()).ok_or_else(|| malformed("bpp_id"))?,
        body: unpacked(item, "body").ok_or_else(|| malformed("body"))?,
        at: instant(item)?,
    })
}

fn instant(item: &Item) -> Result<Timestamp, StoreError> {
    super::integer(item, "at")
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .ok_or_else(|| StoreError::malformed(table::TRANSACTIONS, "at"))
}

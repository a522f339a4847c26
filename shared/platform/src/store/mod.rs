//! The tables. One module per table, each with its key design in its module doc.
//!
//! Invariant: every write that matters carries a condition, and everything that lapses carries
//! `expires_at` (seconds since the epoch), which every read and every condition checks. DynamoDB's
//! own deletion only tidies up.

pub mod catalogue;
pub mod limits;
pub mod orders;
mod packing;
pub mod participants;
pub mod replies;
pub mod slots;
pub mod snapshots;
pub mod transactions;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};

use self::packing::{unpack, unpack_like};

/// A DynamoDB item.
pub type Item = HashMap<String, AttributeValue>;

/// The name of every table, without the deployment's prefix.
pub mod table {
    /// Facilities and services of a provider; its stream rebuilds the search snapshot.
    pub const CATALOGUE: &str = "bpp-catalogue";
    /// The search snapshot in chunks.
    pub const SNAPSHOTS: &str = "bpp-snapshots";
    /// Slots that are held or booked.
    pub const SLOTS: &str = "bpp-slots";
    /// Orders.
    pub const ORDERS: &str = "bpp-orders";
    /// Claims on messages with the replies they led to.
    pub const REPLIES: &str = "bpp-replies";
    /// What a consumer's app sent and received.
    pub const TRANSACTIONS: &str = "bap-transactions";
    /// The registry's rows.
    pub const PARTICIPANTS: &str = "registry-participants";
    /// What each participant asked of the registry in a minute.
    pub const LIMITS: &str = "registry-limits";
    /// Those whose items may carry `expires_at`, for DynamoDB's own deletion.
    pub const LAPSING: [&str; 6] = [SLOTS, ORDERS, REPLIES, TRANSACTIONS, PARTICIPANTS, LIMITS];
    /// All of them.
    pub const ALL: [&str; 8] = [CATALOGUE, SNAPSHOTS, SLOTS, ORDERS, REPLIES, TRANSACTIONS, PARTICIPANTS, LIMITS];
}

/// Access to the deployment's tables by their short names.
#[derive(Debug, Clone)]
pub struct Tables {
    client: aws_sdk_dynamodb::Client,
    prefix: String,
}

/// A table could not be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("DynamoDB {operation} on {table}: {problem}")]
pub struct StoreError {
    operation: &'static str,
    table: String,
    problem: String,
}

impl StoreError {
    /// A stored item that does not have the shape this version writes.
    pub(crate) fn malformed(table: &'static str, problem: impl std::fmt::Display) -> Self {
        Self { operation: "read", table: table.to_owned(), problem: format!("malformed item: {problem}") }
    }
}

/// What a write in a transaction is for, so that a failed condition can be told from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The claim on the message.
    Claim,
    /// The slot.
    Slot,
    /// The order.
    Order,
    /// Anything unconditional.
    Other,
}

/// The outcome of a transaction whose conditions may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// Every write happened.
    Done,
    /// None happened, because the condition of the write with this purpose does not hold.
    Refused(Purpose),
}

impl Tables {
    /// Tables whose name is `prefix` followed by their short name.
    pub fn new(client: aws_sdk_dynamodb::Client, prefix: String) -> Self {
        Self { client, prefix }
    }

    /// The SDK's client, for the table modules and for tests that look at a table as a whole.
    pub fn client(&self) -> &aws_sdk_dynamodb::Client {
        &self.client
    }

    /// A table's full name.
    pub fn name(&self, table: &str) -> String {
        format!("{}{table}", self.prefix)
    }

    /// Performs all writes or none (`TransactWriteItems`). Contention with another transaction on
    /// the same items is retried a few times.
    ///
    /// # Errors
    /// DynamoDB failed or stayed contended; nothing was written.
    pub async fn commit(&self, writes: Vec<(Purpose, TransactWriteItem)>) -> Result<Commit, StoreError> {
        const ATTEMPTS: u64 = 8;
        let (purposes, items): (Vec<_>, Vec<_>) = writes.into_iter().unzip();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let outcome = self.client.transact_write_items().set_transact_items(Some(items.clone())).send().await;
            let error = match outcome {
                Ok(_) => return Ok(Commit::Done),
                Err(error) => error,
            };
            let cancelled = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    cancelled.cancellation_reasons()
                }
                _ => &[],
            };
            let failed = cancelled.iter().position(|reason| reason.code() == Some("ConditionalCheckFailed"));
            if let Some(purpose) = failed.and_then(|index| purposes.get(index)) {
                return Ok(Commit::Refused(*purpose));
            }
            let contended = cancelled.iter().any(|reason| reason.code() == Some("TransactionConflict"));
            if !contended || attempt == ATTEMPTS {
                return Err(self.error("TransactWriteItems", "", &error));
            }
            tokio::time::sleep(Duration::from_millis(5 << attempt)).await;
        }
    }

    /// One item, read consistently.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub(crate) async fn get(&self, table: &'static str, pk: &str, sk: &str) -> Result<Option<Item>, StoreError> {
        self.client
            .get_item()
            .table_name(self.name(table))
            .key("pk", string(pk))
            .key("sk", string(sk))
            .consistent_read(true)
            .send()
            .await
            .map(|found| found.item)
            .map_err(|error| self.error("GetItem", table, &error))
    }

    /// Every item of a partition, in the order of its sort keys, read consistently.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub(crate) async fn query(&self, table: &'static str, pk: &str, prefix: &str) -> Result<Vec<Item>, StoreError> {
        let mut call = self
            .client
            .query()
            .table_name(self.name(table))
            .expression_attribute_values(":pk", string(pk))
            .consistent_read(true);
        call = if prefix.is_empty() {
            call.key_condition_expression("pk = :pk")
        } else {
            call.key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                .expression_attribute_values(":prefix", string(prefix))
        };
        let mut items = Vec::new();
        let mut pages = call.into_paginator().send();
        while let Some(page) = pages.next().await {
            items.extend(page.map_err(|error| self.error("Query", table, &error))?.items.unwrap_or_default());
        }
        Ok(items)
    }

    /// The items of a partition whose sort keys lie between two, both included. Not `consistent`, at half the price, an item
    /// may be shown as it was before the last write.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub(crate) async fn query_between(
        &self,
        table: &'static str,
        pk: &str,
        first: &str,
        last: &str,
        consistent: bool,
    ) -> Result<Vec<Item>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(self.name(table))
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", string(pk))
            .expression_attribute_values(":first", string(first))
            .expression_attribute_values(":last", string(last))
            .consistent_read(consistent)
            .into_paginator()
            .send();
        let mut items = Vec::new();
        while let Some(page) = pages.next().await {
            items.extend(page.map_err(|error| self.error("Query", table, &error))?.items.unwrap_or_default());
        }
        Ok(items)
    }

    /// The keys of the items of one partition of a keys-only index, whose keys are `<index>_pk` and
    /// `<index>_sk`; with a prefix only those whose sort key begins so.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub(crate) async fn index_keys(
        &self,
        table: &'static str,
        index: &str,
        partition: String,
        prefix: &str,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(self.name(table))
            .index_name(index)
            .expression_attribute_values(":pk", string(partition));
        let query = if prefix.is_empty() {
            query.key_condition_expression(format!("{index}_pk = :pk"))
        } else {
            query
                .key_condition_expression(format!("{index}_pk = :pk AND begins_with({index}_sk, :prefix)"))
                .expression_attribute_values(":prefix", string(prefix))
        };
        let mut pages = query.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let items = page.map_err(|error| self.error("Query", table, &error))?.items.unwrap_or_default();
            let found =
                items.iter().filter_map(|item| Some((text(item, "pk")?.to_owned(), text(item, "sk")?.to_owned())));
            keys.extend(found);
        }
        Ok(keys)
    }

    /// Several items of one table, at most a hundred per call; calls run concurrently. Items that
    /// do not exist are absent from the answer.
    ///
    /// # Errors
    /// DynamoDB failed or kept throttling.
    pub(crate) async fn batch_get(
        &self,
        table: &'static str,
        keys: Vec<(String, String)>,
    ) -> Result<Vec<Item>, StoreError> {
        self.batch_read(table, keys, true).await
    }

    /// The same for readers whom a moment's delay does no harm: at half the price, an item may be shown as it was before
    /// the last write.
    ///
    /// # Errors
    /// DynamoDB failed or kept throttling.
    pub(crate) async fn batch_glance(
        &self,
        table: &'static str,
        keys: Vec<(String, String)>,
    ) -> Result<Vec<Item>, StoreError> {
        self.batch_read(table, keys, false).await
    }

    async fn batch_read(
        &self,
        table: &'static str,
        keys: Vec<(String, String)>,
        consistent: bool,
    ) -> Result<Vec<Item>, StoreError> {
        let name = self.name(table);
        let calls = keys.chunks(100).map(|chunk| {
            let keys: Vec<Item> = chunk.iter().map(|(pk, sk)| key(pk, sk)).collect();
            self.batch_get_chunk(table, name.clone(), keys, consistent)
        });
        let found = futures_util::future::try_join_all(calls).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn batch_get_chunk(
        &self,
        table: &'static str,
        name: String,
        mut keys: Vec<Item>,
        consistent: bool,
    ) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        for attempt in 0..6 {
            let wanted = aws_sdk_dynamodb::types::KeysAndAttributes::builder()
                .set_keys(Some(keys))
                .consistent_read(consistent)
                .build()
                .map_err(|error| StoreError {
                    operation: "BatchGetItem",
                    table: name.clone(),
                    problem: error.to_string(),
                })?;
            let answer = self
                .client
                .batch_get_item()
                .request_items(name.clone(), wanted)
                .send()
                .await
                .map_err(|error| self.error("BatchGetItem", table, &error))?;
            items.extend(answer.responses.unwrap_or_default().remove(&name).unwrap_or_default());
            keys = answer
                .unprocessed_keys
                .and_then(|mut unprocessed| unprocessed.remove(&name))
                .map(|unprocessed| unprocessed.keys)
                .unwrap_or_default();
            if keys.is_empty() {
                return Ok(items);
            }
            tokio::time::sleep(Duration::from_millis(20 << attempt)).await;
        }
        Err(StoreError { operation: "BatchGetItem", table: name, problem: "throttled".to_owned() })
    }

    /// Writes or deletes many items without conditions, 25 per call.
    ///
    /// # Errors
    /// DynamoDB failed or kept throttling; some items may have been written.
    pub(crate) async fn batch_write(
        &self,
        table: &'static str,
        requests: Vec<aws_sdk_dynamodb::types::WriteRequest>,
    ) -> Result<(), StoreError> {
        let name = self.name(table);
        for chunk in requests.chunks(25) {
            let mut pending = chunk.to_vec();
            let mut attempt = 0;
            while !pending.is_empty() {
                if attempt == 8 {
                    return Err(StoreError {
                        operation: "BatchWriteItem",
                        table: name,
                        problem: "throttled".to_owned(),
                    });
                }
                if attempt > 0 {
                    tokio::time::sleep(Duration::from_millis(20 << attempt)).await;
                }
                attempt += 1;
                let answer = self
                    .client
                    .batch_write_item()
                    .request_items(name.clone(), pending)
                    .send()
                    .await
                    .map_err(|error| self.error("BatchWriteItem", table, &error))?;
                pending = answer.unprocessed_items.and_then(|mut left| left.remove(&name)).unwrap_or_default();
            }
        }
        Ok(())
    }

    pub(crate) fn error<E, R>(&self, operation: &'static str, table: &str, error: &SdkError<E, R>) -> StoreError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        // The service's own words name keys and conditions, never values of ours.
        let problem = match error.as_service_error() {
            Some(fault) => format!("{}: {}", fault.code().unwrap_or("unknown"), fault.message().unwrap_or("")),
            None => DisplayErrorContext(error).to_string(),
        };
        StoreError { operation, table: table.to_owned(), problem }
    }
}

/// Whether a write was refused because its condition does not hold.
pub(crate) fn is_refused<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("ConditionalCheckFailedException")
}

/// A string attribute.
pub(crate) fn string(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number attribute.
pub(crate) fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A binary attribute.
pub(crate) fn binary(value: Vec<u8>) -> AttributeValue {
    AttributeValue::B(aws_sdk_dynamodb::primitives::Blob::new(value))
}

/// A primary key.
pub(crate) fn key(pk: &str, sk: &str) -> Item {
    HashMap::from([("pk".to_owned(), string(pk)), ("sk".to_owned(), string(sk))])
}

/// A string attribute of an item.
pub(crate) fn text<'i>(item: &'i Item, name: &str) -> Option<&'i str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// A whole-number attribute of an item.
pub(crate) fn integer(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// A compressed attribute of an item, unpacked.
pub(crate) fn unpacked(item: &Item, name: &str) -> Option<Vec<u8>> {
    unpack(item.get(name)?.as_b().ok()?.as_ref())
}

/// The same of one that was packed after a sample.
pub(crate) fn unpacked_like(item: &Item, name: &str) -> Option<Vec<u8>> {
    unpack_like(item.get(name)?.as_b().ok()?.as_ref())
}

//! Table `bpp-slots`: slots that are held or booked. A slot without a row is free.
//!
//! Key: `pk` = practitioner id, `sk` = start of the slot, UTC. A practitioner's sessions never overlap, so the start alone
//! names the slot, whatever the kind of consultation; and one query shows which of a practitioner's next slots are taken,
//! over as many days as they lie in. No partition grows hot or large: a practitioner sees some tens of patients a day,
//! slots can be booked for 60 days, and rows are gone 30 days after the slot.
//!
//! Index `due` (keys only): `due_pk` = `<minute>#<shard>` in which a hold lapses, `due_sk` = the row's own key. Only holds are
//! in it, so it is as small as the holds of the last minutes.
//!
//! Invariant: a row changes hands only under a condition. A hold whose `expires_at` has passed
//! is as good as no row, whether or not anything has deleted it.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};

use super::{Item, Purpose, StoreError, Tables, integer, is_refused, key, number, string, table, text};

/// How long a booked slot's row outlives the slot.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Partitions over which the holds of one minute are spread.
const SHARDS: u32 = 4;
/// How far back lapsed holds are looked for each minute, in minutes.
const LOOK_BACK_MINUTES: i64 = 2;
/// Every so many minutes the look goes back further, for what a pause of the sweep has missed.
const DEEP_EVERY_MINUTES: i64 = 15;
/// How far the deep look goes back, in minutes; what is older is left to DynamoDB's own deletion.
const DEEP_LOOK_BACK_MINUTES: i64 = 120;
/// Queries at the same time.
const CONCURRENCY: usize = 8;

/// How slots are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// For an offer, which binds nobody, at half the price: a hold of the last moment may be missing; `init` decides.
    Glance,
    /// For a hold.
    Sure,
}

/// Names a slot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SlotKey {
    /// The practitioner's id.
    pub practitioner: String,
    /// When the slot starts.
    pub start: Timestamp,
}

impl SlotKey {
    fn parts(&self) -> (String, String) {
        (self.practitioner.clone(), sort_key(self.start))
    }
}

/// The `bpp-slots` table.
#[derive(Debug, Clone)]
pub struct Slots(Tables);

impl Slots {
    /// The table of this deployment.
    pub fn new(tables: Tables) -> Self {
        Self(tables)
    }

    /// The write that holds a slot for an order until `expires_at`. Its condition fails when
    /// another order holds or has booked the slot.
    pub fn hold(
        &self,
        slot: &SlotKey,
        order_id: &str,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> (Purpose, TransactWriteItem) {
        let (pk, sk) = slot.parts();
        let put = self
            .row(slot, order_id, "held", expires_at)
            .item("due_pk", string(due_partition(expires_at.as_second() / 60, shard(&pk))))
            .item("due_sk", string(format!("{pk}#{sk}")))
            .condition_expression(
                "attribute_not_exists(pk) OR order_id = :order OR (#state = :held AND expires_at <= :now)",
            )
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":order", string(order_id))
            .expression_attribute_values(":held", string("held"))
            .expression_attribute_values(":now", number(now.as_second()));
        (Purpose::Slot, TransactWriteItem::builder().set_put(put.build().ok()).build())
    }

    /// The write that turns an order's live hold into a booking. Its condition fails when the
    /// hold has lapsed or belongs to another order.
    pub fn book(&self, slot: &SlotKey, end: Timestamp, order_id: &str, now: Timestamp) -> (Purpose, TransactWriteItem) {
        let kept_until = end.saturating_add(KEPT).unwrap_or(Timestamp::MAX);
        let put = self
            .row(slot, order_id, "booked", kept_until)
            .condition_expression("order_id = :order AND #state = :held AND expires_at > :now")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":order", string(order_id))
            .expression_attribute_values(":held", string("held"))
            .expression_attribute_values(":now", number(now.as_second()));
        (Purpose::Slot, TransactWriteItem::builder().set_put(put.build().ok()).build())
    }

    /// The write that frees a slot, if it still belongs to the order. A slot that another order has
    /// taken since stays theirs: the condition then fails, see [`Slots::belongs_to`].
    pub fn release(&self, slot: &SlotKey, order_id: &str) -> (Purpose, TransactWriteItem) {
        let (pk, sk) = slot.parts();
        let delete = Delete::builder()
            .table_name(self.0.name(table::SLOTS))
            .set_key(Some(key(&pk, &sk)))
            .condition_expression("attribute_not_exists(pk) OR order_id = :order")
            .expression_attribute_values(":order", string(order_id));
        (Purpose::Slot, TransactWriteItem::builder().set_delete(delete.build().ok()).build())
    }

    /// Whether the slot's row belongs to this order (held, even if lapsed, or booked).
    ///
    /// # Errors
    /// DynamoDB failed.
    pub async fn belongs_to(&self, slot: &SlotKey, order_id: &str) -> Result<bool, StoreError> {
        let (pk, sk) = slot.parts();
        let row = self.0.get(table::SLOTS, &pk, &sk).await?;
        Ok(row.is_some_and(|row| text(&row, "order_id") == Some(order_id)))
    }

    /// Which of these slots are taken at `now` by any order other than `except`: one query for each practitioner, over the
    /// days in which the slots lie, all at once.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub async fn taken(
        &self,
        slots: &[SlotKey],
        except: Option<&str>,
        look: Look,
        now: Timestamp,
    ) -> Result<HashSet<SlotKey>, StoreError> {
        let mut wanted: HashMap<&str, (Timestamp, Timestamp)> = HashMap::new();
        for slot in slots {
            let (first, last) = wanted.entry(&slot.practitioner).or_insert((slot.start, slot.start));
            *first = slot.start.min(*first);
            *last = slot.start.max(*last);
        }
        let queries = wanted.into_iter().map(|(practitioner, (first, last))| async move {
            let (first, last) = (sort_key(first), sort_key(last));
            self.0.query_between(table::SLOTS, practitioner, &first, &last, look == Look::Sure).await
        });
        let rows = futures_util::future::try_join_all(queries).await?;
        Ok(among(slots, rows.iter().flatten(), except, now))
    }

    /// The rows of holds that lapsed in the minutes up to `now`, each as its key.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub async fn due(&self, now: Timestamp) -> Result<Vec<(String, String)>, StoreError> {
        let minute = now.as_second() / 60;
        let back = if minute % DEEP_EVERY_MINUTES == 0 { DEEP_LOOK_BACK_MINUTES } else { LOOK_BACK_MINUTES };
        let partitions =
            (minute - back..=minute).flat_map(|minute| (0..SHARDS).map(move |shard| due_partition(minute, shard)));
        let found: Vec<Vec<(String, String)>> = stream::iter(partitions)
            .map(|partition| self.0.index_keys(table::SLOTS, "due", partition, ""))
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Deletes the row of a hold that has lapsed; one that was confirmed, moved or prolonged
    /// meanwhile stays. Returns whether it was deleted.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub async fn remove_lapsed(&self, pk: &str, sk: &str, now: Timestamp) -> Result<bool, StoreError> {
        let outcome = self
            .0
            .client()
            .delete_item()
            .table_name(self.0.name(table::SLOTS))
            .set_key(Some(key(pk, sk)))
            .condition_expression("#state = :held AND expires_at <= :now")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":held", string("held"))
            .expression_attribute_values(":now", number(now.as_second()))
            .send()
            .await;
        match outcome {
            Ok(_) => Ok(true),
            Err(error) if is_refused(&error) => Ok(false),
            Err(error) => Err(self.0.error("DeleteItem", table::SLOTS, &error)),
        }
    }

    fn row(
        &self,
        slot: &SlotKey,
        order_id: &str,
        state: &str,
        expires_at: Timestamp,
    ) -> aws_sdk_dynamodb::types::builders::PutBuilder {
        let (pk, sk) = slot.parts();
        Put::builder()
            .table_name(self.0.name(table::SLOTS))
            .set_item(Some(key(&pk, &sk)))
            .item("order_id", string(order_id))
            .item("state", string(state))
            .item("expires_at", number(expires_at.as_second()))
    }
}

/// Spreads the holds that lapse in one minute over several index partitions.
fn shard(pk: &str) -> u32 {
    pk.bytes().fold(0u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte))) % SHARDS
}

fn due_partition(minute: i64, shard: u32) -> String {
    format!("{minute}#{shard}")
}

/// A start as it stands in a key, so that keys sort as the starts do.
fn sort_key(start: Timestamp) -> String {
    start.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Those of the slots whose row says that somebody else than `except` has them.
fn among<'i>(
    slots: &[SlotKey],
    rows: impl Iterator<Item = &'i Item>,
    except: Option<&str>,
    now: Timestamp,
) -> HashSet<SlotKey> {
    let taken: HashSet<(&str, &str)> = rows
        .filter(|row| is_taken(row, except, now))
        .filter_map(|row| Some((text(row, "pk")?, text(row, "sk")?)))
        .collect();
    let is_among = |slot: &&SlotKey| taken.contains(&(slot.practitioner.as_str(), sort_key(slot.start).as_str()));
    slots.iter().filter(is_among).cloned().collect()
}

fn is_taken(row: &Item, except: Option<&str>, now: Timestamp) -> bool {
    let order = text(row, "order_id");
    let lapsed =
        text(row, "state") == Some("held") && integer(row, "expires_at").is_none_or(|until| until <= now.as_second());
    !lapsed && (except.is_none() || order != except)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn slot(practitioner: &str, start: &str) -> SlotKey {
        SlotKey { practitioner: practitioner.to_owned(), start: start.parse().unwrap() }
    }

    fn row(slot: &SlotKey, order: &str, state: &str, expires_at: i64) -> Item {
        let (pk, sk) = slot.parts();
        let mut row = key(&pk, &sk);
        row.insert("order_id".to_owned(), string(order));
        row.insert("state".to_owned(), string(state));
        row.insert("expires_at".to_owned(), number(expires_at));
        row
    }

    #[test]
    fn keys_sort_as_the_starts_do() {
        let starts = ["2026-09-30T23:45:00Z", "2026-10-01T00:00:00Z", "2026-10-01T09:00:00Z", "2026-12-31T08:00:00Z"];
        let keys = starts.map(|start| slot("p", start).parts());
        assert!(keys.is_sorted() && keys.iter().all(|(pk, _)| pk == "p"), "{keys:?}");
    }

    #[test]
    fn a_slot_is_taken_by_its_own_live_row_alone() {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let at = now.as_second();
        let [nine, ten, eleven] = ["09", "10", "11"].map(|hour| slot("p", &format!("2026-11-24T{hour}:00:00Z")));
        let of_another = SlotKey { practitioner: "q".to_owned(), ..nine.clone() };
        let unasked = slot("p", "2026-11-24T09:30:00Z");
        let rows = [
            row(&nine, "o-1", "held", at + 1),
            row(&ten, "o-2", "held", at),
            row(&eleven, "o-3", "booked", at + 9_999),
            row(&unasked, "o-4", "booked", at + 9_999),
        ];
        let asked = [nine.clone(), ten, eleven.clone(), of_another];
        let taken = |except| among(&asked, rows.iter(), except, now);
        assert_eq!(taken(None), HashSet::from([nine.clone(), eleven.clone()]));
        assert_eq!(taken(Some("o-1")), HashSet::from([eleven]), "one's own hold");
        assert_eq!(taken(Some("o-3")), HashSet::from([nine]));
    }
}

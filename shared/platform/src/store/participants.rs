//! Table `registry-participants`: who takes part, one item per key of a subscriber.
//!
//! Keys: `pk` = subscriber id, `sk` = key id. An item holds the `row` that is served, the `request` that is not
//! (yet) served, or both. Index `served` (keys only): `served_pk` = type, `served_sk` =
//! `<domain>#<country>#<city>#<subscriber id>#<key id>`; `*` stands for a participant that names no domain,
//! country or city and so serves all. Index `keyed` (keys only): `keyed_pk` = key id, `keyed_sk` = subscriber id.
//! Items without a row are in no index. Beside its keys each subscriber has an item whose `sk` no key id can be;
//! it counts the changes of all of them.
//!
//! Invariant: a lookup is a key or index query, never a scan, and sees rows alone. The keys of a subscriber are
//! changed together or not at all, and only as they were when the change was decided.

mod subscriber;

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use beckn_health_protocol::ids::{KeyId, SubscriberId};
use beckn_health_protocol::registry::{LookupRequest, SubscriberType, Subscription, SubscriptionStatus};
use jiff::{SignedDuration, Timestamp};

use super::{Commit, Item, Purpose, StoreError, Tables, integer, key, number, string, table, text};
use crate::registry::{Registry, RegistryError};

pub use subscriber::{Entry, Request, Standing, Subscriber};

/// Stands for "any" in the index.
const ANY: &str = "*";
/// The sort key of the item that counts changes: key ids hold no control characters.
const CHANGES: &str = "\u{1}changes";
/// How long a request that came to nothing can be asked about.
const REQUEST_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a key that was given up, or has come to its end, cannot be used again.
const RETIRED_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Most bytes of a sort key in DynamoDB.
const MAX_SORT_KEY: usize = 1_024;
/// Times a change is decided anew because another came first.
const ATTEMPTS: usize = 5;

/// The `registry-participants` table.
#[derive(Debug, Clone)]
pub struct Participants(Tables);

impl Participants {
    /// The table of this deployment.
    pub fn new(tables: Tables) -> Self {
        Self(tables)
    }

    /// Stores a row, replacing the one with the same subscriber and key: for who runs the registry. No
    /// challenge is sent, and a request that waits for one goes on waiting.
    ///
    /// # Errors
    /// The row names no subscriber, key or type, or DynamoDB failed.
    pub async fn put(&self, row: &Subscription) -> Result<(), StoreError> {
        let incomplete = |what: &str| StoreError::malformed(table::PARTICIPANTS, format!("{what} is missing"));
        let subscriber = row.subscriber_id.as_ref().ok_or_else(|| incomplete("subscriber_id"))?;
        let key_id = row.key_id.as_ref().ok_or_else(|| incomplete("key_id"))?;
        row.r#type.as_ref().ok_or_else(|| incomplete("type"))?;
        for _ in 0..ATTEMPTS {
            // No request lapses for this purpose: what is there stays as it is.
            let seen = self.subscriber(subscriber, Timestamp::MIN).await?;
            let mut entry = seen.entry(key_id).cloned().unwrap_or_else(|| Entry::of(key_id.clone()));
            entry.row = Some(row.clone());
            if self.change(&seen, &[entry]).await? {
                return Ok(());
            }
        }
        Err(StoreError::malformed(table::PARTICIPANTS, "the subscriber kept changing"))
    }

    /// A subscriber with everything that is known of it at `now`; one nobody knows has no keys.
    ///
    /// # Errors
    /// DynamoDB failed, or an item is malformed.
    pub async fn subscriber(&self, id: &SubscriberId, now: Timestamp) -> Result<Subscriber, StoreError> {
        let items = self.0.query(table::PARTICIPANTS, id.as_str(), "").await?;
        let mut subscriber = Subscriber { id: id.clone(), changes: 0, entries: Vec::new() };
        for item in &items {
            if text(item, "sk") == Some(CHANGES) {
                subscriber.changes = integer(item, "changes").unwrap_or_default();
            } else if integer(item, "expires_at").is_none_or(|until| until > now.as_second()) {
                subscriber.entries.push(entry(item)?);
            }
        }
        Ok(subscriber)
    }

    /// Stores these entries of a subscriber, if nothing of it has changed since it was `seen`. An entry with
    /// neither row nor request is deleted. False when something has changed, and then nothing is stored.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub async fn change(&self, seen: &Subscriber, entries: &[Entry]) -> Result<bool, StoreError> {
        let after = |entry: &&Entry| entries.iter().all(|changed| changed.key_id != entry.key_id);
        let lives = |entry: &Entry| entry.row.is_some() && expires_at(entry).is_none();
        let lasting = seen.entries.iter().filter(after).chain(entries).any(lives);
        let latest = seen.entries.iter().filter(after).chain(entries).filter_map(expires_at).max();
        let mut changes = Put::builder()
            .table_name(self.0.name(table::PARTICIPANTS))
            .set_item(Some(key(seen.id.as_str(), CHANGES)))
            .item("changes", number(seen.changes + 1));
        changes = match latest.filter(|_| !lasting) {
            Some(until) => changes.item("expires_at", number(until.as_second())),
            None => changes,
        };
        changes = match seen.changes {
            0 => changes.condition_expression("attribute_not_exists(pk)"),
            seen => changes.condition_expression("changes = :seen").expression_attribute_values(":seen", number(seen)),
        };
        let mut writes = vec![(Purpose::Claim, TransactWriteItem::builder().set_put(changes.build().ok()).build())];
        for entry in entries {
            writes.push((Purpose::Other, self.write(&seen.id, entry)?));
        }
        Ok(self.0.commit(writes).await? == Commit::Done)
    }

    fn write(&self, subscriber: &SubscriberId, entry: &Entry) -> Result<TransactWriteItem, StoreError> {
        let malformed = |error: serde_json::Error| StoreError::malformed(table::PARTICIPANTS, error);
        let (name, item) = (self.0.name(table::PARTICIPANTS), key(subscriber.as_str(), entry.key_id.as_str()));
        if entry.row.is_none() && entry.request.is_none() {
            let delete = Delete::builder().table_name(name).set_key(Some(item));
            return Ok(TransactWriteItem::builder().set_delete(delete.build().ok()).build());
        }
        let mut put = Put::builder().table_name(name).set_item(Some(item));
        if let Some(row) = &entry.row {
            let role = row.r#type.as_ref().map(ToString::to_string).unwrap_or_default();
            let domain = row.domain.as_deref().unwrap_or(ANY);
            let place = format!("{domain}#{}#{}#{subscriber}#{}", country(row), city(row), entry.key_id);
            put = put
                .item("row", string(serde_json::to_string(row).map_err(malformed)?))
                .item("served_pk", string(role))
                .item("served_sk", string(place))
                .item("keyed_pk", string(entry.key_id.as_str()))
                .item("keyed_sk", string(subscriber.as_str()));
        }
        if let Some(request) = &entry.request {
            put = put.item("request", string(serde_json::to_string(request).map_err(malformed)?));
        }
        if let Some(until) = expires_at(entry) {
            put = put.item("expires_at", number(until.as_second()));
        }
        Ok(TransactWriteItem::builder().set_put(put.build().ok()).build())
    }

    /// Every row of one subscriber.
    async fn of(&self, subscriber: &SubscriberId) -> Result<Vec<Subscription>, StoreError> {
        let items = self.0.query(table::PARTICIPANTS, subscriber.as_str(), "").await?;
        rows(&items)
    }

    /// The row of one key of one subscriber.
    async fn one(&self, subscriber: &SubscriberId, key_id: &KeyId) -> Result<Vec<Subscription>, StoreError> {
        let item = self.0.get(table::PARTICIPANTS, subscriber.as_str(), key_id.as_str()).await?;
        rows(item.as_slice())
    }

    /// Every row with a key id, whoever's it is.
    async fn keyed(&self, key_id: &KeyId) -> Result<Vec<Subscription>, StoreError> {
        let keys = self.0.index_keys(table::PARTICIPANTS, "keyed", key_id.to_string(), "").await?;
        rows(&self.0.batch_get(table::PARTICIPANTS, keys).await?)
    }

    /// Every row of these types that may serve what is asked for, those that serve all included.
    async fn serving(&self, roles: &[SubscriberType], wanted: &LookupRequest) -> Result<Vec<Subscription>, StoreError> {
        let mut prefixes = prefixes(wanted);
        // No row's key is longer, so none begins with this; DynamoDB would refuse to look.
        prefixes.retain(|prefix| prefix.len() <= MAX_SORT_KEY);
        let queries = roles.iter().flat_map(|role| prefixes.iter().map(move |prefix| (role, prefix)));
        let queries = queries.map(|(role, prefix)| async move {
            self.0.index_keys(table::PARTICIPANTS, "served", role.to_string(), prefix).await
        });
        let found = futures_util::future::try_join_all(queries).await?.into_iter().flatten();
        // Names that hold the mark between them begin with one another; DynamoDB takes no key twice.
        let keys: BTreeSet<(String, String)> = found.collect();
        rows(&self.0.batch_get(table::PARTICIPANTS, keys.into_iter().collect()).await?)
    }
}

/// When DynamoDB may delete an item: a row in force without an end stays.
fn expires_at(entry: &Entry) -> Option<Timestamp> {
    let after = |from: Timestamp, kept| from.saturating_add(kept).unwrap_or(Timestamp::MAX);
    let asked = entry.request.as_ref().map(|request| after(request.requested_at, REQUEST_KEPT));
    let Some(row) = &entry.row else { return asked };
    let end = if is_retired(row) { row.updated } else { row.valid_until };
    end.map(|end| after(end, RETIRED_KEPT)).map(|end| asked.map_or(end, |asked| asked.max(end)))
}

/// Whether a key was given up: it is not served again.
#[must_use]
pub fn is_retired(row: &Subscription) -> bool {
    matches!(row.status, Some(SubscriptionStatus::Expired | SubscriptionStatus::Unsubscribed))
}

/// How the `served_sk` of every row begins that may serve what is asked for: each criterion by its
/// value and by "any", as far as the criteria are given from the left.
fn prefixes(wanted: &LookupRequest) -> Vec<String> {
    let mut prefixes = vec![String::new()];
    for criterion in [&wanted.domain, &wanted.country, &wanted.city] {
        let Some(value) = criterion.as_deref().filter(|value| *value != ANY) else { break };
        prefixes =
            prefixes.iter().flat_map(|prefix| [format!("{prefix}{value}#"), format!("{prefix}{ANY}#")]).collect();
    }
    prefixes
}

/// The rows among these items.
fn rows(items: &[Item]) -> Result<Vec<Subscription>, StoreError> {
    items.iter().filter_map(|item| text(item, "row")).map(read).collect()
}

fn entry(item: &Item) -> Result<Entry, StoreError> {
    let key_id = text(item, "sk").and_then(|id| KeyId::parse(id).ok());
    Ok(Entry {
        key_id: key_id.ok_or_else(|| StoreError::malformed(table::PARTICIPANTS, "sk"))?,
        row: text(item, "row").map(read).transpose()?,
        request: text(item, "request").map(read).transpose()?,
    })
}

fn read<T: serde::de::DeserializeOwned>(document: &str) -> Result<T, StoreError> {
    serde_json::from_str(document).map_err(|error| StoreError::malformed(table::PARTICIPANTS, error))
}

#[async_trait]
impl Registry for Participants {
    /// Looks up by any combination of criteria, rows that are not in force included. One without any is
    /// refused: it would have to read every row. One without subscriber, key and type asks for each of the
    /// three types that messages come from.
    async fn lookup(&self, request: &LookupRequest) -> Result<Vec<Subscription>, RegistryError> {
        use SubscriberType::{Bap, Bg, Bpp};
        let rows = match (&request.subscriber_id, &request.key_id, &request.r#type) {
            (Some(subscriber), Some(key_id), _) => self.one(subscriber, key_id).await,
            (Some(subscriber), None, _) => self.of(subscriber).await,
            (None, Some(key_id), _) => self.keyed(key_id).await,
            (None, None, Some(role)) => self.serving(std::slice::from_ref(role), request).await,
            (None, None, None) if request.domain.is_some() || request.country.is_some() || request.city.is_some() => {
                self.serving(&[Bap, Bpp, Bg], request).await
            }
            (None, None, None) => return Err(RegistryError::Unusable("expected at least one criterion".to_owned())),
        };
        let rows = rows.map_err(|error| RegistryError::Silent(error.to_string()))?;
        Ok(rows.into_iter().filter(|row| request.matches(row)).collect())
    }
}

fn country(row: &Subscription) -> &str {
    row.location
        .as_ref()
        .and_then(|location| location.country.as_ref())
        .and_then(|country| country.code.as_deref())
        .unwrap_or(ANY)
}

fn city(row: &Subscription) -> &str {
    row.location
        .as_ref()
        .and_then(|location| location.city.as_ref())
        .and_then(|city| city.code.as_deref())
        .unwrap_or(ANY)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_lookup_reads_only_what_may_match() {
        let wanted = |domain: Option<&str>, country: Option<&str>, city: Option<&str>| LookupRequest {
            domain: domain.map(str::to_owned),
            country: country.map(str::to_owned),
            city: city.map(str::to_owned),
            ..LookupRequest::default()
        };
        assert_eq!(prefixes(&wanted(None, None, None)), [""]);
        assert_eq!(prefixes(&wanted(None, Some("IND"), None)), [""]);
        assert_eq!(prefixes(&wanted(Some("dhp"), None, Some("std:080"))), ["dhp#", "*#"]);
        assert_eq!(prefixes(&wanted(Some("dhp"), Some("IND"), Some("std:080"))).len(), 8);
        assert!(prefixes(&wanted(Some("dhp"), Some("IND"), Some("std:080"))).contains(&"dhp#*#std:080#".to_owned()));
    }

    #[test]
    fn only_what_has_ended_is_deleted() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let now = at("2026-11-01T00:00:00Z");
        let row = |status| Subscription { status: Some(status), updated: Some(now), ..Subscription::default() };
        let of = |row: Option<Subscription>, asked: bool| {
            let request = asked.then(|| Request {
                id: "r".to_owned(),
                asked: Subscription::default(),
                standing: Standing::UnderSubscription,
                requested_at: now,
                newcomer: true,
            });
            expires_at(&Entry { key_id: KeyId::parse("k").unwrap(), row, request })
        };
        assert_eq!(of(Some(row(SubscriptionStatus::Subscribed)), true), None);
        assert_eq!(of(None, true), Some(at("2026-11-08T00:00:00Z")));
        assert_eq!(of(Some(row(SubscriptionStatus::Expired)), false), Some(at("2026-12-01T00:00:00Z")));
        let ends =
            Subscription { valid_until: Some(at("2027-01-01T00:00:00Z")), ..row(SubscriptionStatus::Subscribed) };
        assert_eq!(of(Some(ends), true), Some(at("2027-01-31T00:00:00Z")));
    }
}

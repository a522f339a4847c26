//! The operator's own hand on the registry's table: rows entered, looked at and given up without a subscription.
//!
//! Invariant: whoever may write the table may do this, and nobody else; it is no way around the protocol for
//! participants. A row is never deleted: one that was given up stays as UNSUBSCRIBED, and serves nobody.

use beckn_health_platform::registry::Registry as _;
use beckn_health_platform::store::StoreError;
use beckn_health_platform::store::participants::{Entry, Participants};
use beckn_health_protocol::ids::{KeyId, SubscriberId};
use beckn_health_protocol::registry::{LookupRequest, SubscriberType, Subscription, SubscriptionStatus};
use futures_util::future::try_join_all;
use jiff::Timestamp;

use super::Deployment;
use crate::failure::Failure;

/// The types a participant can have.
pub const TYPES: [SubscriberType; 4] =
    [SubscriberType::Bap, SubscriberType::Bpp, SubscriberType::Bg, SubscriberType::Breg];
/// Times a change is made anew because another came first.
const ATTEMPTS: usize = 5;

/// Which rows to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// All of one subscriber.
    Of(SubscriberId),
    /// All of one type.
    Type(SubscriberType),
    /// All: one query for each type.
    All,
}

/// Enters a row, or replaces the one with the same subscriber and key.
///
/// # Errors
/// DynamoDB cannot be used.
pub async fn add(deployment: &Deployment, mut row: Subscription, now: Timestamp) -> Result<Subscription, Failure> {
    let same = LookupRequest {
        subscriber_id: row.subscriber_id.clone(),
        key_id: row.key_id.clone(),
        ..LookupRequest::default()
    };
    let before = rows(deployment, same).await?.into_iter().next();
    row.created = before.and_then(|before| before.created).or(Some(now));
    row.updated = Some(now);
    row.status = Some(SubscriptionStatus::Subscribed);
    let stored = Participants::new(deployment.tables()).put(&row).await;
    stored.map_err(|error| deployment.table_failed("writing the registry", &error))?;
    Ok(row)
}

/// The rows, in the order of subscriber and key, whatever their status.
///
/// # Errors
/// DynamoDB cannot be used.
pub async fn list(deployment: &Deployment, which: Which) -> Result<Vec<Subscription>, Failure> {
    let of_type = |r#type: SubscriberType| LookupRequest { r#type: Some(r#type), ..LookupRequest::default() };
    let wanted = match which {
        Which::Of(subscriber) => vec![LookupRequest { subscriber_id: Some(subscriber), ..LookupRequest::default() }],
        Which::Type(r#type) => vec![of_type(r#type)],
        Which::All => TYPES.into_iter().map(of_type).collect(),
    };
    let found = try_join_all(wanted.into_iter().map(|wanted| rows(deployment, wanted))).await?;
    let mut rows: Vec<Subscription> = found.into_iter().flatten().collect();
    let order = |row: &Subscription| {
        let key = row.key_id.as_ref().map(KeyId::to_string);
        (row.subscriber_id.as_ref().map(SubscriberId::to_string), key)
    };
    rows.sort_by_key(order);
    Ok(rows)
}

/// Gives up the rows of a subscriber, or the one with this key: their status becomes UNSUBSCRIBED, and what was
/// asked for them is forgotten. Answers the rows that were not given up before; functions that have read them
/// go on with them for five minutes at most.
///
/// # Errors
/// DynamoDB cannot be used, or there is no such row.
pub async fn remove(
    deployment: &Deployment,
    subscriber: &SubscriberId,
    key_id: Option<&KeyId>,
    now: Timestamp,
) -> Result<Vec<Subscription>, Failure> {
    let unknown = || {
        let key = key_id.map(|key_id| format!(" with the key {key_id}")).unwrap_or_default();
        Failure(format!(
            "the registry of {} knows no {subscriber}{key}; see `beckn-health registry list`",
            deployment.name()
        ))
    };
    let failed = |error: StoreError| deployment.table_failed("writing the registry", &error);
    let table = Participants::new(deployment.tables());
    for _ in 0..ATTEMPTS {
        let seen = table.subscriber(subscriber, now).await.map_err(failed)?;
        let meant = seen.entries.iter().filter(|entry| key_id.is_none_or(|key_id| entry.key_id == *key_id));
        let mut entries: Vec<Entry> = meant.cloned().collect();
        if entries.is_empty() {
            return Err(unknown());
        }
        let mut gone = Vec::new();
        for entry in &mut entries {
            // Or what was asked for before would be granted afterwards.
            entry.request = None;
            if let Some(row) = &mut entry.row
                && row.status != Some(SubscriptionStatus::Unsubscribed)
            {
                row.status = Some(SubscriptionStatus::Unsubscribed);
                row.updated = Some(now);
                gone.push(row.clone());
            }
        }
        if table.change(&seen, &entries).await.map_err(failed)? {
            return Ok(gone);
        }
    }
    Err(Failure(format!("{subscriber} kept changing while it was to be given up; nothing was changed, try again")))
}

/// The rows a lookup finds, whether or not they are in force.
async fn rows(deployment: &Deployment, wanted: LookupRequest) -> Result<Vec<Subscription>, Failure> {
    let found = Participants::new(deployment.tables()).lookup(&wanted).await;
    found.map_err(|error| deployment.table_failed("reading the registry", &error))
}

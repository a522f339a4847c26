//! Table `registry-participants`: the registry's rows, one per key of a subscriber.
//!
//! Keys: `pk` = subscriber id, `sk` = key id. Index `served` (keys only): `served_pk` =
//! `<type>#<domain>`, `served_sk` = `<country>#<city>#<subscriber id>#<key id>`; `*` stands for a participant that
//! names no domain, country or city and so serves all.
//!
//! Invariant: a lookup is a key or index query, never a scan.

use async_trait::async_trait;
use beckn_health_protocol::ids::SubscriberId;
use beckn_health_protocol::registry::{LookupRequest, SubscriberType, Subscription};

use super::{StoreError, Tables, key, string, table, text};
use crate::registry::{Registry, RegistryError};

/// Stands for "any" in the index.
const ANY: &str = "*";

/// The `registry-participants` table.
#[derive(Debug, Clone)]
pub struct Participants(Tables);

impl Participants {
    /// The table of this deployment.
    pub fn new(tables: Tables) -> Self {
        Self(tables)
    }

    /// Stores a row, replacing the one with the same subscriber and key.
    ///
    /// # Errors
    /// The row names no subscriber, key or type, or DynamoDB failed.
    pub async fn put(&self, row: &Subscription) -> Result<(), StoreError> {
        let incomplete = |what: &str| StoreError::malformed(table::PARTICIPANTS, format!("{what} is missing"));
        let subscriber = row.subscriber_id.as_ref().ok_or_else(|| incomplete("subscriber_id"))?;
        let key_id = row.key_id.as_ref().ok_or_else(|| incomplete("key_id"))?;
        let role = row.r#type.as_ref().ok_or_else(|| incomplete("type"))?;
        let document = serde_json::to_string(row).map_err(|error| StoreError::malformed(table::PARTICIPANTS, error))?;
        let domain = row.domain.as_deref().unwrap_or(ANY);
        self.0
            .client()
            .put_item()
            .table_name(self.0.name(table::PARTICIPANTS))
            .set_item(Some(key(subscriber.as_str(), key_id.as_str())))
            .item("row", string(document))
            .item("served_pk", string(format!("{role}#{domain}")))
            .item("served_sk", string(format!("{}#{}#{subscriber}#{key_id}", country(row), city(row))))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| self.0.error("PutItem", table::PARTICIPANTS, &error))
    }

    /// Every row of one subscriber.
    async fn of(&self, subscriber: &SubscriberId) -> Result<Vec<Subscription>, StoreError> {
        let items = self.0.query(table::PARTICIPANTS, subscriber.as_str(), "").await?;
        items.iter().map(read).collect()
    }

    /// Every row of one type in one domain, those that serve all domains included.
    async fn serving(&self, role: &SubscriberType, domain: &str) -> Result<Vec<Subscription>, StoreError> {
        let mut keys = Vec::new();
        for partition in [domain, ANY] {
            let mut pages = self
                .0
                .client()
                .query()
                .table_name(self.0.name(table::PARTICIPANTS))
                .index_name("served")
                .key_condition_expression("served_pk = :served")
                .expression_attribute_values(":served", string(format!("{role}#{partition}")))
                .into_paginator()
                .send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| self.0.error("Query", table::PARTICIPANTS, &error))?;
                keys.extend(
                    page.items
                        .unwrap_or_default()
                        .iter()
                        .filter_map(|item| Some((text(item, "pk")?.to_owned(), text(item, "sk")?.to_owned()))),
                );
            }
            if domain == ANY {
                break;
            }
        }
        self.0.batch_get(table::PARTICIPANTS, keys).await?.iter().map(read).collect()
    }
}

fn read(item: &super::Item) -> Result<Subscription, StoreError> {
    let document = text(item, "row").ok_or_else(|| StoreError::malformed(table::PARTICIPANTS, "row"))?;
    serde_json::from_str(document).map_err(|error| StoreError::malformed(table::PARTICIPANTS, error))
}

#[async_trait]
impl Registry for Participants {
    /// Looks up by subscriber id, or by type and domain; the other criteria narrow the result.
    /// A lookup that names neither is refused: it would have to read every row.
    async fn lookup(&self, request: &LookupRequest) -> Result<Vec<Subscription>, RegistryError> {
        let rows = match (&request.subscriber_id, &request.r#type) {
            (Some(subscriber), _) => self.of(subscriber).await,
            (None, Some(role)) => self.serving(role, request.domain.as_deref().unwrap_or(ANY)).await,
            (None, None) => return Err(RegistryError("expected subscriber_id or type".to_owned())),
        };
        let rows = rows.map_err(|error| RegistryError(error.to_string()))?;
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

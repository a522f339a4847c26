//! Table `registry-participants`: the registry's rows, one per key of a subscriber.
//!
//! Keys: `pk` = subscriber id, `sk` = key id. Index `served` (keys only): `served_pk` = type, `served_sk` =
//! `<domain>#<country>#<city>#<subscriber id>#<key id>`; `*` stands for a participant that names no domain,
//! country or city and so serves all.
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
            .item("served_pk", string(role.to_string()))
            .item("served_sk", string(format!("{domain}#{}#{}#{subscriber}#{key_id}", country(row), city(row))))
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

    /// Every row of one type that may serve what is asked for, those that serve all included.
    async fn serving(&self, role: &SubscriberType, wanted: &LookupRequest) -> Result<Vec<Subscription>, StoreError> {
        let queries = prefixes(wanted).into_iter().map(|prefix| async move {
            self.0.index_keys(table::PARTICIPANTS, "served", role.to_string(), &prefix).await
        });
        let keys = futures_util::future::try_join_all(queries).await?.into_iter().flatten().collect();
        self.0.batch_get(table::PARTICIPANTS, keys).await?.iter().map(read).collect()
    }
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
            (None, Some(role)) => self.serving(role, request).await,
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

#[cfg(test)]
mod tests {
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
}

//! Table `registry-limits`: how much each participant has asked of the registry in a minute.
//!
//! Key: `pk` = `<what>#<subscriber id>`, `sk` = the minute since 1970. One call counts and decides.
//!
//! Invariant: a count never passes its limit, however many functions count at once; a minute's count is
//! forgotten after the minute.

use beckn_health_protocol::ids::SubscriberId;
use jiff::Timestamp;

use super::{StoreError, Tables, is_refused, key, number, table};

/// How long a count is kept after its minute, in seconds.
const KEPT_SECONDS: i64 = 120;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limited {
    /// Lookups.
    Lookup,
    /// Subscriptions.
    Subscribe,
}

impl Limited {
    fn as_str(self) -> &'static str {
        match self {
            Self::Lookup => "lookup",
            Self::Subscribe => "subscribe",
        }
    }
}

/// The `registry-limits` table.
#[derive(Debug, Clone)]
pub struct Limits(Tables);

impl Limits {
    /// The table of this deployment.
    pub fn new(tables: Tables) -> Self {
        Self(tables)
    }

    /// Counts one request of a subscriber; false when it has had as many as `limit` in this minute already.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub async fn count(
        &self,
        what: Limited,
        subscriber: &SubscriberId,
        limit: u32,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let minute = now.as_second().div_euclid(60);
        let counted = self
            .0
            .client()
            .update_item()
            .table_name(self.0.name(table::LIMITS))
            .set_key(Some(key(&format!("{}#{subscriber}", what.as_str()), &minute.to_string())))
            .update_expression("SET #expires_at = :until ADD #count :one")
            .condition_expression("attribute_not_exists(#count) OR #count < :limit")
            .expression_attribute_names("#count", "count")
            .expression_attribute_names("#expires_at", "expires_at")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":limit", number(i64::from(limit)))
            .expression_attribute_values(":until", number((minute + 1) * 60 + KEPT_SECONDS))
            .send()
            .await;
        match counted {
            Ok(_) => Ok(true),
            Err(error) if is_refused(&error) => Ok(false),
            Err(error) => Err(self.0.error("UpdateItem", table::LIMITS, &error)),
        }
    }
}

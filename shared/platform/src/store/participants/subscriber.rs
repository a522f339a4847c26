//! A subscriber as its registry knows it: its keys, those that are served and those that are asked for.

use beckn_health_protocol::ids::{KeyId, SubscriberId};
use beckn_health_protocol::registry::{Subscription, SubscriptionStatus};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A subscriber at one moment.
#[derive(Debug, Clone)]
pub struct Subscriber {
    /// Who it is.
    pub id: SubscriberId,
    /// Its keys.
    pub entries: Vec<Entry>,
    /// How often it has changed.
    pub(super) changes: i64,
}

/// One key of a subscriber.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key_id: KeyId,
    /// What is served, once the key has been verified.
    pub row: Option<Subscription>,
    /// What is asked for and not served (yet).
    pub request: Option<Request>,
}

/// A subscription that is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Tells this request from others for the same key.
    pub id: String,
    /// What is served once the challenge is answered.
    pub asked: Subscription,
    /// Where it stands.
    pub standing: Standing,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Whether nobody vouched for it but the key itself: then it comes to nothing if the subscriber is
    /// registered meanwhile.
    pub newcomer: bool,
}

/// Where a request stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The challenge has not been answered yet.
    UnderSubscription,
    /// It came to nothing.
    LeftOut {
        /// What the subscriber is told its status is.
        status: SubscriptionStatus,
        /// Why, in words for the subscriber.
        reason: String,
    },
}

impl Entry {
    /// A key of which nothing is known yet.
    #[must_use]
    pub fn of(key_id: KeyId) -> Self {
        Self { key_id, row: None, request: None }
    }
}

impl Subscriber {
    /// What is known of a key.
    #[must_use]
    pub fn entry(&self, key_id: &KeyId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key_id == *key_id)
    }

    /// The rows that are in force.
    pub fn in_force(&self, now: Timestamp) -> impl Iterator<Item = &Subscription> {
        self.entries.iter().filter_map(|entry| entry.row.as_ref()).filter(move |row| row.is_in_force(now))
    }

    /// The row of a key, if it is in force.
    #[must_use]
    pub fn row_in_force(&self, key_id: &KeyId, now: Timestamp) -> Option<&Subscription> {
        self.entry(key_id)?.row.as_ref().filter(|row| row.is_in_force(now))
    }
}

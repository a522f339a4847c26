//! The row that decides who has a slot.
//!
//! Invariant: the row is keyed by practitioner and start instant, so one slot has one row,
//! whatever the consultation type. Expiry is read from the row itself: a lapsed hold is free at
//! once, whether or not anything has deleted it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::OrderId;

/// Who claims a slot, and how firmly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotClaim {
    /// The order that claims it.
    pub order_id: OrderId,
    /// How firmly.
    pub state: ClaimState,
}

/// How firmly a slot is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimState {
    /// For a consumer who has not confirmed, until that instant.
    Held {
        /// The first instant at which the hold counts no more.
        expires_at: Timestamp,
    },
    /// By a confirmed order.
    Booked,
}

impl SlotClaim {
    /// Whether that order may take the slot now: it has it already, or the other's hold lapsed.
    pub fn is_free_for(&self, order_id: &OrderId, now: Timestamp) -> bool {
        self.order_id == *order_id || self.is_lapsed(now)
    }

    /// Whether the claim counts no more.
    pub fn is_lapsed(&self, now: Timestamp) -> bool {
        matches!(self.state, ClaimState::Held { expires_at } if expires_at <= now)
    }
}

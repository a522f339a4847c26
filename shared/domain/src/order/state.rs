//! The states of an order, each with exactly the data that is true in it, and their public views:
//! tracking code, fulfilment state, order status.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::slot::Slot;

/// One of the two sides of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Party {
    /// The patient and the app.
    Consumer,
    /// The practitioner and the facility.
    Provider,
}

impl Party {
    /// Beckn's `cancellation.cancelled_by`: `CONSUMER` or `PROVIDER`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Consumer => "CONSUMER",
            Self::Provider => "PROVIDER",
        }
    }
}

/// A reason in a party's own words, at most 500 characters (the rest is cut off). It may tell
/// something about a patient, so `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Reason(String);

impl Reason {
    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        match text.char_indices().nth(500) {
            Some((end, _)) => Self(text[..end].to_owned()),
            None => Self(text),
        }
    }
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.0
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

/// Why an order was cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// The hold lapsed before it was confirmed.
    OfferExpired,
    /// None of the slots offered instead was accepted in time.
    RescheduleExpired,
    /// The party asked for it.
    Asked(Option<Reason>),
}

impl CancelReason {
    /// The words to show, if any were given.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::OfferExpired => Some("The slot was not confirmed in time"),
            Self::RescheduleExpired => Some("None of the slots offered instead was accepted in time"),
            Self::Asked(reason) => reason.as_ref().map(Reason::as_str),
        }
    }
}

/// At least one and at most [`SlotOffers::MAX`] slots, in order of time, none twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Slot>", into = "Vec<Slot>")]
pub struct SlotOffers(Vec<Slot>);

impl SlotOffers {
    /// The most slots one offer may hold.
    pub const MAX: usize = 50;

    /// Sorts the slots. `None` for none or too many: a provider may only ask for another time if
    /// it has one to offer.
    pub fn new(mut slots: Vec<Slot>) -> Option<Self> {
        slots.sort();
        slots.dedup_by_key(|slot| slot.start);
        (1..=Self::MAX).contains(&slots.len()).then_some(Self(slots))
    }

    /// The slots.
    pub fn slots(&self) -> &[Slot] {
        &self.0
    }

    /// The slot that starts then.
    pub fn starting_at(&self, start: Timestamp) -> Option<Slot> {
        self.0.iter().copied().find(|slot| slot.start == start)
    }
}

impl TryFrom<Vec<Slot>> for SlotOffers {
    type Error = String;
    fn try_from(slots: Vec<Slot>) -> Result<Self, Self::Error> {
        let expected = || format!("expected 1 to {} slots on offer", Self::MAX);
        Self::new(slots).ok_or_else(expected)
    }
}

impl From<SlotOffers> for Vec<Slot> {
    fn from(offers: SlotOffers) -> Self {
        offers.0
    }
}

/// Where an order stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum State {
    /// The slot is kept for the consumer until that instant.
    Held {
        /// The first instant at which the hold counts no more.
        expires_at: Timestamp,
    },
    /// The slot is booked.
    Confirmed {
        /// Since when.
        at: Timestamp,
    },
    /// The pre-consultation is running.
    PreConsultInProgress {
        /// Since when.
        since: Timestamp,
    },
    /// The pre-consultation is done; its clinical notes stay with the order if it moves.
    PreConsultCompleted {
        /// Since when.
        at: Timestamp,
    },
    /// Practitioner and patient are talking.
    InConsultation {
        /// Since when.
        since: Timestamp,
    },
    /// The consultation took place.
    Completed {
        /// When it ended.
        at: Timestamp,
    },
    /// Summary and prescription are delivered. Final.
    Closed {
        /// Since when.
        at: Timestamp,
    },
    /// Given up. Final.
    Cancelled {
        /// By whom. A lapse is the provider's, who keeps the clock.
        by: Party,
        /// Why.
        reason: CancelReason,
        /// When.
        at: Timestamp,
    },
    /// A party did not turn up. The provider cancels or offers other slots.
    Missed {
        /// Who did not.
        by: Party,
        /// When it was announced.
        at: Timestamp,
        /// Whether a pre-consultation had been completed.
        pre_consulted: bool,
    },
    /// The provider offers other slots instead of the one in the order.
    RescheduleOffered {
        /// The slots.
        offers: SlotOffers,
        /// The first instant at which none of them can be accepted any more.
        until: Timestamp,
        /// Whether a pre-consultation had been completed.
        pre_consulted: bool,
    },
}

/// A state without its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateKind {
    /// [`State::Held`]
    Held,
    /// [`State::Confirmed`]
    Confirmed,
    /// [`State::PreConsultInProgress`]
    PreConsultInProgress,
    /// [`State::PreConsultCompleted`]
    PreConsultCompleted,
    /// [`State::InConsultation`]
    InConsultation,
    /// [`State::Completed`]
    Completed,
    /// [`State::Closed`]
    Closed,
    /// [`State::Cancelled`]
    Cancelled,
    /// [`State::Missed`]
    Missed,
    /// [`State::RescheduleOffered`]
    RescheduleOffered,
}

/// The tracking codes of the teleconsultation service, `T01_0001` to `T01_0006`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackingCode {
    /// `T01_0001`
    Scheduled,
    /// `T01_0002`
    PreConsultInProgress,
    /// `T01_0003`
    PreConsultCompleted,
    /// `T01_0004`
    ConsultInProgress,
    /// `T01_0005`
    ConsultCompleted,
    /// `T01_0006`
    ConsultClosed,
}

impl TrackingCode {
    /// The code and its text.
    fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::Scheduled => ("T01_0001", "SCHEDULED"),
            Self::PreConsultInProgress => ("T01_0002", "PRECONSULT_IN_PROGRESS"),
            Self::PreConsultCompleted => ("T01_0003", "PRECONSULT_COMPLETED"),
            Self::ConsultInProgress => ("T01_0004", "CONSULT_IN_PROGRESS"),
            Self::ConsultCompleted => ("T01_0005", "CONSULT_COMPLETED"),
            Self::ConsultClosed => ("T01_0006", "CONSULT_CLOSED"),
        }
    }

    /// The code, such as `T01_0001`.
    pub fn code(&self) -> &'static str {
        self.words().0
    }

    /// Its text, such as `SCHEDULED`.
    pub fn text(&self) -> &'static str {
        self.words().1
    }
}

/// Beckn's `fulfillment.state.descriptor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FulfillmentState {
    /// The code, such as `slot-confirmed`.
    pub code: &'static str,
    /// The words for people.
    pub name: &'static str,
}

/// Beckn's `order.status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderStatus {
    /// `ACTIVE`
    Active,
    /// `COMPLETE`
    Complete,
    /// `CANCELLED`
    Cancelled,
}

impl OrderStatus {
    /// Beckn's word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Complete => "COMPLETE",
            Self::Cancelled => "CANCELLED",
        }
    }
}

impl State {
    /// The state without its data.
    pub fn kind(&self) -> StateKind {
        match self {
            Self::Held { .. } => StateKind::Held,
            Self::Confirmed { .. } => StateKind::Confirmed,
            Self::PreConsultInProgress { .. } => StateKind::PreConsultInProgress,
            Self::PreConsultCompleted { .. } => StateKind::PreConsultCompleted,
            Self::InConsultation { .. } => StateKind::InConsultation,
            Self::Completed { .. } => StateKind::Completed,
            Self::Closed { .. } => StateKind::Closed,
            Self::Cancelled { .. } => StateKind::Cancelled,
            Self::Missed { .. } => StateKind::Missed,
            Self::RescheduleOffered { .. } => StateKind::RescheduleOffered,
        }
    }

    /// Whether nothing can happen to the order any more.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Closed { .. } | Self::Cancelled { .. })
    }

    /// When the state lapses by itself, if it does: the `expires_at` of its row.
    pub fn lapses_at(&self) -> Option<Timestamp> {
        match self {
            Self::Held { expires_at } => Some(*expires_at),
            Self::RescheduleOffered { until, .. } => Some(*until),
            _ => None,
        }
    }

    /// Whether the state has lapsed, even if nothing has acted on it yet.
    pub fn lapsed(&self, now: Timestamp) -> bool {
        self.lapses_at().is_some_and(|end| end <= now)
    }

    /// The tracking code. None before the order is confirmed, and none for what never took place.
    pub fn tracking_code(&self) -> Option<TrackingCode> {
        match self {
            Self::Confirmed { .. } | Self::RescheduleOffered { pre_consulted: false, .. } => {
                Some(TrackingCode::Scheduled)
            }
            Self::PreConsultInProgress { .. } => Some(TrackingCode::PreConsultInProgress),
            Self::PreConsultCompleted { .. } | Self::RescheduleOffered { .. } => {
                Some(TrackingCode::PreConsultCompleted)
            }
            Self::InConsultation { .. } => Some(TrackingCode::ConsultInProgress),
            Self::Completed { .. } => Some(TrackingCode::ConsultCompleted),
            Self::Closed { .. } => Some(TrackingCode::ConsultClosed),
            Self::Held { .. } | Self::Cancelled { .. } | Self::Missed { .. } => None,
        }
    }

    /// The fulfilment state. Codes are DHP's where DHP has one.
    pub fn fulfillment_state(&self) -> FulfillmentState {
        let (code, name) = match self {
            Self::Held { .. } => ("slot-booked", "Slot has been booked"),
            Self::Confirmed { .. } => ("slot-confirmed", "Slot has been confirmed"),
            Self::PreConsultInProgress { .. } => ("preconsult-in-progress", "Pre-consultation is in progress"),
            Self::PreConsultCompleted { .. } => ("preconsult-completed", "Pre-consultation is completed"),
            Self::InConsultation { .. } => ("appointment-in-progress", "Consultation is in progress"),
            Self::Completed { .. } => ("appointment-completed", "Consultation is completed"),
            Self::Closed { .. } => ("appointment-closed", "Consultation is closed"),
            Self::Cancelled { .. } => ("slot-cancelled", "Slot has been cancelled"),
            Self::Missed { by: Party::Consumer, .. } => ("appointment-missed", "The patient did not turn up"),
            Self::Missed { by: Party::Provider, .. } => ("appointment-missed", "The practitioner did not turn up"),
            Self::RescheduleOffered { .. } => ("reschedule-offered", "Other slots are offered instead"),
        };
        FulfillmentState { code, name }
    }

    /// The order status. A missed order is still active: the provider may offer other slots.
    pub fn order_status(&self) -> OrderStatus {
        match self {
            Self::Completed { .. } | Self::Closed { .. } => OrderStatus::Complete,
            Self::Cancelled { .. } => OrderStatus::Cancelled,
            _ => OrderStatus::Active,
        }
    }
}

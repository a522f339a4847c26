//! Why something was not done, for people and for machines.

use serde::{Deserialize, Serialize};

use super::{EventKind, StateKind};
use crate::slot::SlotError;

/// The machine's side of a refusal. Stable: consumers may branch on [`RefusalReason::code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalReason {
    /// Another order has the slot.
    SlotTaken,
    /// There is no such slot in the practitioner's schedule.
    NoSuchSlot,
    /// The slot has started.
    SlotPast,
    /// The slot is too far ahead.
    BeyondHorizon,
    /// The hold or the offer has lapsed.
    OfferExpired,
    /// The slot is not among those offered.
    NotOffered,
    /// The order is confirmed already. A caller may answer with the order as it stands.
    AlreadyConfirmed,
    /// The order has to be confirmed first.
    NotConfirmed,
    /// The order can no longer be cancelled by that party.
    NotCancellable,
    /// The order is cancelled already.
    AlreadyCancelled,
    /// The (pre-)consultation has begun.
    AlreadyStarted,
    /// The (pre-)consultation has not begun.
    NotStarted,
    /// The consultation took place already.
    AlreadyCompleted,
    /// One party did not turn up; the provider cancels or offers other slots.
    AlreadyMissed,
    /// Other slots are on offer; one has to be accepted or the order cancelled.
    RescheduleOpen,
    /// Nothing has reached its end yet.
    NotDue,
    /// The consultation has not taken place, so it cannot be rated.
    NotRateable,
}

impl RefusalReason {
    /// The reason as a word, such as `slot-taken`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::SlotTaken => "slot-taken",
            Self::NoSuchSlot => "no-such-slot",
            Self::SlotPast => "slot-past",
            Self::BeyondHorizon => "beyond-horizon",
            Self::OfferExpired => "offer-expired",
            Self::NotOffered => "not-offered",
            Self::AlreadyConfirmed => "already-confirmed",
            Self::NotConfirmed => "not-confirmed",
            Self::NotCancellable => "not-cancellable",
            Self::AlreadyCancelled => "already-cancelled",
            Self::AlreadyStarted => "already-started",
            Self::NotStarted => "not-started",
            Self::AlreadyCompleted => "already-completed",
            Self::AlreadyMissed => "already-missed",
            Self::RescheduleOpen => "reschedule-open",
            Self::NotDue => "not-due",
            Self::NotRateable => "not-rateable",
        }
    }
}

/// A refusal: a normal answer (`on_<action>` with `error`), not a failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct Refusal {
    from: Option<StateKind>,
    event: EventKind,
    reason: RefusalReason,
    message: String,
}

impl Refusal {
    /// A refusal of `event` for an order in the state `from`, or before there is an order.
    pub fn new(from: Option<StateKind>, event: EventKind, reason: RefusalReason, message: impl Into<String>) -> Self {
        Self { from, event, reason, message: message.into() }
    }

    /// The slot went to someone else: what the storage says when the claim's condition fails.
    pub fn slot_taken(event: EventKind) -> Self {
        let message = "the slot has been taken by someone else; select another";
        Self::new(None, event, RefusalReason::SlotTaken, message)
    }

    /// The start is not that of a slot of the service.
    pub fn no_such_slot(event: EventKind) -> Self {
        let message = "the practitioner has no slot of this service at that time; search again";
        Self::new(None, event, RefusalReason::NoSuchSlot, message)
    }

    pub(super) fn in_state(mut self, kind: StateKind) -> Self {
        self.from = Some(kind);
        self
    }

    pub(super) fn slot(from: Option<StateKind>, event: EventKind, error: SlotError) -> Self {
        let reason = match error {
            SlotError::Past { .. } => RefusalReason::SlotPast,
            SlotError::BeyondHorizon { .. } => RefusalReason::BeyondHorizon,
        };
        Self::new(from, event, reason, error.to_string())
    }

    /// The state the order is in, if there is one.
    pub fn from_state(&self) -> Option<StateKind> {
        self.from
    }

    /// What was asked for.
    pub fn event(&self) -> EventKind {
        self.event
    }

    /// The machine's side.
    pub fn reason(&self) -> RefusalReason {
        self.reason
    }

    /// One clear sentence for people.
    pub fn message(&self) -> &str {
        &self.message
    }
}

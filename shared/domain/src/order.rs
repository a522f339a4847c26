//! The life of a booking.
//!
//! Invariant: an [`Order`] changes only through [`Order::apply`] and [`Order::pay`], and every
//! change raises its version by one. Which event is allowed in which state, by whom and until
//! when is decided in one place, the `transition` file; a refused event changes nothing.
//!
//! ```text
//! Held ─confirm→ Confirmed ─→ PreConsultInProgress → PreConsultCompleted ─→ InConsultation
//!   │               └──────────────────────────────────────────────────────────┘    │
//!   │            a reschedule offer waits in RescheduleOffered until T               ↓
//!   └─lapse/cancel→ Cancelled          a no-show is Missed                 Completed → Closed
//! ```
//!
//! An order holds no patient data; billing and patient details are stored beside it. The one free
//! text, a cancellation's reason, never shows in `Debug`.

mod claim;
mod event;
mod rating;
mod refusal;
mod state;
mod transition;
mod update;

pub use claim::{ClaimState, SlotClaim};
pub use event::{Event, EventKind};
pub use rating::{RatingCategory, RatingError, RatingValue};
pub use refusal::{Refusal, RefusalReason};
pub use state::{
    CancelReason, FulfillmentState, OrderStatus, Party, Reason, SlotOffers, State, StateKind, TrackingCode,
};
pub use transition::transition;
pub use update::{UnknownTarget, UpdateTarget};

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::catalogue::{ConsultationType, FacilityId, Practitioner, PractitionerId, Service, ServiceId, ids};
use crate::quote::Quote;
use crate::slot::{Slot, SlotId};

/// How long a slot is held for a consumer who has not confirmed.
pub const HOLD: SignedDuration = SignedDuration::from_mins(10);

ids! {
    /// An order: Beckn's `order.id`.
    OrderId;
}

/// Beckn's `payment.status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum PaymentStatus {
    /// `NOT-PAID`
    NotPaid,
    /// `PAID`
    Paid,
}

impl PaymentStatus {
    /// Beckn's word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotPaid => "NOT-PAID",
            Self::Paid => "PAID",
        }
    }
}

/// What is known about the payment. Collecting money is outside the network's scope; this records
/// what the parties told each other. The amount is always the quote's, never the consumer's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Whether it was paid.
    pub status: PaymentStatus,
    /// The payment network's own reference, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_reference: Option<String>,
    /// When it was reported paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
}

/// How often each party broke its promise. A party may use this to judge the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Strikes {
    /// No-shows of the consumer.
    pub consumer: u8,
    /// No-shows and cancellations of the provider.
    pub provider: u8,
}

impl Strikes {
    fn count(&mut self, by: Party) {
        let strikes = match by {
            Party::Consumer => &mut self.consumer,
            Party::Provider => &mut self.provider,
        };
        *strikes = strikes.saturating_add(1);
    }
}

/// A further consultation the provider offers after one took place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowUp {
    /// What is offered.
    pub service_id: ServiceId,
    /// When.
    pub offers: SlotOffers,
    /// At which price.
    pub quote: Quote,
    /// Until when it can be taken up, by a new order.
    pub until: Timestamp,
}

/// A booking of one slot of one practitioner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    id: OrderId,
    consumer: String,
    transaction_id: String,
    facility_id: FacilityId,
    practitioner_id: PractitionerId,
    service_id: ServiceId,
    slot: Slot,
    consultation_type: ConsultationType,
    quote: Quote,
    payment: Payment,
    state: State,
    #[serde(default)]
    strikes: Strikes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    follow_up: Option<FollowUp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
}

impl Order {
    /// Holds a slot: the effect of Beckn's `init`. Quote and identifiers are the catalogue's own.
    /// `consumer` is the signer's subscriber id (`context.bap_id`). The caller has found `slot` in
    /// the practitioner's schedule and still has to win its claim.
    ///
    /// # Errors
    /// The slot has started or is beyond the booking horizon.
    pub fn hold(
        id: OrderId,
        consumer: impl Into<String>,
        transaction_id: impl Into<String>,
        practitioner: &Practitioner,
        service: &Service,
        slot: Slot,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        slot.bookable(now).map_err(|error| Refusal::slot(None, EventKind::Hold, error))?;
        Ok(Self {
            id,
            consumer: consumer.into(),
            transaction_id: transaction_id.into(),
            facility_id: service.facility_id.clone(),
            practitioner_id: practitioner.id.clone(),
            service_id: service.id.clone(),
            slot,
            consultation_type: service.consultation_type,
            quote: Quote::from_fee(&service.fee),
            payment: Payment { status: PaymentStatus::NotPaid, transaction_reference: None, paid_at: None },
            state: State::Held { expires_at: hold_until(slot, now) },
            strikes: Strikes::default(),
            follow_up: None,
            created_at: now,
            updated_at: now,
            version: 1,
        })
    }

    /// The order after the event. The order itself is left as it was.
    ///
    /// # Errors
    /// Why the event is not allowed; see [`RefusalReason`].
    pub fn apply(&self, event: Event, now: Timestamp) -> Result<Order, Refusal> {
        let state = transition(self, &event, now)?;
        let mut next = self.clone();
        match &event {
            Event::Hold { slot } | Event::Reschedule { slot } => next.slot = *slot,
            Event::AcceptOffer { start } => {
                // `transition` has checked that the start is among the offers.
                if let State::RescheduleOffered { offers, .. } = &self.state
                    && let Some(slot) = offers.starting_at(*start)
                {
                    next.slot = slot;
                }
            }
            Event::Miss { by } => next.strikes.count(*by),
            Event::Cancel { by: Party::Provider, .. } if self.is_broken_promise() => {
                next.strikes.count(Party::Provider);
            }
            Event::OfferFollowUp(follow_up) => next.follow_up = Some(follow_up.clone()),
            _ => {}
        }
        next.state = state;
        Ok(next.changed(now))
    }

    /// Records that the order was reported paid. Repeating it changes nothing but the version.
    ///
    /// # Errors
    /// The order is cancelled or its hold has lapsed.
    pub fn pay(&self, transaction_reference: Option<String>, now: Timestamp) -> Result<Order, Refusal> {
        transition::check_open(self, EventKind::Pay, now)?;
        let mut next = self.clone();
        next.payment.status = PaymentStatus::Paid;
        next.payment.paid_at.get_or_insert(now);
        if transaction_reference.is_some() {
            next.payment.transaction_reference = transaction_reference;
        }
        Ok(next.changed(now))
    }

    /// Whether a cancellation by the provider now would break a promise that nobody has broken
    /// yet. Giving up an unconfirmed hold, or ending what was missed already, does not.
    fn is_broken_promise(&self) -> bool {
        match self.state {
            State::Held { .. } | State::Missed { .. } => false,
            State::RescheduleOffered { .. } => self.strikes == Strikes::default(),
            _ => true,
        }
    }

    fn changed(mut self, now: Timestamp) -> Self {
        // A clock of another machine may be behind; time never runs backwards within an order.
        self.updated_at = self.updated_at.max(now);
        self.version += 1;
        self
    }

    /// Whether these parts of the order may be changed now: any time while it is neither
    /// cancelled nor over.
    ///
    /// # Errors
    /// Says that the order is cancelled, lapsed or completed.
    pub fn check_update(&self, now: Timestamp) -> Result<(), Refusal> {
        transition::check_open(self, EventKind::Update, now)?;
        match self.state {
            State::Completed { .. } | State::Closed { .. } => Err(Refusal::new(
                Some(self.state.kind()),
                EventKind::Update,
                RefusalReason::AlreadyCompleted,
                "the consultation is over; its billing and patient details are final",
            )),
            _ => Ok(()),
        }
    }

    /// Whether a rating of this category may be given now: support any time, everything else
    /// once the consultation took place.
    ///
    /// # Errors
    /// Says that the consultation has not taken place.
    pub fn check_rating(&self, category: RatingCategory) -> Result<(), Refusal> {
        match (category, &self.state) {
            (RatingCategory::Support, _) | (_, State::Completed { .. } | State::Closed { .. }) => Ok(()),
            _ => Err(Refusal::new(
                Some(self.state.kind()),
                EventKind::Rate,
                RefusalReason::NotRateable,
                format!(
                    "a rating of {} is possible once the consultation took place; only Support can be rated before",
                    category.as_str()
                ),
            )),
        }
    }

    /// The slot row this order claims, or `None` when it has given its slot up.
    pub fn claim(&self) -> Option<SlotClaim> {
        let state = match self.state {
            State::Held { expires_at } => ClaimState::Held { expires_at },
            State::Cancelled { .. } => return None,
            _ => ClaimState::Booked,
        };
        Some(SlotClaim { order_id: self.id.clone(), state })
    }

    /// The follow-up on offer, while it can be taken up.
    pub fn follow_up(&self, now: Timestamp) -> Option<&FollowUp> {
        self.follow_up.as_ref().filter(|follow_up| now < follow_up.until)
    }

    /// Beckn's `order.id`.
    pub fn id(&self) -> &OrderId {
        &self.id
    }

    /// The subscriber id of the consumer's platform.
    pub fn consumer(&self) -> &str {
        &self.consumer
    }

    /// Beckn's `context.transaction_id`.
    pub fn transaction_id(&self) -> &str {
        &self.transaction_id
    }

    /// Where.
    pub fn facility_id(&self) -> &FacilityId {
        &self.facility_id
    }

    /// With whom.
    pub fn practitioner_id(&self) -> &PractitionerId {
        &self.practitioner_id
    }

    /// What.
    pub fn service_id(&self) -> &ServiceId {
        &self.service_id
    }

    /// When.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// Beckn's `fulfillment.id`.
    pub fn slot_id(&self) -> SlotId {
        SlotId::new(self.service_id.clone(), self.slot.start)
    }

    /// How.
    pub fn consultation_type(&self) -> ConsultationType {
        self.consultation_type
    }

    /// The price as it was when the slot was first held.
    pub fn quote(&self) -> &Quote {
        &self.quote
    }

    /// What is to be paid.
    pub fn amount(&self) -> Decimal {
        self.quote.total()
    }

    /// What is known about the payment.
    pub fn payment(&self) -> &Payment {
        &self.payment
    }

    /// The state as stored. A hold or an offer in it may have lapsed: see [`State::lapsed`].
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Broken promises so far.
    pub fn strikes(&self) -> Strikes {
        self.strikes
    }

    /// When the slot was first held.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// When the order last changed.
    pub fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// Rises by one with each change, from 1: the condition of every write.
    pub fn version(&self) -> u64 {
        self.version
    }
}

/// A hold lasts [`HOLD`], but never beyond the slot's start.
pub(crate) fn hold_until(slot: Slot, now: Timestamp) -> Timestamp {
    now.checked_add(HOLD).unwrap_or(Timestamp::MAX).min(slot.start)
}

#[cfg(test)]
mod tests;

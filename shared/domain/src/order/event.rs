//! What can happen to an order.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FollowUp, Party, Reason, SlotOffers};
use crate::slot::Slot;

/// Something that happened, or that a party asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Consumer (`init` again): hold this slot instead. The same slot keeps its expiry while the
    /// hold counts, so that repeating `init` cannot block a slot for ever.
    Hold {
        /// The slot wanted.
        slot: Slot,
    },
    /// Consumer (`confirm`): take the held slot.
    Confirm,
    /// Either party: the pre-consultation began.
    StartPreConsult,
    /// Either party: the pre-consultation is done and its clinical notes are with the provider.
    CompletePreConsult,
    /// Provider: the consultation began.
    StartConsultation,
    /// Provider: the consultation ended.
    Complete,
    /// Provider: summary and prescription are with the consumer; nothing more will follow.
    Close,
    /// Either party (`cancel`): give the booking up.
    Cancel {
        /// Who asks.
        by: Party,
        /// Why, in the party's words or as a reason code.
        reason: Option<Reason>,
    },
    /// Either party: one of the two did not turn up.
    Miss {
        /// Who did not.
        by: Party,
    },
    /// Consumer (`update`): move the booking to this slot.
    Reschedule {
        /// The slot wanted.
        slot: Slot,
    },
    /// Provider: cannot keep the slot, or answers a miss, and offers others until an instant.
    OfferReschedule {
        /// The slots offered.
        offers: SlotOffers,
        /// Until when one can be accepted.
        until: Timestamp,
    },
    /// Consumer: take the offered slot that starts then.
    AcceptOffer {
        /// The start of one of the offered slots.
        start: Timestamp,
    },
    /// The system: a hold or an offer reached its end.
    Lapse,
    /// Provider: offer another consultation after this one.
    OfferFollowUp(FollowUp),
}

/// An event, or another request to an order, without its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// [`Event::Hold`]
    Hold,
    /// [`Event::Confirm`]
    Confirm,
    /// [`Event::StartPreConsult`]
    StartPreConsult,
    /// [`Event::CompletePreConsult`]
    CompletePreConsult,
    /// [`Event::StartConsultation`]
    StartConsultation,
    /// [`Event::Complete`]
    Complete,
    /// [`Event::Close`]
    Close,
    /// [`Event::Cancel`]
    Cancel,
    /// [`Event::Miss`]
    Miss,
    /// [`Event::Reschedule`]
    Reschedule,
    /// [`Event::OfferReschedule`]
    OfferReschedule,
    /// [`Event::AcceptOffer`]
    AcceptOffer,
    /// [`Event::Lapse`]
    Lapse,
    /// [`Event::OfferFollowUp`]
    OfferFollowUp,
    /// [`Order::pay`](super::Order::pay)
    Pay,
    /// [`Order::check_update`](super::Order::check_update)
    Update,
    /// [`Order::check_rating`](super::Order::check_rating)
    Rate,
}

impl Event {
    /// The event without its data.
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Hold { .. } => EventKind::Hold,
            Self::Confirm => EventKind::Confirm,
            Self::StartPreConsult => EventKind::StartPreConsult,
            Self::CompletePreConsult => EventKind::CompletePreConsult,
            Self::StartConsultation => EventKind::StartConsultation,
            Self::Complete => EventKind::Complete,
            Self::Close => EventKind::Close,
            Self::Cancel { .. } => EventKind::Cancel,
            Self::Miss { .. } => EventKind::Miss,
            Self::Reschedule { .. } => EventKind::Reschedule,
            Self::OfferReschedule { .. } => EventKind::OfferReschedule,
            Self::AcceptOffer { .. } => EventKind::AcceptOffer,
            Self::Lapse => EventKind::Lapse,
            Self::OfferFollowUp(_) => EventKind::OfferFollowUp,
        }
    }
}

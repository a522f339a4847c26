//! The table of the life cycle: which event is allowed in which state, by whom, until when.
//!
//! Invariant: pure. The same order, event and time give the same answer; a refusal changes
//! nothing; a final state has no way out; a lapsed hold or offer is never acted on as if it
//! still counted.
//!
//! | event | allowed in | until |
//! |---|---|---|
//! | hold (`init` again) | held, lapsed or not | the new slot's start |
//! | confirm | held | the hold's expiry |
//! | pre-consultation starts / ends | confirmed / in progress | the slot's end / any time |
//! | consultation starts | confirmed, pre-consultation completed | the slot's end |
//! | complete, close | in consultation, completed | any time |
//! | cancel by the consumer | held; confirmed; provider missed; slots on offer | the slot's start |
//! | cancel by the provider | anything before the consultation; missed; slots on offer | any time |
//! | missed | confirmed, pre-consultation | from the slot's start on |
//! | reschedule by the consumer | confirmed, pre-consultation | the slot's start |
//! | offer other slots | confirmed, pre-consultation / missed | the slot's start / any time |
//! | accept one | slots on offer | the offer's expiry and the new slot's start |
//! | lapse | held, slots on offer | from the expiry on |
//! | offer a follow-up | completed, closed | any time |

use jiff::Timestamp;

use super::{CancelReason, Event, EventKind, Order, Party, Refusal, RefusalReason as Why, State, hold_until};
use crate::slot::Slot;

/// The state after the event, or why it is not allowed.
///
/// # Errors
/// See [`RefusalReason`](super::RefusalReason).
pub fn transition(order: &Order, event: &Event, now: Timestamp) -> Result<State, Refusal> {
    let state = order.state();
    let no = |why: Why, message: &str| Err(Refusal::new(Some(state.kind()), event.kind(), why, message));
    let started = order.slot().start <= now;
    let ended = order.slot().end <= now;
    let bookable =
        |slot: &Slot| slot.bookable(now).map_err(|error| Refusal::slot(Some(state.kind()), event.kind(), error));

    match (state, event) {
        (State::Held { expires_at }, Event::Hold { slot }) => {
            bookable(slot)?;
            let same = *slot == order.slot() && now < *expires_at;
            let expires_at = if same { *expires_at } else { hold_until(*slot, now) };
            Ok(State::Held { expires_at })
        }
        (State::Held { .. }, Event::Confirm) => {
            if state.lapsed(now) {
                return Err(lapsed(state, event.kind()));
            }
            Ok(State::Confirmed { at: now })
        }

        (State::Confirmed { .. }, Event::StartPreConsult) => {
            if ended {
                return no(Why::SlotPast, "the slot is over; announce it missed or offer another");
            }
            Ok(State::PreConsultInProgress { since: now })
        }
        (State::PreConsultInProgress { .. }, Event::CompletePreConsult) => Ok(State::PreConsultCompleted { at: now }),
        (State::Confirmed { .. } | State::PreConsultCompleted { .. }, Event::StartConsultation) => {
            if ended {
                return no(Why::SlotPast, "the slot is over; announce it missed or offer another");
            }
            Ok(State::InConsultation { since: now })
        }
        (State::PreConsultInProgress { .. }, Event::StartConsultation) => {
            no(Why::AlreadyStarted, "the pre-consultation is still running; complete it first")
        }
        (State::InConsultation { .. }, Event::Complete) => Ok(State::Completed { at: now }),
        (State::Completed { .. }, Event::Close) => Ok(State::Closed { at: now }),

        (_, Event::Cancel { by, reason }) => {
            cancellable(order, *by, started)?;
            let reason = CancelReason::Asked(reason.clone());
            Ok(State::Cancelled { by: *by, reason, at: now })
        }

        (State::Confirmed { .. } | State::PreConsultInProgress { .. }, Event::Miss { by })
        | (State::PreConsultCompleted { .. }, Event::Miss { by }) => {
            if !started {
                return no(Why::NotStarted, "the slot has not started; before that, cancel or reschedule instead");
            }
            Ok(State::Missed { by: *by, at: now, pre_consulted: pre_consulted(state) })
        }

        (
            State::Confirmed { .. } | State::PreConsultInProgress { .. } | State::PreConsultCompleted { .. },
            Event::Reschedule { slot },
        ) => {
            if started {
                return no(Why::SlotPast, "the slot has started; it can no longer be moved");
            }
            bookable(slot)?;
            Ok(state.clone())
        }
        (
            State::Confirmed { .. }
            | State::PreConsultInProgress { .. }
            | State::PreConsultCompleted { .. }
            | State::Missed { .. },
            Event::OfferReschedule { offers, until },
        ) => {
            if started && !matches!(state, State::Missed { .. }) {
                return no(Why::SlotPast, "the slot has started; announce it missed before offering others");
            }
            if *until <= now {
                return no(Why::OfferExpired, "the offer would have expired already");
            }
            for slot in offers.slots() {
                bookable(slot)?;
            }
            let pre_consulted = pre_consulted(state);
            Ok(State::RescheduleOffered { offers: offers.clone(), until: *until, pre_consulted })
        }
        (State::RescheduleOffered { offers, pre_consulted, .. }, Event::AcceptOffer { start }) => {
            if state.lapsed(now) {
                return Err(lapsed(state, event.kind()));
            }
            let Some(slot) = offers.starting_at(*start) else {
                return no(Why::NotOffered, "that slot is not among those offered");
            };
            bookable(&slot)?;
            Ok(match pre_consulted {
                true => State::PreConsultCompleted { at: now },
                false => State::Confirmed { at: now },
            })
        }

        (State::Held { .. } | State::RescheduleOffered { .. }, Event::Lapse) => {
            if !state.lapsed(now) {
                return no(Why::NotDue, "the hold or offer has not reached its end");
            }
            let reason = match state {
                State::Held { .. } => CancelReason::OfferExpired,
                _ => CancelReason::RescheduleExpired,
            };
            Ok(State::Cancelled { by: Party::Provider, reason, at: now })
        }

        (State::Completed { .. } | State::Closed { .. }, Event::OfferFollowUp(follow_up)) => {
            if follow_up.until <= now {
                return no(Why::OfferExpired, "the offer would have expired already");
            }
            for slot in follow_up.offers.slots() {
                bookable(slot)?;
            }
            Ok(state.clone())
        }

        _ => Err(refused(state, event.kind(), now)),
    }
}

/// Whether the pre-consultation's notes are with the provider.
fn pre_consulted(state: &State) -> bool {
    match state {
        State::PreConsultCompleted { .. } => true,
        State::Missed { pre_consulted, .. } | State::RescheduleOffered { pre_consulted, .. } => *pre_consulted,
        _ => false,
    }
}

/// Seed rule: not once the (pre-)consultation began or its start has passed; the provider may
/// decide otherwise for what has not reached the consultation itself.
fn cancellable(order: &Order, by: Party, started: bool) -> Result<(), Refusal> {
    let state = order.state();
    let no = |why, message: &str| Err(Refusal::new(Some(state.kind()), EventKind::Cancel, why, message));
    match (state, by) {
        (State::Cancelled { .. }, _) => no(Why::AlreadyCancelled, "the order is cancelled already"),
        (State::Completed { .. } | State::Closed { .. }, _) => {
            no(Why::NotCancellable, "the consultation took place; it can no longer be cancelled")
        }
        (State::InConsultation { .. }, _) => {
            no(Why::NotCancellable, "the consultation has begun; it can no longer be cancelled")
        }
        (State::PreConsultInProgress { .. } | State::PreConsultCompleted { .. }, Party::Consumer) => {
            no(Why::NotCancellable, "the pre-consultation has begun; ask the provider to cancel")
        }
        (State::Confirmed { .. }, Party::Consumer) if started => {
            no(Why::NotCancellable, "the slot has started; it can no longer be cancelled")
        }
        (State::Missed { by: Party::Consumer, .. }, Party::Consumer) => no(
            Why::NotCancellable,
            "the consultation was missed by the patient; the provider cancels it or offers another",
        ),
        _ => Ok(()),
    }
}

fn lapsed(state: &State, event: EventKind) -> Refusal {
    let message = match state {
        State::RescheduleOffered { .. } => "the offer of other slots has expired; book again",
        _ => "the slot was not confirmed in time and is no longer held; select it again",
    };
    Refusal::new(Some(state.kind()), event, Why::OfferExpired, message)
}

/// Refuses what touches an order that is cancelled or whose hold or offer has lapsed.
pub(super) fn check_open(order: &Order, event: EventKind, now: Timestamp) -> Result<(), Refusal> {
    let state = order.state();
    match state {
        State::Cancelled { .. } => Err(refused(state, event, now)),
        _ if state.lapsed(now) => Err(lapsed(state, event)),
        _ => Ok(()),
    }
}

/// What the state itself has to say about an event it does not allow.
fn refused(state: &State, event: EventKind, now: Timestamp) -> Refusal {
    let (why, message) = match (state, event) {
        (State::Cancelled { reason: CancelReason::OfferExpired, .. }, _) => {
            return lapsed(&State::Held { expires_at: now }, event).in_state(state.kind());
        }
        (State::Cancelled { .. }, _) => (Why::AlreadyCancelled, "the order is cancelled"),
        (_, EventKind::Lapse) => (Why::NotDue, "nothing of this order is waiting to lapse"),
        (State::Held { .. }, _) if state.lapsed(now) => return lapsed(state, event),
        (State::Held { .. }, EventKind::Reschedule) => {
            (Why::NotConfirmed, "the order is not confirmed; init again with the other slot")
        }
        (State::Held { .. }, _) => (Why::NotConfirmed, "the order is not confirmed"),
        (State::RescheduleOffered { .. }, _) if state.lapsed(now) => return lapsed(state, event),
        (_, EventKind::Confirm | EventKind::Hold) => (Why::AlreadyConfirmed, "the order is confirmed already"),
        (State::RescheduleOffered { .. }, _) => {
            (Why::RescheduleOpen, "other slots are on offer; accept one of them or cancel")
        }
        (_, EventKind::AcceptOffer) => (Why::NotOffered, "no other slots are on offer"),
        (State::Completed { .. } | State::Closed { .. }, _) => {
            (Why::AlreadyCompleted, "the consultation took place already")
        }
        (State::Missed { .. }, _) => {
            (Why::AlreadyMissed, "the consultation was missed; the provider cancels it or offers other slots")
        }
        (_, EventKind::OfferFollowUp) => {
            (Why::NotStarted, "a follow-up can be offered once the consultation is completed")
        }
        (State::InConsultation { .. }, _) => (Why::AlreadyStarted, "the consultation has begun"),
        (State::PreConsultInProgress { .. } | State::PreConsultCompleted { .. }, EventKind::StartPreConsult) => {
            (Why::AlreadyStarted, "the pre-consultation has begun")
        }
        (State::PreConsultCompleted { .. }, EventKind::CompletePreConsult) => {
            (Why::AlreadyStarted, "the pre-consultation is completed already")
        }
        (_, EventKind::CompletePreConsult) => (Why::NotStarted, "the pre-consultation has not begun"),
        (_, EventKind::Close) => (Why::NotStarted, "the consultation is not completed"),
        _ => (Why::NotStarted, "the consultation has not begun"),
    };
    Refusal::new(Some(state.kind()), event, why, message)
}

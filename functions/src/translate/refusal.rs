//! A refusal of the domain as a Beckn error.

use beckn_health_domain::order::{EventKind, Refusal, RefusalReason as Why};
use beckn_health_protocol::error::{Code, Error};

/// The error a consumer gets: BECKN-005's code, the path of what stands in the way, and a sentence.
pub fn error(refusal: &Refusal) -> Error {
    let (code, path) = match (refusal.reason(), refusal.event()) {
        (
            Why::SlotTaken | Why::NoSuchSlot | Why::SlotPast | Why::BeyondHorizon,
            EventKind::Hold | EventKind::Confirm,
        ) => (Code::FulfillmentUnavailable, "message.order.fulfillments[0].id"),
        (Why::OfferExpired, _) => (Code::QuoteUnavailable, "message.order"),
        (_, EventKind::Cancel) => (Code::CancellationNotPossible, "message.order_id"),
        (_, EventKind::Update) => (Code::UpdateNotPossible, "message.update_target"),
        (Why::NotRateable, _) => (Code::UnsupportedRatingCategory, "message.ratings"),
        _ => (Code::BusinessError, "message.order"),
    };
    Error::new(code, refusal.message()).at(path)
}

//! `bpp-on-confirm`: turns a hold into a booking.
//!
//! Invariant: the slot is booked by the same transaction that confirms the order, under the
//! condition that this order's hold still lives. A repeated confirm is answered with the order as it
//! stands. Payment is the provider's own record: what the consumer says of it changes nothing.

use beckn_health_domain::order::{Event, EventKind, Refusal, RefusalReason};
use beckn_health_platform::deliver::CALLBACKS;
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, QueueRecord, RecordFailure, Trigger};
use beckn_health_platform::respond::{Decision, Inbound, Round};
use beckn_health_platform::store::orders::{Orders, Stored};
use beckn_health_platform::store::slots::{SlotKey, Slots};
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;
use beckn_health_protocol::error::{Code, Error};
use beckn_health_protocol::message::{ConfirmMessage, OrderMessage};
use beckn_health_protocol::model;

use super::choice::wanted_start;
use super::order_id;
use super::outcome::{NoAnswer, decided};
use crate::translate::{order as wire, refusal};

/// The queue of acknowledged `confirm` messages.
pub const QUEUE: &str = "bpp-on-confirm";

/// The responder to `confirm`.
pub const FUNCTION: Function = Function {
    name: "bpp-on-confirm",
    trigger: Trigger::Queue {
        queue: QUEUE,
        timeout_seconds: 30,
        max_receive_count: 5,
        handler: |deps, record| Box::pin(async move { respond(&deps, record).await }),
    },
    tables: &[table::SLOTS, table::ORDERS, table::REPLIES],
    sends_to: &[CALLBACKS],
    prepare: None,
};

async fn respond(deps: &Deps, record: QueueRecord) -> Result<(), RecordFailure> {
    let inbound = &Inbound::from_record(&record, Action::Confirm)?;
    inbound.decide_once(deps, |round| async move { decided(confirm(deps, inbound, round).await) }).await
}

async fn confirm(deps: &Deps, inbound: &Inbound, round: Round) -> Result<Decision<OrderMessage>, NoAnswer> {
    let now = deps.clock.now();
    let message: ConfirmMessage = inbound.message()?;
    let named = message.order.id.as_ref().map(|id| (id.to_string(), "message.order.id"));
    let by_transaction = inbound.envelope.context.transaction_id.as_ref();
    let by_transaction = by_transaction.map(|id| (order_id::of(&inbound.subscriber, id), "context.transaction_id"));
    let Some((id, path)) = named.or(by_transaction) else {
        return Err(Error::new(Code::InvalidRequest, "expected the transaction id")
            .at("context.transaction_id")
            .into());
    };
    let stored = order_id::owned(deps, inbound, &id, path).await??;
    unchanged(&message.order, &stored)?;
    let confirmed = match stored.order.apply(Event::Confirm, now) {
        Ok(confirmed) => confirmed,
        Err(no) if no.reason() == RefusalReason::AlreadyConfirmed => {
            let order = wire::order(&stored.order, &stored.details, now);
            return Ok(Decision { writes: Vec::new(), answer: Ok(OrderMessage { order, ..OrderMessage::default() }) });
        }
        Err(no) => return Err(refusal::error(&no).into()),
    };
    let slot = SlotKey { practitioner: confirmed.practitioner_id().to_string(), start: confirmed.slot().start };
    let slots = Slots::new(deps.tables.clone());
    // That the slot is held for this order is a condition of the write.
    if round == Round::Again && !slots.belongs_to(&slot, &id).await.map_err(RecordFailure::temporary)? {
        let taken = Refusal::slot_taken(EventKind::Confirm);
        return Err(refusal::error(&taken).into());
    }
    let writes = vec![
        slots.book(&slot, confirmed.slot().end, &id, now),
        Orders::new(deps.tables.clone()).replace(&stored, &confirmed, &stored.details),
    ];
    let order = wire::order(&confirmed, &stored.details, now);
    Ok(Decision { writes, answer: Ok(OrderMessage { order, ..OrderMessage::default() }) })
}

/// A confirm agrees to what was held; it cannot mean another item or slot.
fn unchanged(wanted: &model::Order, stored: &Stored) -> Result<(), NoAnswer> {
    let held = &stored.order;
    let refused = |path: &str, expected: String| -> NoAnswer {
        let message = format!("expected {expected}, for which init gave the terms; init again to change it");
        Error::new(Code::InvalidRequest, message).at(path).into()
    };
    if let Some(id) = wanted.provider.as_ref().and_then(|provider| provider.id.as_ref())
        && id.as_str() != held.facility_id().as_str()
    {
        return Err(refused("message.order.provider.id", held.facility_id().to_string()));
    }
    if let Some(id) = wanted.items.first().and_then(|item| item.id.as_ref())
        && id.as_str() != held.service_id().as_str()
    {
        return Err(refused("message.order.items[0].id", held.service_id().to_string()));
    }
    if wanted_start(wanted, held.service_id())?.is_some_and(|start| start != held.slot().start) {
        return Err(refused("message.order.fulfillments[0].id", held.slot_id().to_string()));
    }
    Ok(())
}

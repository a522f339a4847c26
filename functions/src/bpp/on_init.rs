//! `bpp-on-init`: holds the slot and fixes the terms.
//!
//! Invariant: the hold, the order and the reply are one transaction. Of two consumers one holds the
//! slot; a hold that has lapsed is as good as none; a consumer that names another slot gives up
//! the one it held.

use beckn_health_domain::order::{CancelReason, Event, Order, State};
use beckn_health_platform::deliver::CALLBACKS;
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, QueueRecord, RecordFailure, Trigger};
use beckn_health_platform::respond::{Decision, Inbound, Round};
use beckn_health_platform::store::orders::{Details, Orders, Stored};
use beckn_health_platform::store::slots::{Look, SlotKey, Slots};
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;
use beckn_health_protocol::error::{Code, Error};
use beckn_health_protocol::message::{InitMessage, OrderMessage};
use jiff::Timestamp;
use serde_json::Value;

use super::choice::{Choice, choose};
use super::order_id;
use super::outcome::{NoAnswer, decided};
use crate::translate::{order as wire, refusal};

/// The queue of acknowledged `init` messages.
pub const QUEUE: &str = "bpp-on-init";

/// The responder to `init`.
pub const FUNCTION: Function = Function {
    name: "bpp-on-init",
    trigger: Trigger::Queue {
        queue: QUEUE,
        timeout_seconds: 30,
        max_receive_count: 5,
        handler: |deps, record| Box::pin(async move { respond(&deps, record).await }),
    },
    tables: &[table::CATALOGUE, table::SLOTS, table::ORDERS, table::REPLIES],
    sends_to: &[CALLBACKS],
    prepare: None,
};

async fn respond(deps: &Deps, record: QueueRecord) -> Result<(), RecordFailure> {
    let inbound = &Inbound::from_record(&record, Action::Init)?;
    inbound.decide_once(deps, |round| async move { decided(hold(deps, inbound, round).await) }).await
}

async fn hold(deps: &Deps, inbound: &Inbound, round: Round) -> Result<Decision<OrderMessage>, NoAnswer> {
    // Whole seconds, as `expires_at` of the slot's row counts them: order and slot lapse at the same instant.
    let now = Timestamp::from_second(deps.clock.now().as_second()).unwrap_or(Timestamp::MIN);
    let message: InitMessage = inbound.message()?;
    let Some(transaction) = &inbound.envelope.context.transaction_id else {
        return Err(Error::new(Code::InvalidRequest, "expected the transaction id")
            .at("context.transaction_id")
            .into());
    };
    let id = order_id::of(&inbound.subscriber, transaction);
    let mut choice = choose(deps, &message.order, now).await?;
    let orders = Orders::new(deps.tables.clone());
    // Most name a slot that is free, in a transaction that has no order yet. Both are conditions of the writes, so that
    // neither is read before one of them has failed.
    let known = match round {
        Round::First => None,
        Round::Again => orders.find(&id).await.map_err(RecordFailure::temporary)?,
    };
    keep_held_slot(&mut choice, known.as_ref(), now);
    let slot = match (round, choice.slot) {
        (Round::First, Some(named)) => named,
        _ => choice.free_slot(deps, &id, Look::Sure, now).await?,
    };

    let refused = |error| NoAnswer::Refused(refusal::error(&error));
    let fresh = || {
        let id = order_id::parse(&id)?;
        let consumer = inbound.subscriber.as_str();
        Order::hold(id, consumer, transaction.as_str(), &choice.practitioner, &choice.service, slot, now)
            .map_err(refused)
    };
    let order = match &known {
        None => fresh()?,
        // Whether the lapse has been recorded already must make no difference: the consumer may hold again.
        Some(stored) if matches!(stored.order.state(), State::Cancelled { reason: CancelReason::OfferExpired, .. }) => {
            fresh()?
        }
        Some(stored) => {
            // Asked even when the order is made anew, so that its state decides whether it may change.
            let moved = stored.order.apply(Event::Hold { slot }, now).map_err(refused)?;
            let same = *moved.service_id() == choice.service.id && *moved.facility_id() == choice.facility.id;
            if same { moved } else { fresh()? }
        }
    };
    let State::Held { expires_at } = order.state() else {
        return Err(RecordFailure::Temporary("a hold led to another state".to_owned()).into());
    };
    let details = Details {
        billing: billing(&message),
        customer: customer(&message),
        terms: choice.terms(),
        domain: inbound.envelope.context.domain.clone(),
        location: object(inbound.envelope.context.location.as_ref()),
    };
    let slots = Slots::new(deps.tables.clone());
    let mut writes = vec![
        slots.hold(&choice.key(slot), &id, *expires_at, now),
        known.as_ref().map_or_else(|| orders.insert(&order, &details), |read| orders.replace(read, &order, &details)),
    ];
    if let Some(left) = known.as_ref().map(held_by).filter(|left| *left != choice.key(slot))
        && slots.belongs_to(&left, &id).await.map_err(RecordFailure::temporary)?
    {
        writes.push(slots.release(&left, &id));
    }
    let shown = wire::order(&order, &details, now);
    Ok(Decision { writes, answer: Ok(OrderMessage { order: shown, ..OrderMessage::default() }) })
}

/// A consumer that repeats `init` without naming a slot means the one it holds.
fn keep_held_slot(choice: &mut Choice, known: Option<&Stored>, now: Timestamp) {
    let held = known.filter(|stored| {
        let order = &stored.order;
        matches!(order.state(), State::Held { .. })
            && !order.state().lapsed(now)
            && *order.service_id() == choice.service.id
    });
    if let (None, Some(stored)) = (choice.slot, held) {
        choice.slot = Some(stored.order.slot());
    }
}

fn held_by(stored: &Stored) -> SlotKey {
    SlotKey { practitioner: stored.order.practitioner_id().to_string(), start: stored.order.slot().start }
}

fn billing(message: &InitMessage) -> Value {
    object(message.order.billing.as_ref())
}

fn customer(message: &InitMessage) -> Value {
    object(message.order.fulfillments.first().and_then(|fulfillment| fulfillment.customer.as_ref()))
}

/// A Beckn object as it is stored, its unknown fields included.
pub(super) fn object(given: Option<&impl serde::Serialize>) -> Value {
    given.and_then(|given| serde_json::to_value(given).ok()).unwrap_or_default()
}

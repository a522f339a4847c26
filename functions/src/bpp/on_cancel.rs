//! `bpp-on-cancel`: calls an order off and frees its slot.
//!
//! Invariant: the slot is freed by the transaction that cancels the order, and only if it is still
//! this order's.

use beckn_health_domain::order::{Event, Party, Reason};
use beckn_health_platform::deliver::CALLBACKS;
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, QueueRecord, RecordFailure, Trigger};
use beckn_health_platform::respond::{Decision, Inbound, Round};
use beckn_health_platform::store::orders::Orders;
use beckn_health_platform::store::slots::{SlotKey, Slots};
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;
use beckn_health_protocol::message::{CancelMessage, OrderMessage};

use super::order_id;
use super::outcome::{NoAnswer, decided};
use crate::translate::{order as wire, refusal};

/// The queue of acknowledged `cancel` messages.
pub const QUEUE: &str = "bpp-on-cancel";

/// The responder to `cancel`.
pub const FUNCTION: Function = Function {
    name: "bpp-on-cancel",
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
    let inbound = &Inbound::from_record(&record, Action::Cancel)?;
    inbound.decide_once(deps, |round| async move { decided(cancel(deps, inbound, round).await) }).await
}

async fn cancel(deps: &Deps, inbound: &Inbound, round: Round) -> Result<Decision<OrderMessage>, NoAnswer> {
    let now = deps.clock.now();
    let message: CancelMessage = inbound.message()?;
    let stored = order_id::owned(deps, inbound, message.order_id.as_str(), "message.order_id").await??;
    let event = Event::Cancel { by: Party::Consumer, reason: reason(&message) };
    let cancelled = stored.order.apply(event, now).map_err(|no| refusal::error(&no))?;
    let slots = Slots::new(deps.tables.clone());
    let id = stored.order.id().as_str();
    let slot = SlotKey { practitioner: stored.order.practitioner_id().to_string(), start: stored.order.slot().start };
    let orders = Orders::new(deps.tables.clone());
    let mut writes = vec![orders.replace(&stored, &cancelled, &stored.details)];
    // Whether the slot is still this order's is a condition of the write.
    if round == Round::First || slots.belongs_to(&slot, id).await.map_err(RecordFailure::temporary)? {
        writes.push(slots.release(&slot, id));
    }
    let order = wire::order(&cancelled, &stored.details, now);
    Ok(Decision { writes, answer: Ok(OrderMessage { order, ..OrderMessage::default() }) })
}

/// The consumer's words, or the id of the reason when there are none.
fn reason(message: &CancelMessage) -> Option<Reason> {
    let descriptor = message.descriptor.as_ref();
    let words = descriptor.and_then(|descriptor| descriptor.short_desc.as_deref().or(descriptor.name.as_deref()));
    words.or(message.cancellation_reason_id.as_deref()).map(Reason::from)
}

//! `bpp-on-select`: the quote for the slot a consumer chose.
//!
//! Invariant: nothing is written. The slot is free at this moment and the price is today's; only
//! `init` holds the one and fixes the other.

use beckn_health_domain::quote::Quote;
use beckn_health_platform::deliver::CALLBACKS;
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, QueueRecord, RecordFailure, Trigger};
use beckn_health_platform::respond::Inbound;
use beckn_health_platform::store::slots::Look;
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;
use beckn_health_protocol::message::{OrderMessage, SelectMessage};

use super::choice::choose;
use super::order_id;
use super::outcome::{NoAnswer, answered};
use crate::translate::order::{Offer, draft};

/// The queue of acknowledged `select` messages.
pub const QUEUE: &str = "bpp-on-select";

/// The responder to `select`.
pub const FUNCTION: Function = Function {
    name: "bpp-on-select",
    trigger: Trigger::Queue {
        queue: QUEUE,
        timeout_seconds: 30,
        max_receive_count: 5,
        handler: |deps, record| Box::pin(async move { respond(&deps, record).await }),
    },
    tables: &[table::CATALOGUE, table::SLOTS],
    sends_to: &[CALLBACKS],
    prepare: None,
};

async fn respond(deps: &Deps, record: QueueRecord) -> Result<(), RecordFailure> {
    let inbound = Inbound::from_record(&record, Action::Select)?;
    let answer = answered(quote(deps, &inbound).await)?;
    inbound.answer(deps, answer).await
}

async fn quote(deps: &Deps, inbound: &Inbound) -> Result<OrderMessage, NoAnswer> {
    let now = deps.clock.now();
    let message: SelectMessage = inbound.message()?;
    let choice = choose(deps, &message.order, now).await?;
    // A consumer that selects again sees the slot it holds itself as free.
    let own = inbound.envelope.context.transaction_id.as_ref().map(|id| order_id::of(&inbound.subscriber, id));
    let slot = choice.free_slot(deps, own.as_deref().unwrap_or_default(), Look::Glance, now).await?;
    let (terms, quote) = (choice.terms(), Quote::from_fee(&choice.service.fee));
    let order = draft(&Offer { terms: &terms, slot, quote: &quote });
    Ok(OrderMessage { order, ..OrderMessage::default() })
}

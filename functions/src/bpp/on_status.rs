//! `bpp-on-status`: the order as it stands.

use beckn_health_platform::deliver::CALLBACKS;
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, QueueRecord, RecordFailure, Trigger};
use beckn_health_platform::respond::{Answer, Inbound};
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;
use beckn_health_protocol::message::{OrderMessage, StatusMessage};

use super::order_id;
use super::outcome::{NoAnswer, answered};
use crate::translate::order as wire;

/// The queue of acknowledged `status` messages.
pub const QUEUE: &str = "bpp-on-status";

/// The responder to `status`.
pub const FUNCTION: Function = Function {
    name: "bpp-on-status",
    trigger: Trigger::Queue {
        queue: QUEUE,
        timeout_seconds: 30,
        max_receive_count: 5,
        handler: |deps, record| Box::pin(async move { respond(&deps, record).await }),
    },
    tables: &[table::ORDERS],
    sends_to: &[CALLBACKS],
    prepare: None,
};

async fn respond(deps: &Deps, record: QueueRecord) -> Result<(), RecordFailure> {
    let inbound = Inbound::from_record(&record, Action::Status)?;
    let answer: Answer<OrderMessage> = answered(status(deps, &inbound).await)?;
    inbound.answer(deps, answer).await
}

async fn status(deps: &Deps, inbound: &Inbound) -> Result<OrderMessage, NoAnswer> {
    let message: StatusMessage = inbound.message()?;
    let stored = order_id::owned(deps, inbound, message.order_id.as_str(), "message.order_id").await??;
    let order = wire::order(&stored.order, &stored.details, deps.clock.now());
    Ok(OrderMessage { order, ..OrderMessage::default() })
}

//! `bpp-on-track`: where a consultation takes place and how far it is.

use beckn_health_domain::order::State;
use beckn_health_platform::deliver::CALLBACKS;
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, QueueRecord, RecordFailure, Trigger};
use beckn_health_platform::respond::Inbound;
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;
use beckn_health_protocol::error::{Code, Error};
use beckn_health_protocol::message::{TrackMessage, TrackingMessage};

use super::order_id;
use super::outcome::{NoAnswer, answered};
use crate::translate::order::tracking;

/// The queue of acknowledged `track` messages.
pub const QUEUE: &str = "bpp-on-track";

/// The responder to `track`.
pub const FUNCTION: Function = Function {
    name: "bpp-on-track",
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
    let inbound = Inbound::from_record(&record, Action::Track)?;
    let answer = answered(track(deps, &inbound).await)?;
    inbound.answer(deps, answer).await
}

async fn track(deps: &Deps, inbound: &Inbound) -> Result<TrackingMessage, NoAnswer> {
    let message: TrackMessage = inbound.message()?;
    let stored = order_id::owned(deps, inbound, message.order_id.as_str(), "message.order_id").await??;
    if matches!(stored.order.state(), State::Held { .. }) {
        let message = "an order can be tracked once it is confirmed";
        return Err(Error::new(Code::TrackingNotSupported, message).at("message.order_id").into());
    }
    Ok(TrackingMessage { tracking: tracking(&stored.order, &stored.details), ..TrackingMessage::default() })
}

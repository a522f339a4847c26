//! `bpp-on-support`: whom to ask about an order.

use beckn_health_platform::deliver::CALLBACKS;
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, QueueRecord, RecordFailure, Trigger};
use beckn_health_platform::respond::Inbound;
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;
use beckn_health_protocol::error::{Code, Error};
use beckn_health_protocol::ids::OrderId;
use beckn_health_protocol::message::SupportMessage;
use beckn_health_protocol::model::Support;

use super::order_id;
use super::outcome::{NoAnswer, answered};

/// The queue of acknowledged `support` messages.
pub const QUEUE: &str = "bpp-on-support";

/// The responder to `support`.
pub const FUNCTION: Function = Function {
    name: "bpp-on-support",
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
    let inbound = Inbound::from_record(&record, Action::Support)?;
    let answer = answered(support(deps, &inbound).await)?;
    inbound.answer(deps, answer).await
}

async fn support(deps: &Deps, inbound: &Inbound) -> Result<SupportMessage, NoAnswer> {
    let message: SupportMessage = inbound.message()?;
    let asked = message.support.unwrap_or_default();
    let by_order = asked.order_id.as_ref().map(|id| (id.to_string(), "message.support.order_id"));
    let by_reference = asked.ref_id.as_ref().map(|id| (id.clone(), "message.support.ref_id"));
    let Some((id, path)) = by_order.or(by_reference) else {
        return Err(Error::new(Code::InvalidRequest, "expected the order help is needed with")
            .at("message.support.order_id")
            .into());
    };
    let stored = order_id::owned(deps, inbound, &id, path).await??;
    let facility = &stored.details.terms.facility;
    if facility.phone.is_none() && facility.email.is_none() && facility.url.is_none() {
        return Err(Error::new(Code::SupportUnavailable, "this provider has named no contact").at(path).into());
    }
    let support = Support {
        order_id: OrderId::parse(stored.order.id().as_str()).ok(),
        ref_id: asked.ref_id,
        phone: facility.phone.clone(),
        email: facility.email.clone(),
        url: facility.url.clone(),
        ..Support::default()
    };
    Ok(SupportMessage { support: Some(support), ..SupportMessage::default() })
}

//! `bpp-on-update`: corrects billing or patient details.
//!
//! Invariant: exactly the named targets change; a message that would change more is refused whole.

use beckn_health_domain::order::UpdateTarget;
use beckn_health_platform::deliver::CALLBACKS;
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, QueueRecord, RecordFailure, Trigger};
use beckn_health_platform::respond::{Decision, Inbound};
use beckn_health_platform::store::orders::{Details, Orders, Stored};
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;
use beckn_health_protocol::error::{Code, Error};
use beckn_health_protocol::message::{OrderMessage, UpdateMessage};
use serde_json::Value;

use super::on_init::object;
use super::order_id;
use super::outcome::{NoAnswer, decided};
use crate::translate::{order as wire, refusal};

/// The queue of acknowledged `update` messages.
pub const QUEUE: &str = "bpp-on-update";

/// The responder to `update`.
pub const FUNCTION: Function = Function {
    name: "bpp-on-update",
    trigger: Trigger::Queue {
        queue: QUEUE,
        timeout_seconds: 30,
        max_receive_count: 5,
        handler: |deps, record| Box::pin(async move { respond(&deps, record).await }),
    },
    tables: &[table::ORDERS, table::REPLIES],
    sends_to: &[CALLBACKS],
    prepare: None,
};

async fn respond(deps: &Deps, record: QueueRecord) -> Result<(), RecordFailure> {
    let inbound = Inbound::from_record(&record, Action::Update)?;
    inbound.decide_once(deps, |_| async { decided(update(deps, &inbound).await) }).await
}

async fn update(deps: &Deps, inbound: &Inbound) -> Result<Decision<OrderMessage>, NoAnswer> {
    let now = deps.clock.now();
    let message: UpdateMessage = inbound.message()?;
    let targets = UpdateTarget::parse_list(&message.update_target)
        .map_err(|unknown| Error::new(Code::InvalidUpdateTarget, unknown.to_string()).at("message.update_target"))?;
    let Some(id) = &message.order.id else {
        return Err(Error::new(Code::InvalidRequest, "expected the order's id").at("message.order.id").into());
    };
    let stored = order_id::owned(deps, inbound, id.as_str(), "message.order.id").await??;
    stored.order.check_update(now).map_err(|no| refusal::error(&no))?;
    let details = changed(&message, &targets, &stored)?;
    let orders = Orders::new(deps.tables.clone());
    // The state does not change, but its version does: two updates at once cannot both win.
    let writes = vec![orders.replace(&stored, &stored.order, &details)];
    let order = wire::order(&stored.order, &details, now);
    Ok(Decision { writes, answer: Ok(OrderMessage { order, ..OrderMessage::default() }) })
}

/// The details after the update.
fn changed(message: &UpdateMessage, targets: &[UpdateTarget], stored: &Stored) -> Result<Details, Error> {
    let billing = object(message.order.billing.as_ref());
    let customer = object(message.order.fulfillments.first().and_then(|fulfillment| fulfillment.customer.as_ref()));
    let mut details = stored.details.clone();
    let billing_named = targets.contains(&UpdateTarget::Billing);
    let customer_named = targets.iter().any(|target| matches!(target, UpdateTarget::Customer { .. }));
    take(&mut details.billing, billing, billing_named, "message.order.billing")?;
    take(&mut details.customer, customer, customer_named, "message.order.fulfillments[0].customer")?;
    for target in targets {
        if let UpdateTarget::Customer { fulfillment: Some(named) } = target
            && *named != stored.order.slot_id().to_string()
            && named != "0"
        {
            let message = format!("the order has no fulfilment {named}");
            return Err(Error::new(Code::InvalidUpdateTarget, message).at("message.update_target"));
        }
    }
    Ok(details)
}

/// Takes a new value if its target is named; refuses one that would change without being named.
fn take(current: &mut Value, given: Value, named: bool, path: &str) -> Result<(), Error> {
    match (named, given.is_null()) {
        (true, true) => Err(Error::new(Code::InvalidRequest, "expected the new value of the update target").at(path)),
        (true, false) => {
            *current = given;
            Ok(())
        }
        (false, false) if given != *current => {
            let message = "this would change too, but update_target does not name it";
            Err(Error::new(Code::UpdateInconsistency, message).at(path))
        }
        (false, _) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_named_changes() {
        let mut billing = json!({"name": "A"});
        take(&mut billing, json!({"name": "B"}), true, "message.order.billing").unwrap();
        assert_eq!(billing, json!({"name": "B"}));
        let error = take(&mut billing, json!({"name": "C"}), false, "message.order.billing").unwrap_err();
        assert_eq!(error.code, Code::UpdateInconsistency);
        // Repeating the present value is no change.
        take(&mut billing, json!({"name": "B"}), false, "message.order.billing").unwrap();
        take(&mut billing, Value::Null, false, "message.order.billing").unwrap();
        assert!(take(&mut billing, Value::Null, true, "message.order.billing").is_err());
        assert_eq!(billing, json!({"name": "B"}));
    }
}

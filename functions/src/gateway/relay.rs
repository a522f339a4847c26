//! `gateway-relay`: carries a provider's `on_search` to the consumer that searched.
//!
//! Invariant: it is delivered where the registry says that its `context.bap_id` is, and nowhere else; it is tried
//! until it has lapsed and then rests, whole, in the dead-letter queue.

use beckn_health_platform::deliver::{Attempt, CALLBACKS_MAX_RECEIVE, Refusal};
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, QueueRecord, RecordFailure, Trigger};
use beckn_health_platform::hop::{self, Outcome};
use beckn_health_protocol::action::{Callback, Verb};
use beckn_health_protocol::ids::{MessageId, SubscriberId, TransactionId};
use beckn_health_protocol::registry::SubscriberType;
use tracing::warn;

use super::carry::Carried;

/// The queue of answers to carry.
pub const QUEUE: &str = "gateway-relay";

/// The gateway's relay.
pub const FUNCTION: Function = Function {
    name: "gateway-relay",
    trigger: Trigger::Queue {
        queue: QUEUE,
        timeout_seconds: 30,
        max_receive_count: CALLBACKS_MAX_RECEIVE,
        handler: |deps, record| Box::pin(async move { carry(&deps, record).await }),
    },
    tables: &[],
    sends_to: &[],
    prepare: None,
};

async fn carry(deps: &Deps, record: QueueRecord) -> Result<(), RecordFailure> {
    let verb = Verb::Callback(Callback::OnSearch);
    hop::verb(verb);
    let id = |name: &str| record.attributes.get(name).map(String::as_str);
    let transaction_id = id("transaction_id").and_then(|id| TransactionId::parse(id).ok());
    hop::ids(transaction_id.as_ref(), id("message_id").and_then(|id| MessageId::parse(id).ok()).as_ref());
    let bap = SubscriberId::parse(record.attribute("target")?)
        .map_err(|_| RecordFailure::Malformed("message attribute target is malformed".to_owned()))?;
    hop::peer(&bap);
    let carried = Carried::from_record(deps, &record, verb).await?;
    let attempt = match deps.registry.peer(&bap, SubscriberType::Bap).await {
        Ok(Some(peer)) => carried.to(deps, &peer).await,
        Ok(None) => Attempt::Failed("the subscriber has no live row in the registry".to_owned()),
        Err(error) => Attempt::Failed(error.to_string()),
    };
    match attempt {
        Attempt::Delivered => hop::ends(Outcome::Delivered),
        Attempt::Refused(Refusal { reason, code }) => {
            warn!(peer = %bap, reason, "on_search refused by the consumer");
            if let Some(code) = code {
                hop::code(&code);
            }
            hop::ends(Outcome::Refused);
        }
        Attempt::Failed(reason) => {
            hop::ends(Outcome::Retry);
            return Err(RecordFailure::Temporary(reason));
        }
    }
    Ok(())
}

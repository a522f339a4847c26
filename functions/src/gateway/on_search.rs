//! `gateway-on-search`: takes a provider's answer to a search, to be carried to the consumer that searched.
//!
//! Invariant: the ACK promises a delivery, so an answer for somebody who is no consumer of this network, or one
//! that cannot be carried whole, is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, Request, Response, Route, Trigger};
use beckn_health_platform::hop;
use beckn_health_platform::queue::{MAX_MESSAGE, Outgoing};
use beckn_health_platform::receive::{acknowledged, nack, receive, unavailable};
use beckn_health_protocol::action::{Callback, Verb};
use beckn_health_protocol::error::Code;
use beckn_health_protocol::registry::SubscriberType;
use http::StatusCode;
use tracing::error;

use super::carry::until;
use super::relay::QUEUE;

/// Most bytes of the attributes of a queued message: the sender's header (4 KiB), three ids of 255 characters
/// (1 020 bytes each at most), a time, and the names of them.
const ATTRIBUTES: usize = 8 * 1024;
/// Largest answer that is carried, in bytes: what a queue's message holds beside its attributes. One of up to
/// 1 MiB can be sent to the consumer directly.
pub const MAX_CARRIED: usize = MAX_MESSAGE - ATTRIBUTES;

/// The gateway's receiver of `on_search`.
pub const FUNCTION: Function = Function {
    name: "gateway-on-search",
    trigger: Trigger::Http {
        route: Route::post("/gateway/on_search"),
        handler: |deps, request| Box::pin(async move { take(&deps, request).await }),
    },
    tables: &[],
    sends_to: &[QUEUE],
    prepare: None,
};

async fn take(deps: &Deps, request: Request) -> Response {
    let verb = Verb::Callback(Callback::OnSearch);
    hop::verb(verb);
    let size = request.body().len();
    if size > MAX_CARRIED {
        let why = format!(
            "the body has {size} bytes; a gateway carries at most {MAX_CARRIED}, send a larger one to the BAP directly"
        );
        return nack(StatusCode::PAYLOAD_TOO_LARGE, Code::InvalidRequest, "", why);
    }
    let verified = match receive(deps, request, verb).await {
        Ok(verified) => verified,
        Err(response) => return response,
    };
    let context = &verified.context;
    let bap = match &context.bap_id {
        None => None,
        Some(bap) => match deps.registry.peer(bap, SubscriberType::Bap).await {
            Ok(peer) => peer,
            Err(fault) => {
                error!(%fault, "on_search not taken");
                return unavailable();
            }
        },
    };
    let Some(bap) = bap else {
        let why = "expected a BAP that is registered in this network".to_owned();
        return nack(StatusCode::OK, Code::InvalidRequest, "context.bap_id", why);
    };
    let unreadable = || {
        nack(StatusCode::OK, Code::InvalidRequest, "", "the body holds characters that cannot be carried".to_owned())
    };
    let Ok(body) = String::from_utf8(verified.raw.to_vec()) else { return unreadable() };
    let mut attributes = BTreeMap::from([
        ("authorization", verified.authorization.clone()),
        ("expires_at", until(&verified).to_string()),
        ("target", bap.subscriber_id.to_string()),
    ]);
    // For the log of who carries it: the message is not read again.
    attributes.extend(context.transaction_id.as_ref().map(|id| ("transaction_id", id.to_string())));
    attributes.extend(context.message_id.as_ref().map(|id| ("message_id", id.to_string())));
    // One consumer that is down, or that is answered by thousands, holds up no other.
    let group = bap.subscriber_id.to_string();
    match deps.queues.send(QUEUE, Outgoing { body, attributes, group, delay: Duration::ZERO }).await {
        Ok(()) => acknowledged(),
        Err(fault) if fault.message_at_fault => unreadable(),
        Err(fault) => {
            error!(%fault, "on_search not acknowledged");
            unavailable()
        }
    }
}

//! `gateway-search`: takes a consumer's search, to be carried to every provider of the place.
//!
//! Invariant: the ACK promises answers, so a search for a place without providers is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, Request, Response, Route, Trigger};
use beckn_health_platform::queue::Outgoing;
use beckn_health_platform::receive::{acknowledged, nack, receive, unavailable};
use beckn_health_protocol::action::{Action, Verb};
use beckn_health_protocol::error::Code;
use http::StatusCode;
use tracing::error;

use super::broadcast::QUEUE;
use super::carry::until;
use super::place::providers;

/// The gateway's receiver of `search`.
pub const FUNCTION: Function = Function {
    name: "gateway-search",
    trigger: Trigger::Http {
        route: Route::post("/gateway/search"),
        handler: |deps, request| Box::pin(async move { take(&deps, request).await }),
    },
    tables: &[],
    sends_to: &[QUEUE],
    prepare: None,
};

async fn take(deps: &Deps, request: Request) -> Response {
    let verified = match receive(deps, request, Verb::Request(Action::Search)).await {
        Ok(verified) => verified,
        Err(response) => return response,
    };
    let context = &verified.context;
    match providers(deps, context).await {
        Ok(providers) if providers.is_empty() => {
            let (path, expected) = match &context.bpp_id {
                Some(_) => ("context.bpp_id", "a provider of this domain and place, or none, to ask all of them"),
                None => ("context.location", "a domain and place that a provider serves"),
            };
            return nack(StatusCode::OK, Code::ProviderNotFound, path, format!("expected {expected}"));
        }
        Ok(_) => {}
        Err(fault) => {
            error!(%fault, "search not taken");
            return unavailable();
        }
    }
    let Ok(body) = String::from_utf8(verified.raw.to_vec()) else {
        return nack(StatusCode::OK, Code::InvalidRequest, "", "the body is not UTF-8".to_owned());
    };
    let message = Outgoing {
        body,
        attributes: BTreeMap::from([
            ("authorization", verified.authorization.clone()),
            ("expires_at", until(&verified).to_string()),
        ]),
        group: verified.subscriber.to_string(),
        delay: Duration::ZERO,
    };
    match deps.queues.send(QUEUE, message).await {
        Ok(()) => acknowledged(),
        Err(fault) if fault.message_at_fault => nack(
            StatusCode::OK,
            Code::InvalidRequest,
            "",
            "the body holds characters that cannot be carried".to_owned(),
        ),
        Err(fault) => {
            error!(%fault, "search not acknowledged");
            unavailable()
        }
    }
}

//! `registry-lookup`: the rows that match any combination of subscriber id, key id, type, domain,
//! country and city (Beckn 1.1.0 `registry.yaml`, `POST /lookup`).
//!
//! Invariant: only a registered participant may look others up, so often a minute; it sees what is in force and
//! nothing else, found by a key or an index.

use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, Request, Response, Route, Trigger};
use beckn_health_platform::hop::Outcome;
use beckn_health_platform::receive::{authenticate_only, ending, json, nack, refuse, unavailable};
use beckn_health_platform::registry::Registry as _;
use beckn_health_platform::store::limits::Limited;
use beckn_health_platform::store::participants::Participants;
use beckn_health_platform::store::table;
use beckn_health_protocol::error::Code;
use beckn_health_protocol::registry::{LookupRequest, Subscription};
use http::StatusCode;
use tracing::error;

use super::limit::within_limit;

/// The registry's lookup.
pub const FUNCTION: Function = Function {
    name: "registry-lookup",
    trigger: Trigger::Http {
        route: Route::post("/registry/lookup"),
        handler: |deps, request| Box::pin(async move { lookup(&deps, request).await }),
    },
    tables: &[table::PARTICIPANTS, table::LIMITS],
    sends_to: &[],
    prepare: None,
};

async fn lookup(deps: &Deps, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let caller = match authenticate_only(deps, &parts.headers, &body).await {
        Ok(caller) => caller,
        Err(response) => return response,
    };
    if let Err(response) = within_limit(deps, Limited::Lookup, &caller).await {
        return response;
    }
    let wanted = match LookupRequest::parse(&body) {
        Ok(wanted) => wanted,
        Err(fault) => return refuse(StatusCode::BAD_REQUEST, fault),
    };
    if wanted == LookupRequest::default() {
        let message = "expected at least one of subscriber_id, key_id, type, domain, country and city".to_owned();
        return nack(StatusCode::BAD_REQUEST, Code::InvalidRequest, "", message);
    }
    match Participants::new(deps.tables.clone()).lookup(&wanted).await {
        Ok(rows) => {
            let now = deps.clock.now();
            let rows: Vec<Subscription> = rows.into_iter().filter(|row| row.is_in_force(now)).collect();
            ending(Outcome::Answered, json(StatusCode::OK, &rows))
        }
        Err(fault) => {
            error!(peer = %caller, %fault, "not looked up");
            unavailable()
        }
    }
}

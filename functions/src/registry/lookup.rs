//! `registry-lookup`: the rows that match any combination of subscriber id, key id, type, domain,
//! country and city (Beckn 1.1.0 `registry.yaml`, `POST /lookup`).
//!
//! Invariant: only a registered participant may look others up, and only by criteria that an index
//! serves: a subscriber id, or a type.

use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, Request, Response, Route, Trigger};
use beckn_health_platform::receive::{authenticate_only, json, nack, unavailable};
use beckn_health_platform::registry::Registry as _;
use beckn_health_platform::store::participants::Participants;
use beckn_health_platform::store::table;
use beckn_health_protocol::error::Code;
use beckn_health_protocol::registry::LookupRequest;
use http::StatusCode;
use tracing::{error, info};

/// The registry's lookup.
pub const FUNCTION: Function = Function {
    name: "registry-lookup",
    trigger: Trigger::Http {
        route: Route::post("/registry/lookup"),
        handler: |deps, request| Box::pin(async move { lookup(&deps, request).await }),
    },
    tables: &[table::PARTICIPANTS],
    sends_to: &[],
    prepare: None,
};

async fn lookup(deps: &Deps, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let caller = match authenticate_only(deps, &parts.headers, &body).await {
        Ok(caller) => caller,
        Err(response) => return response,
    };
    let wanted = match LookupRequest::parse(&body) {
        Ok(wanted) => wanted,
        Err(fault) => return nack(StatusCode::BAD_REQUEST, fault.code, &fault.path, fault.message),
    };
    if wanted.subscriber_id.is_none() && wanted.r#type.is_none() {
        let message = "expected at least subscriber_id or type".to_owned();
        return nack(StatusCode::BAD_REQUEST, Code::InvalidRequest, "subscriber_id", message);
    }
    match Participants::new(deps.tables.clone()).lookup(&wanted).await {
        Ok(rows) => {
            info!(peer = %caller, rows = rows.len(), "looked up");
            json(StatusCode::OK, &rows)
        }
        Err(fault) => {
            error!(peer = %caller, %fault, "not looked up");
            unavailable()
        }
    }
}

//! `bap-track`: the app's `POST /client/track`, sent on as a signed `track`.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;

use super::send::send;

/// The sender of `track` at a BAP.
pub const FUNCTION: Function = Function {
    name: "bap-track",
    trigger: Trigger::Http {
        route: Route::post("/client/track"),
        handler: |deps, request| Box::pin(async move { send(&deps, request, Action::Track).await }),
    },
    tables: &[table::TRANSACTIONS],
    sends_to: &[],
    prepare: None,
};

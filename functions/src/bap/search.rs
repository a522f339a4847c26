//! `bap-search`: the app's `POST /client/search`, sent on as a signed `search`.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;

use super::send::send;

/// The sender of `search` at a BAP.
pub const FUNCTION: Function = Function {
    name: "bap-search",
    trigger: Trigger::Http {
        route: Route::post("/client/search"),
        handler: |deps, request| Box::pin(async move { send(&deps, request, Action::Search).await }),
    },
    tables: &[table::TRANSACTIONS],
    sends_to: &[],
    prepare: None,
};

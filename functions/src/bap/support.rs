//! `bap-support`: the app's `POST /client/support`, sent on as a signed `support`.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;

use super::send::send;

/// The sender of `support` at a BAP.
pub const FUNCTION: Function = Function {
    name: "bap-support",
    trigger: Trigger::Http {
        route: Route::post("/client/support"),
        handler: |deps, request| Box::pin(async move { send(&deps, request, Action::Support).await }),
    },
    tables: &[table::TRANSACTIONS],
    sends_to: &[],
    prepare: None,
};

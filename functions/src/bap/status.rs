//! `bap-status`: the app's `POST /client/status`, sent on as a signed `status`.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;

use super::send::send;

/// The sender of `status` at a BAP.
pub const FUNCTION: Function = Function {
    name: "bap-status",
    trigger: Trigger::Http {
        route: Route::post("/client/status"),
        handler: |deps, request| Box::pin(async move { send(&deps, request, Action::Status).await }),
    },
    tables: &[table::TRANSACTIONS],
    sends_to: &[],
    prepare: None,
};

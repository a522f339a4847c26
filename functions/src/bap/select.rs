//! `bap-select`: the app's `POST /client/select`, sent on as a signed `select`.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;

use super::send::send;

/// The sender of `select` at a BAP.
pub const FUNCTION: Function = Function {
    name: "bap-select",
    trigger: Trigger::Http {
        route: Route::post("/client/select"),
        handler: |deps, request| Box::pin(async move { send(&deps, request, Action::Select).await }),
    },
    tables: &[table::TRANSACTIONS],
    sends_to: &[],
    prepare: None,
};

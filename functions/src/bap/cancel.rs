//! `bap-cancel`: the app's `POST /client/cancel`, sent on as a signed `cancel`.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;

use super::send::send;

/// The sender of `cancel` at a BAP.
pub const FUNCTION: Function = Function {
    name: "bap-cancel",
    trigger: Trigger::Http {
        route: Route::post("/client/cancel"),
        handler: |deps, request| Box::pin(async move { send(&deps, request, Action::Cancel).await }),
    },
    tables: &[table::TRANSACTIONS],
    sends_to: &[],
    prepare: None,
};

//! `bap-confirm`: the app's `POST /client/confirm`, sent on as a signed `confirm`.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;

use super::send::send;

/// The sender of `confirm` at a BAP.
pub const FUNCTION: Function = Function {
    name: "bap-confirm",
    trigger: Trigger::Http {
        route: Route::post("/client/confirm"),
        handler: |deps, request| Box::pin(async move { send(&deps, request, Action::Confirm).await }),
    },
    tables: &[table::TRANSACTIONS],
    sends_to: &[],
    prepare: None,
};

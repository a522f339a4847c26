//! `bap-update`: the app's `POST /client/update`, sent on as a signed `update`.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;

use super::send::send;

/// The sender of `update` at a BAP.
pub const FUNCTION: Function = Function {
    name: "bap-update",
    trigger: Trigger::Http {
        route: Route::post("/client/update"),
        handler: |deps, request| Box::pin(async move { send(&deps, request, Action::Update).await }),
    },
    tables: &[table::TRANSACTIONS],
    sends_to: &[],
    prepare: None,
};

//! `bap-init`: the app's `POST /client/init`, sent on as a signed `init`.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;

use super::send::send;

/// The sender of `init` at a BAP.
pub const FUNCTION: Function = Function {
    name: "bap-init",
    trigger: Trigger::Http {
        route: Route::post("/client/init"),
        handler: |deps, request| Box::pin(async move { send(&deps, request, Action::Init).await }),
    },
    tables: &[table::TRANSACTIONS],
    sends_to: &[],
    prepare: None,
};

//! `bap-on-support`: a provider's answer to `support`. Verifies, records once, acknowledges.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Callback;

use super::callback::record;

/// The receiver of `on_support` at a BAP.
pub const FUNCTION: Function = Function {
    name: "bap-on-support",
    trigger: Trigger::Http {
        route: Route::post("/bap/on_support"),
        handler: |deps, request| Box::pin(async move { record(&deps, request, Callback::OnSupport).await }),
    },
    tables: &[table::TRANSACTIONS],
    sends_to: &[],
    prepare: None,
};

//! `bap-on-confirm`: a provider's answer to `confirm`. Verifies, records once, acknowledges.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Callback;

use super::callback::record;

/// The receiver of `on_confirm` at a BAP.
pub const FUNCTION: Function = Function {
    name: "bap-on-confirm",
    trigger: Trigger::Http {
        route: Route::post("/bap/on_confirm"),
        handler: |deps, request| Box::pin(async move { record(&deps, request, Callback::OnConfirm).await }),
    },
    tables: &[table::TRANSACTIONS],
    sends_to: &[],
    prepare: None,
};

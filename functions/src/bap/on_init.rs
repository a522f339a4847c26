//! `bap-on-init`: a provider's answer to `init`. Verifies, records once, acknowledges.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Callback;

use super::callback::record;

/// The receiver of `on_init` at a BAP.
pub const FUNCTION: Function = Function {
    name: "bap-on-init",
    trigger: Trigger::Http {
        route: Route::post("/bap/on_init"),
        handler: |deps, request| Box::pin(async move { record(&deps, request, Callback::OnInit).await }),
    },
    tables: &[table::TRANSACTIONS],
    sends_to: &[],
    prepare: None,
};

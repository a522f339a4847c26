//! `bpp-select`: a consumer chose a service and asks for its quote. Verifies, enqueues, acknowledges.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::respond::receive_and_enqueue;
use beckn_health_protocol::action::Action;

use super::on_select;

/// The receiver of `select` at a BPP.
pub const FUNCTION: Function = Function {
    name: "bpp-select",
    trigger: Trigger::Http {
        route: Route::post("/bpp/select"),
        handler: |deps, request| {
            Box::pin(async move { receive_and_enqueue(&deps, request, Action::Select, on_select::QUEUE).await })
        },
    },
    tables: &[],
    sends_to: &[on_select::QUEUE],
    prepare: None,
};

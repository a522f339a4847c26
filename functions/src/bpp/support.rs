//! `bpp-support`: a consumer asks for help. Verifies, enqueues, acknowledges.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::respond::receive_and_enqueue;
use beckn_health_protocol::action::Action;

use super::on_support;

/// The receiver of `support` at a BPP.
pub const FUNCTION: Function = Function {
    name: "bpp-support",
    trigger: Trigger::Http {
        route: Route::post("/bpp/support"),
        handler: |deps, request| {
            Box::pin(async move { receive_and_enqueue(&deps, request, Action::Support, on_support::QUEUE).await })
        },
    },
    tables: &[],
    sends_to: &[on_support::QUEUE],
    prepare: None,
};

//! `bpp-status`: a consumer asks how an order stands. Verifies, enqueues, acknowledges.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::respond::receive_and_enqueue;
use beckn_health_protocol::action::Action;

use super::on_status;

/// The receiver of `status` at a BPP.
pub const FUNCTION: Function = Function {
    name: "bpp-status",
    trigger: Trigger::Http {
        route: Route::post("/bpp/status"),
        handler: |deps, request| {
            Box::pin(async move { receive_and_enqueue(&deps, request, Action::Status, on_status::QUEUE).await })
        },
    },
    tables: &[],
    sends_to: &[on_status::QUEUE],
    prepare: None,
};

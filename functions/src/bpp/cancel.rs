//! `bpp-cancel`: a consumer calls an order off. Verifies, enqueues, acknowledges.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::respond::receive_and_enqueue;
use beckn_health_protocol::action::Action;

use super::on_cancel;

/// The receiver of `cancel` at a BPP.
pub const FUNCTION: Function = Function {
    name: "bpp-cancel",
    trigger: Trigger::Http {
        route: Route::post("/bpp/cancel"),
        handler: |deps, request| {
            Box::pin(async move { receive_and_enqueue(&deps, request, Action::Cancel, on_cancel::QUEUE).await })
        },
    },
    tables: &[],
    sends_to: &[on_cancel::QUEUE],
    prepare: None,
};

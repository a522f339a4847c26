//! `bpp-confirm`: a consumer agrees to the terms. Verifies, enqueues, acknowledges.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::respond::receive_and_enqueue;
use beckn_health_protocol::action::Action;

use super::on_confirm;

/// The receiver of `confirm` at a BPP.
pub const FUNCTION: Function = Function {
    name: "bpp-confirm",
    trigger: Trigger::Http {
        route: Route::post("/bpp/confirm"),
        handler: |deps, request| {
            Box::pin(async move { receive_and_enqueue(&deps, request, Action::Confirm, on_confirm::QUEUE).await })
        },
    },
    tables: &[],
    sends_to: &[on_confirm::QUEUE],
    prepare: None,
};

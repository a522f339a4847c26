//! `bpp-update`: a consumer corrects details of an order. Verifies, enqueues, acknowledges.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::respond::receive_and_enqueue;
use beckn_health_protocol::action::Action;

use super::on_update;

/// The receiver of `update` at a BPP.
pub const FUNCTION: Function = Function {
    name: "bpp-update",
    trigger: Trigger::Http {
        route: Route::post("/bpp/update"),
        handler: |deps, request| {
            Box::pin(async move { receive_and_enqueue(&deps, request, Action::Update, on_update::QUEUE).await })
        },
    },
    tables: &[],
    sends_to: &[on_update::QUEUE],
    prepare: None,
};

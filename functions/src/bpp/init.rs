//! `bpp-init`: a consumer gives billing and patient details and asks for the final terms. Verifies, enqueues, acknowledges.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::respond::receive_and_enqueue;
use beckn_health_protocol::action::Action;

use super::on_init;

/// The receiver of `init` at a BPP.
pub const FUNCTION: Function = Function {
    name: "bpp-init",
    trigger: Trigger::Http {
        route: Route::post("/bpp/init"),
        handler: |deps, request| {
            Box::pin(async move { receive_and_enqueue(&deps, request, Action::Init, on_init::QUEUE).await })
        },
    },
    tables: &[],
    sends_to: &[on_init::QUEUE],
    prepare: None,
};

//! `bpp-track`: a consumer asks where an order can be followed. Verifies, enqueues, acknowledges.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::respond::receive_and_enqueue;
use beckn_health_protocol::action::Action;

use super::on_track;

/// The receiver of `track` at a BPP.
pub const FUNCTION: Function = Function {
    name: "bpp-track",
    trigger: Trigger::Http {
        route: Route::post("/bpp/track"),
        handler: |deps, request| {
            Box::pin(async move { receive_and_enqueue(&deps, request, Action::Track, on_track::QUEUE).await })
        },
    },
    tables: &[],
    sends_to: &[on_track::QUEUE],
    prepare: None,
};

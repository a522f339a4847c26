//! `bpp-search`: a consumer looks for services. Verifies, enqueues, acknowledges.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::respond::receive_and_enqueue;
use beckn_health_protocol::action::Action;

use super::on_search;

/// The receiver of `search` at a BPP.
pub const FUNCTION: Function = Function {
    name: "bpp-search",
    trigger: Trigger::Http {
        route: Route::post("/bpp/search"),
        handler: |deps, request| {
            Box::pin(async move { receive_and_enqueue(&deps, request, Action::Search, on_search::QUEUE).await })
        },
    },
    tables: &[],
    sends_to: &[on_search::QUEUE],
    prepare: None,
};

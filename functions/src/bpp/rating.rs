//! `bpp-rating`: a consumer rates what was delivered. Verifies, enqueues, acknowledges.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::respond::receive_and_enqueue;
use beckn_health_protocol::action::Action;

use super::on_rating;

/// The receiver of `rating` at a BPP.
pub const FUNCTION: Function = Function {
    name: "bpp-rating",
    trigger: Trigger::Http {
        route: Route::post("/bpp/rating"),
        handler: |deps, request| {
            Box::pin(async move { receive_and_enqueue(&deps, request, Action::Rating, on_rating::QUEUE).await })
        },
    },
    tables: &[],
    sends_to: &[on_rating::QUEUE],
    prepare: None,
};

//! `bap-on-rating`: a provider's answer to `rating`. Verifies, records once, acknowledges.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Callback;

use super::callback::record;

/// The receiver of `on_rating` at a BAP.
pub const FUNCTION: Function = Function {
    name: "bap-on-rating",
    trigger: Trigger::Http {
        route: Route::post("/bap/on_rating"),
        handler: |deps, request| Box::pin(async move { record(&deps, request, Callback::OnRating).await }),
    },
    tables: &[table::TRANSACTIONS],
    sends_to: &[],
    prepare: None,
};

//! `bap-rating`: the app's `POST /client/rating`, sent on as a signed `rating`.

use beckn_health_platform::function::{Function, Route, Trigger};
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;

use super::send::send;

/// The sender of `rating` at a BAP.
pub const FUNCTION: Function = Function {
    name: "bap-rating",
    trigger: Trigger::Http {
        route: Route::post("/client/rating"),
        handler: |deps, request| Box::pin(async move { send(&deps, request, Action::Rating).await }),
    },
    tables: &[table::TRANSACTIONS],
    sends_to: &[],
    prepare: None,
};

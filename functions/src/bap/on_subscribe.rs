//! `bap-on-subscribe`: the registry challenges a key of the consumer app's platform, or tells it where it stands.

use beckn_health_platform::function::{Function, Route, Trigger};

use crate::on_subscribe::answer;

/// The receiver of `on_subscribe`.
pub const FUNCTION: Function = Function {
    name: "bap-on-subscribe",
    trigger: Trigger::Http {
        route: Route::post("/bap/on_subscribe"),
        handler: |deps, request| Box::pin(async move { answer(&deps, request).await }),
    },
    tables: &[],
    sends_to: &[],
    prepare: None,
};

//! `bpp-dispatch`: delivers again what could not be delivered at once.

use beckn_health_platform::deliver::{CALLBACKS, CALLBACKS_MAX_RECEIVE, Reply};
use beckn_health_platform::function::{Function, Trigger};
use beckn_health_platform::store::table;

/// The retrier of callbacks.
pub const FUNCTION: Function = Function {
    name: "bpp-dispatch",
    trigger: Trigger::Queue {
        queue: CALLBACKS,
        timeout_seconds: 30,
        max_receive_count: CALLBACKS_MAX_RECEIVE,
        handler: |deps, record| Box::pin(async move { Reply::retry(&deps, &record).await }),
    },
    tables: &[table::REPLIES],
    sends_to: &[],
    prepare: None,
};

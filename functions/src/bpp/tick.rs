//! `bpp-tick`: deletes the holds that have lapsed, every minute.
//!
//! DynamoDB's own deletion comes up to two days late. Nothing waits for either: every read and every write
//! looks at `expires_at` itself. The deletion only tells `bpp-expire`, through the table's stream, that
//! something has lapsed.
//!
//! Invariant: a hold is deleted under the condition that it has lapsed, so a slot that was confirmed
//! or held anew in the same second stays.

use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, ScheduleFailure, Trigger};
use beckn_health_platform::store::slots::Slots;
use beckn_health_platform::store::{StoreError, table};
use tracing::info;

/// The minute hand.
pub const FUNCTION: Function = Function {
    name: "bpp-tick",
    trigger: Trigger::Schedule {
        every_minutes: 1,
        handler: |deps| Box::pin(async move { sweep(&deps).await.map_err(|fault| ScheduleFailure(fault.to_string())) }),
    },
    tables: &[table::SLOTS],
    sends_to: &[],
    prepare: None,
};

async fn sweep(deps: &Deps) -> Result<(), StoreError> {
    let now = deps.clock.now();
    let slots = Slots::new(deps.tables.clone());
    let mut released = 0;
    for (pk, sk) in slots.due(now).await? {
        if slots.remove_lapsed(&pk, &sk, now).await? {
            released += 1;
        }
    }
    if released > 0 {
        info!(released, "lapsed holds released");
    }
    Ok(())
}

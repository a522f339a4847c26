//! The provider's platform (BPP; HSPA in UHI).
//!
//! For each action a receiver (`select`) that verifies and acknowledges, and a responder
//! (`on_select`) that decides, records and answers. `dispatch` retries callbacks, `index` rebuilds the
//! search snapshot, `tick` finds what has lapsed and `expire` draws the consequences.

pub mod cancel;
mod choice;
pub mod confirm;
pub mod dispatch;
pub mod expire;
pub mod index;
pub mod init;
pub mod on_cancel;
pub mod on_confirm;
pub mod on_init;
pub mod on_rating;
pub mod on_search;
pub mod on_select;
pub mod on_status;
pub mod on_subscribe;
pub mod on_support;
pub mod on_track;
pub mod on_update;
mod order_id;
mod outcome;
pub mod rating;
pub mod search;
pub mod select;
mod snapshots;
pub mod status;
pub mod support;
pub mod tick;
pub mod track;
pub mod update;

use beckn_health_platform::function::Function;

/// Every function of the role.
pub const FUNCTIONS: &[Function] = &[
    search::FUNCTION,
    select::FUNCTION,
    init::FUNCTION,
    confirm::FUNCTION,
    status::FUNCTION,
    track::FUNCTION,
    cancel::FUNCTION,
    update::FUNCTION,
    rating::FUNCTION,
    support::FUNCTION,
    on_search::FUNCTION,
    on_select::FUNCTION,
    on_init::FUNCTION,
    on_confirm::FUNCTION,
    on_status::FUNCTION,
    on_track::FUNCTION,
    on_cancel::FUNCTION,
    on_update::FUNCTION,
    on_rating::FUNCTION,
    on_support::FUNCTION,
    on_subscribe::FUNCTION,
    dispatch::FUNCTION,
    index::FUNCTION,
    tick::FUNCTION,
    expire::FUNCTION,
];

//! The consumer app's platform (BAP; EUA in UHI).
//!
//! For each action a sender behind the app's own API (`select`), and a receiver of its callback
//! (`on_select`). `transaction` shows the app what was exchanged.

pub mod cancel;
pub mod confirm;
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
pub mod rating;
pub mod search;
pub mod select;
pub mod status;
pub mod support;
pub mod track;
pub mod transaction;
pub mod update;

mod callback;
mod send;

use beckn_health_platform::function::Function;

/// What an app is told of a transaction that does not exist, or that is somebody else's.
const UNKNOWN_TRANSACTION: &str = "no transaction of yours has this id";

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
    transaction::FUNCTION,
];

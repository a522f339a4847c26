//! The gateway: takes a search once and carries it to every provider of the place, and carries answers back.

pub mod broadcast;
mod carry;
mod lanes;
pub mod on_search;
pub mod on_subscribe;
mod place;
pub mod relay;
pub mod search;

use beckn_health_platform::function::Function;

/// Every function of the role.
pub const FUNCTIONS: &[Function] =
    &[search::FUNCTION, broadcast::FUNCTION, on_search::FUNCTION, relay::FUNCTION, on_subscribe::FUNCTION];

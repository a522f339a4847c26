//! The gateway: takes a search once and carries it to every provider of the place.

pub mod broadcast;
mod place;
pub mod search;

use beckn_health_platform::function::Function;

/// Every function of the role.
pub const FUNCTIONS: &[Function] = &[search::FUNCTION, broadcast::FUNCTION];

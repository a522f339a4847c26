//! The registry: who takes part in the network, where, and with which keys.

pub mod keys;
mod limit;
pub mod lookup;
pub mod subscribe;
pub mod verify;

use beckn_health_platform::function::Function;

/// Every function of the role.
pub const FUNCTIONS: &[Function] = &[lookup::FUNCTION, subscribe::FUNCTION, keys::FUNCTION, verify::FUNCTION];

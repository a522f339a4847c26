//! The registry: who takes part in the network, where, and with which keys.

pub mod lookup;

use beckn_health_platform::function::Function;

/// Every function of the role.
pub const FUNCTIONS: &[Function] = &[lookup::FUNCTION];

//! The handlers of every Lambda function, one file for each.
//!
//! Invariant: each function is described by the `FUNCTION` constant of its file, and by nothing
//! else; [`all`] lists them. The binaries under `src/bin` only name their constant.

pub mod bap;
pub mod bpp;
pub mod gateway;
mod on_subscribe;
pub mod registry;
pub mod translate;

use beckn_health_platform::function::Function;

/// Every function of every role.
pub fn all() -> impl Iterator<Item = Function> {
    [bpp::FUNCTIONS, bap::FUNCTIONS, gateway::FUNCTIONS, registry::FUNCTIONS].into_iter().flatten().copied()
}

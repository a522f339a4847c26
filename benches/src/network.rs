//! The local network that is measured.
//!
//! Invariant: every part measures the same network, on a free port, at the time of day, reading what its peers send as
//! leniently as it does by default.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use beckn_health::failure::Failure;
use beckn_health::network::{Config, Network};
use beckn_health_domain::catalogue::Catalogue;
use beckn_health_platform::clock::SystemClock;
use beckn_health_protocol::dialect::Reading;

/// Starts a network with this catalogue, in memory or with a data folder.
///
/// # Errors
/// It does not start.
pub async fn start(data: Option<&Path>, catalogue: Catalogue) -> Result<Network, Failure> {
    let config = Config {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        data: data.map(Path::to_path_buf),
        catalogue: Some(catalogue),
        clock: Arc::new(SystemClock),
        reading: Reading::Compat,
        callers: None,
    };
    Ok(Network::start(config).await?)
}

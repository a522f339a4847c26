//! The operator's commands against a local network that answers as AWS does.
//!
//! Invariant: what a test does to the network it does as an operator or a participant would; only the clock is
//! moved, and queues are looked at, behind its back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod binary;
mod catalogue;
mod dead_letters;
mod endpoint;
mod environment;
mod membership;
mod peer;
mod registry;
mod trace;
mod verify_header;

use std::sync::Arc;
use std::time::Duration;

use beckn_health::network::{Config, DEPLOYMENT, Network, aws};
use beckn_health::operator::Deployment;
use beckn_health::sample::sample_catalogue;
use beckn_health_platform::clock::{Clock, SystemClock};
use beckn_health_protocol::dialect::Reading;

/// How long a test waits for something that must happen before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A network with a port for AWS clients.
struct Local {
    network: Network,
    deployment: Deployment,
    /// The value of `AWS_ENDPOINT_URL`.
    aws: String,
}

impl Local {
    /// In memory, on the machine's clock.
    async fn start() -> Self {
        Self::with(Arc::new(SystemClock)).await
    }

    async fn with(clock: Arc<dyn Clock>) -> Self {
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            data: None,
            catalogue: Some(sample_catalogue(3, 1).unwrap()),
            clock,
            reading: Reading::Compat,
            callers: None,
        };
        let mut network = within("the network to start", Network::start(config)).await.unwrap();
        let port = aws::Port::take(0).await.unwrap();
        let aws = port.url();
        network.serve_aws(port);
        let deployment = Deployment::at(DEPLOYMENT.parse().unwrap(), &aws).await;
        Self { network, deployment, aws }
    }
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

fn now() -> jiff::Timestamp {
    SystemClock.now()
}

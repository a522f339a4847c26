//! `beckn-health up`: the network until Ctrl-C.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use beckn_health_platform::clock::SystemClock;
use beckn_health_protocol::dialect::Reading;
use clap::Args;

use super::{log_to_stderr, read_catalogue, say, shipped_catalogue};
use crate::failure::Failure;
use crate::network::callers::Callers;
use crate::network::{Config, Network, aws};

/// Longest wait for what is still being answered when the network is stopped.
const GRACE: Duration = Duration::from_secs(10);

/// The variable that tells the tokens of the client API.
const TOKEN: &str = "BECKN_HEALTH_TOKEN";

/// Run the four roles on one port.
#[derive(Args)]
pub struct Up {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Address to listen on; think before you open it to others
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Folder that keeps keys, orders and messages across restarts; in memory when absent
    #[arg(long)]
    data: Option<PathBuf>,
    /// Also answer as DynamoDB, SQS and Secrets Manager on this port of 127.0.0.1, for `cargo lambda` and the
    /// operator's commands; 0 takes a free one. Whoever may use this machine can then read the network's keys
    /// and messages through it
    #[arg(long)]
    aws_port: Option<u16>,
    /// What the provider offers; the sample city when absent (with --data: what was loaded before)
    #[arg(long)]
    catalogue: Option<PathBuf>,
}

impl Up {
    /// Runs the network.
    ///
    /// # Errors
    /// It did not start.
    pub async fn run(self) -> Result<(), Failure> {
        log_to_stderr("warn");
        let known = self.data.as_ref().is_some_and(|folder| folder.join("dynamodb.sqlite").exists());
        let catalogue = match &self.catalogue {
            Some(path) => Some(read_catalogue(path)?),
            None if known => None,
            None => Some(shipped_catalogue()?),
        };
        let aws = match self.aws_port {
            Some(port) => Some(aws::Port::take(port).await?),
            None => None,
        };
        let callers = match std::env::var(TOKEN).ok().filter(|tokens| !tokens.is_empty()) {
            Some(tokens) => Some(Callers::parse(&tokens).map_err(|problem| Failure(format!("{TOKEN}: {problem}")))?),
            None => None,
        };
        let is_told = callers.is_some();
        let mut network = Network::start(Config {
            listen: SocketAddr::new(self.host, self.port),
            data: self.data,
            catalogue,
            clock: Arc::new(SystemClock),
            reading: Reading::Compat,
            callers,
        })
        .await?;
        if let Some(port) = aws {
            say(&format!("aws {}", port.url()));
            network.serve_aws(port);
        }
        // Who told it knows it.
        if !is_told {
            say(&format!("token {}", network.token()));
        }
        say(&format!("ready {}", network.base_url()));
        stopped().await;
        eprintln!("stopping");
        if tokio::time::timeout(GRACE, network.stop()).await.is_err() {
            eprintln!("some connections did not end by themselves; nothing that was acknowledged is lost");
        }
        Ok(())
    }
}

/// Ctrl-C, or the signal a supervisor sends.
async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

//! `beckn-health trace`: what happened in a transaction.

use clap::Args;
use serde_json::json;

use super::client::Client;
use super::{Failure, say, say_json, timeline};

/// Print the timeline of a transaction.
#[derive(Args)]
pub struct Trace {
    /// The transaction's id
    transaction_id: String,
    /// Base URL of the network whose BAP knows the transaction
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Print JSON, with every message as it was signed
    #[arg(long)]
    json: bool,
}

impl Trace {
    /// Runs the command.
    ///
    /// # Errors
    /// The network cannot be reached, or does not know the transaction.
    pub async fn run(self) -> Result<(), Failure> {
        let transaction = Client::new(&self.url)?.transaction(&self.transaction_id, "").await?;
        let steps = timeline::steps(&transaction);
        if self.json {
            say_json(&json!({ "timeline": timeline::to_json(&steps), "transaction": transaction }));
        } else {
            for line in timeline::lines(&steps) {
                say(&line);
            }
        }
        Ok(())
    }
}

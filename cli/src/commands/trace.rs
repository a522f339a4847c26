//! `beckn-health trace`: what happened in a transaction.

use beckn_health_protocol::ids::TransactionId;
use clap::Args;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::client::Client;
use super::length_of_time::length_of_time;
use super::paint::Paint;
use super::{now, say, say_json, timeline};
use crate::failure::Failure;
use crate::operator::hops::{self, Hop};
use crate::operator::{Deployment, DeploymentName};

/// Print the timeline of a transaction.
#[derive(Args)]
pub struct Trace {
    /// The transaction's id
    transaction_id: TransactionId,
    /// Base URL of the network whose BAP knows the transaction; http://127.0.0.1:8080 when absent
    #[arg(long, conflicts_with = "deployment")]
    url: Option<String>,
    /// Token for the BAP's client API, if it wants one
    #[arg(long, env = "BECKN_HEALTH_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Read instead what the functions of this deployment logged (CloudWatch Logs)
    #[arg(long)]
    deployment: Option<DeploymentName>,
    /// How far back to read the log, such as 30m, 24h or 7d
    #[arg(long, default_value = "24h", value_parser = length_of_time, requires = "deployment")]
    since: SignedDuration,
    /// Print JSON; by --url with every message as it was signed
    #[arg(long)]
    json: bool,
}

impl Trace {
    /// Runs the command.
    ///
    /// # Errors
    /// The network or the log cannot be reached, or knows nothing of the transaction.
    pub async fn run(self) -> Result<(), Failure> {
        if let Some(name) = self.deployment {
            let deployment = Deployment::from_env(name).await?;
            let since = now().checked_sub(self.since)?;
            let hops = hops::of_transaction(&deployment, self.transaction_id.as_str(), since).await?;
            if hops.is_empty() {
                return Err(Failure(format!(
                    "no function of {} has logged anything of {} since {since}; look further back with --since, or in \
                     another deployment (what was logged appears after some seconds)",
                    deployment.name(),
                    self.transaction_id
                )));
            }
            if self.json {
                say_json(&json!({ "hops": hops.iter().map(Hop::to_json).collect::<Vec<Value>>() }));
            } else {
                hop_lines(&hops, &Paint::of_stdout()).iter().for_each(|line| say(line));
            }
            return Ok(());
        }
        let url = self.url.as_deref().unwrap_or("http://127.0.0.1:8080");
        let client = Client::with_token(url, self.token)?;
        let transaction = client.transaction(self.transaction_id.as_str(), "").await?;
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

/// The hops as lines: when, where, what, with whom, how it ended.
pub fn hop_lines(hops: &[Hop], paint: &Paint) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let width = |cell: fn(&Hop) -> usize| hops.iter().map(cell).max().unwrap_or_default();
    let functions = width(|hop| hop.function.len());
    let actions = width(|hop| hop.action.as_ref().map_or(1, String::len));
    let peers = width(|hop| hop.peer.as_ref().map_or(1, String::len));
    let outcomes = width(|hop| hop.outcome.len());
    let traced = |hop: &Hop| {
        let duration = hop.duration_ms.map_or_else(String::new, |duration| format!("{duration:.1} ms"));
        let outcome = format!("{:<outcomes$}", hop.outcome);
        let failed = ["nack", "refused", "failed", "retry", "rejected"].iter().any(|bad| hop.outcome.starts_with(bad));
        format!(
            "{} {} {:<actions$} {:<peers$} {} {duration:>11}  {}",
            paint.faint(&hop.at.strftime("%Y-%m-%d %H:%M:%S.%3fZ").to_string()),
            paint.bold(&format!("{:<functions$}", hop.function)),
            text(&hop.action),
            text(&hop.peer),
            if failed { paint.bad(&outcome) } else { paint.good(&outcome) },
            paint.faint(&text(&hop.trace_id)),
        )
    };
    hops.iter().map(|hop| traced(hop).trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_stand_in_columns() {
        let hop = |function: &str, outcome: &str, duration_ms: Option<f64>| Hop {
            at: jiff::Timestamp::UNIX_EPOCH,
            function: function.to_owned(),
            message_id: None,
            action: Some("select".to_owned()),
            peer: None,
            outcome: outcome.to_owned(),
            duration_ms,
            trace_id: Some("1-5759e988".to_owned()),
        };
        let lines = hop_lines(
            &[hop("bpp-select", "ack", Some(3.25)), hop("bpp-on-select", "nack 30000", None)],
            &Paint::none(),
        );
        assert_eq!(
            lines,
            [
                "1970-01-01 00:00:00.000Z bpp-select    select - ack             3.2 ms  1-5759e988",
                "1970-01-01 00:00:00.000Z bpp-on-select select - nack 30000              1-5759e988",
            ]
        );
    }
}

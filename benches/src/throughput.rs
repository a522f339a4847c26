//! How many signed searches the local network acknowledges, and how fast.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use beckn_health::commands::shipped_catalogue;
use beckn_health::failure::Failure;
use serde_json::{Value, json};

use crate::consumer::{Consumer, search_message};
use crate::figures::Figures;
use crate::load::{self, Outcome};
use crate::network;
use crate::report::{Budget, Limit, Section, short};

/// Bytes of a search.
const SIZE: usize = 2_048;
/// Different messages of a run, sent again and again.
const MESSAGES: usize = 1_000;
/// How long a run goes before it is counted.
const WARM_UP: Duration = Duration::from_secs(1);
/// The number of connections that the budgets are about.
const BUDGET_CONNECTIONS: usize = 16;

/// Runs in memory and with a data folder, which is made below `folder`, for each number of connections.
///
/// # Errors
/// A network does not start, or closes a connection.
pub fn measure(connections: &[usize], seconds: u64, folder: &Path) -> Result<Section, Failure> {
    let mut rows = Vec::new();
    let mut figures = Vec::new();
    let mut budgets = Vec::new();
    let runs = [("in memory", false, 5_000.0), ("with --data", true, 2_000.0)];
    for ((storage, durable, least), responders) in
        runs.into_iter().flat_map(|run| [Responders::AtWork, Responders::HeldBack].map(|responders| (run, responders)))
    {
        for &connections in connections {
            eprintln!("  {storage}, {}, {connections} connections", responders.name());
            let data = durable.then(|| tempfile::tempdir_in(folder)).transpose()?;
            let data = data.as_ref().map(tempfile::TempDir::path);
            let run = run(data, responders, connections, Duration::from_secs(seconds.max(1)))?;
            let per_second = run.outcome.acknowledged.len() as f64 / run.outcome.elapsed.as_secs_f64();
            let times = Figures::milliseconds(&run.outcome.acknowledged);
            let quantile = |share| times.as_ref().map_or(f64::NAN, |times| times.quantile(share));
            let answers = run.callbacks as f64 / (run.outcome.elapsed + WARM_UP).as_secs_f64();
            rows.push(vec![
                storage.to_owned(),
                responders.name().to_owned(),
                connections.to_string(),
                short(per_second),
                short(quantile(0.5)),
                short(quantile(0.99)),
                run.outcome.refused.to_string(),
                short(answers),
            ]);
            figures.push(json!({
                "storage": storage, "responders": responders.name(), "connections": connections, "body_bytes": run.body_bytes,
                "acks_per_second": per_second, "p50_ms": quantile(0.5), "p99_ms": quantile(0.99),
                "not_acknowledged": run.outcome.refused, "callbacks_per_second": answers,
            }));
            if connections == BUDGET_CONNECTIONS {
                budgets.push(Budget {
                    what: format!(
                        "{SIZE}-byte signed search → ACK, {storage}, responders {}, {connections} connections",
                        responders.name()
                    ),
                    measured: per_second,
                    limit: Limit::AtLeast(least),
                    unit: "/s",
                });
            }
        }
    }
    Ok(Section {
        title: "Throughput of the local network",
        method: format!(
            "Closed loop over kept-alive connections to `POST /bpp/search` of a fresh network in the same process, {seconds} s after \
             {} s of warm-up; {MESSAGES} different signed messages of about {SIZE} bytes in turn. The client (one thread) and the \
             responders, which search and deliver `on_search` all the while as fast as they get to it, share the processor with \
             what is measured; the last column is how many of those callbacks were delivered. *Held back*, their queue takes \
             messages and gives none, so that the acknowledging half is seen alone. `--data` is on the disk of the \
             report's folder.",
            WARM_UP.as_secs()
        ),
        columns: vec!["storage", "responders", "connections", "ACK/s", "p50 ms", "p99 ms", "not ACK", "on_search/s"],
        rows,
        figures: Value::Array(figures),
        budgets,
    })
}

/// What becomes of what was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Responders {
    /// It is answered at once.
    AtWork,
    /// It stays in its queue.
    HeldBack,
}

impl Responders {
    fn name(self) -> &'static str {
        match self {
            Responders::AtWork => "at work",
            Responders::HeldBack => "held back",
        }
    }
}

struct Run {
    outcome: Outcome,
    body_bytes: usize,
    callbacks: u64,
}

fn run(data: Option<&Path>, responders: Responders, connections: usize, duration: Duration) -> Result<Run, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let run = runtime.block_on(async {
        let network = network::start(data, shipped_catalogue()?).await?;
        let consumer = Consumer::join(&network).await?;
        let base = network.base_url();
        let address: SocketAddr = base.trim_start_matches("http://").parse()?;
        let bare = search_message(12.93, 77.61, 5, 0);
        let context = consumer.sign("search", true, &bare)?.body.len().saturating_sub(bare.to_string().len());
        let message = search_message(12.93, 77.61, 5, SIZE.saturating_sub(context));
        let signed = (0..MESSAGES).map(|_| consumer.sign("search", true, &message)).collect::<Result<Vec<_>, _>>()?;
        let body_bytes = signed.first().map_or(0, |signed| signed.body.len());
        let requests = signed
            .iter()
            .map(|signed| load::post(address, "/bpp/search", &signed.authorization, &signed.body))
            .collect();
        if responders == Responders::HeldBack {
            network.sqs().fail_next("ReceiveMessage", u32::MAX);
        }
        let loaded = tokio::task::spawn_blocking(move || load::run(address, requests, connections, WARM_UP, duration));
        let outcome = loaded.await??;
        let run = Run { outcome, body_bytes, callbacks: consumer.callbacks() };
        network.stop().await;
        Ok::<_, Failure>(run)
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    run
}

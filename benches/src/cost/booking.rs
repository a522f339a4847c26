//! A provider's functions run as Lambda runs them, and bookings led through them, one message at a time.
//!
//! Invariant: what is counted is what the functions do for a booking; the network around them does its own work
//! on other threads, with clients that nobody counts.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use beckn_health::commands::shipped_catalogue;
use beckn_health::failure::Failure;
use beckn_health::network::Network;
use beckn_health::network::aws::Port;
use beckn_health::network::identity::Role;
use beckn_health::sqs::{QUEUE_NAME_PREFIX, QueueSettings, ReceivedMessage};
use beckn_health_platform::clock::SystemClock;
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, Trigger};
use beckn_health_platform::{lambda, log};
use cpu_time::ThreadTime;
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

use super::counter::{Counter, Kind, Tally};
use crate::consumer::{Consumer, Signed, search_message};
use crate::network;

/// The steps of a booking.
pub const ACTIONS: [&str; 5] = ["search", "select", "init", "confirm", "status"];
/// Put before the queues of the functions that are counted, so that the network's own leave their messages alone.
pub const OWN_QUEUES: &str = "cost-";

/// What the bookings of a run came to.
pub struct Run {
    /// How many there were.
    pub bookings: f64,
    /// What was called, by function, operation and resource.
    pub tallies: BTreeMap<Kind, Tally>,
    /// Milliseconds of processor time of each function, in all.
    pub cpu_ms: BTreeMap<&'static str, f64>,
    /// Lines logged.
    pub log_lines: f64,
    /// Their bytes.
    pub log_bytes: f64,
    /// Bytes of the callbacks' bodies.
    pub callback_bytes: f64,
}

/// Books so many consultations, one at least, on a network of its own.
///
/// # Errors
/// A booking does not come about, or a call is made whose price is not known.
pub fn run(bookings: usize) -> Result<Run, Failure> {
    let others = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let own = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bench = others.block_on(Bench::set())?;
    let run = own.block_on(bench.run(bookings.max(1)))?;
    others.block_on(bench.network.stop());
    others.shutdown_timeout(Duration::from_secs(5));
    Ok(run)
}

/// The network with one provider's functions taken out of it.
struct Bench {
    network: Network,
    consumer: Consumer,
    counter: Counter,
    url: String,
}

impl Bench {
    async fn set() -> Result<Self, Failure> {
        let mut network = network::start(None, shipped_catalogue()?).await?;
        let port = Port::take(0).await?;
        let aws = port.url();
        network.serve_aws(port);
        for action in ACTIONS {
            let Trigger::Queue { queue, timeout_seconds, max_receive_count, .. } =
                function(&format!("bpp-on-{action}"))?.trigger
            else {
                return Err(Failure(format!("bpp-on-{action} has no queue")));
            };
            let settings = QueueSettings {
                name: format!("{OWN_QUEUES}{queue}"),
                visibility_timeout: Duration::from_secs(u64::from(timeout_seconds) * 6),
                max_receive_count,
            };
            network.sqs().create_queue(settings).await?;
        }
        let consumer = Consumer::join(&network).await?;
        let (counter, url) = Counter::start(aws, QUEUE_NAME_PREFIX.to_owned()).await?;
        Ok(Self { network, consumer, counter, url })
    }

    /// The BPP's dependencies with clients that go through the counter.
    fn deps(&self) -> Result<Arc<Deps>, Failure> {
        let bpp = self.network.role(Role::Bpp);
        let dynamodb = bpp.tables.client().config().to_builder().endpoint_url(&self.url).build();
        let sqs = aws_sdk_sqs::Config::builder()
            .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
            .region(aws_sdk_sqs::config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_sqs::config::Credentials::new("local", "local", None, None, "benches"))
            .endpoint_url(&self.url)
            .build();
        let mut settings = bpp.settings.clone();
        settings.queue_url_prefix = format!("{}/000000000000/{QUEUE_NAME_PREFIX}{OWN_QUEUES}", self.url);
        let deps = Deps::assemble(
            Arc::new(SystemClock),
            settings,
            bpp.participant.clone(),
            aws_sdk_dynamodb::Client::from_conf(dynamodb),
            aws_sdk_sqs::Client::from_conf(sqs),
        )?;
        Ok(Arc::new(deps))
    }

    async fn run(&self, bookings: usize) -> Result<Run, Failure> {
        let deps = self.deps()?;
        for action in ACTIONS {
            if let Some(prepare) = function(&format!("bpp-on-{action}"))?.prepare {
                prepare(deps.clone()).await;
            }
        }
        let mut run = Run {
            bookings: bookings as f64,
            tallies: BTreeMap::new(),
            cpu_ms: BTreeMap::new(),
            log_lines: 0.0,
            log_bytes: 0.0,
            callback_bytes: 0.0,
        };
        // The first one reads the registry and fills the caches, as the first of every function's process does.
        self.book(&deps, 0, &mut run).await?;
        (run.cpu_ms, run.callback_bytes) = (BTreeMap::new(), 0.0);
        self.counter.reset();
        // Of this thread alone, so what the network's own functions log on theirs is not counted. Only now, for an event
        // that another thread leaves first would be taken for one that nobody wants.
        let lines = Lines::default();
        let written = tracing_subscriber::registry().with(log::filter("info")).with(log::layer(lines.clone()));
        let _logging = tracing::subscriber::set_default(written);
        for turn in 1..=bookings {
            self.book(&deps, turn, &mut run).await?;
        }
        let (log_lines, log_bytes) = lines.take();
        (run.log_lines, run.log_bytes) = (log_lines as f64, log_bytes as f64);
        run.tallies = self.counter.tallies()?;
        if log_lines < 2 * ACTIONS.len() * bookings {
            return Err(Failure(format!("{log_lines} log lines of {bookings} bookings: every hop writes one")));
        }
        Ok(run)
    }

    /// Search, select, init, confirm, status, each with its callback. Each turn books with another of those found, so that
    /// nobody is booked out and searched in vain.
    async fn book(&self, deps: &Arc<Deps>, turn: usize, run: &mut Run) -> Result<(), Failure> {
        let search = self.consumer.sign("search", true, &search_message(12.93, 77.61, 10, 0))?;
        let transaction = search.message_id.clone();
        let found = self.ask(deps, "search", search, run).await?;
        let providers = found["catalog"]["providers"].as_array().map(Vec::as_slice).unwrap_or_default();
        let offers: Vec<(&Value, &Value)> = providers
            .iter()
            .flat_map(|provider| provider["items"].as_array().into_iter().flatten().map(move |item| (provider, item)))
            .collect();
        let Some((provider, item)) = offers.get(turn % offers.len().max(1)) else {
            return Err(Failure("on_search brought nobody".to_owned()));
        };
        let chosen = json!({
            "provider": { "id": provider["id"] },
            "items": [{ "id": item["id"] }],
            "fulfillments": [{ "id": item["fulfillment_ids"][0] }],
        });
        let sign = |action: &str, message: &Value| self.consumer.sign_in(&transaction, action, true, message);
        self.ask(deps, "select", sign("select", &json!({ "order": chosen }))?, run).await?;

        let mut order = chosen.clone();
        order["billing"] = json!({ "name": "Asha Verma", "phone": "+91-9000000001", "email": "asha@example.org" });
        order["fulfillments"][0]["customer"] = json!({
            "person": { "name": "Asha Verma", "age": "41", "gender": "F" }, "contact": { "phone": "+91-9000000001" },
        });
        let terms = self.ask(deps, "init", sign("init", &json!({ "order": order }))?, run).await?;

        let mut agreed = chosen;
        agreed["payments"] = json!([{ "type": "PRE-FULFILLMENT", "params": terms["order"]["payments"][0]["params"] }]);
        let confirmed = self.ask(deps, "confirm", sign("confirm", &json!({ "order": agreed }))?, run).await?;

        let asked = json!({ "order_id": confirmed["order"]["id"] });
        let standing = self.ask(deps, "status", sign("status", &asked)?, run).await?;
        if standing["order"]["status"] == "ACTIVE" {
            Ok(())
        } else {
            Err(Failure(format!("the order is {} after confirm", standing["order"]["status"])))
        }
    }

    /// Sends a message through its two functions; returns `message` of the callback.
    async fn ask(&self, deps: &Arc<Deps>, action: &str, signed: Signed, run: &mut Run) -> Result<Value, Failure> {
        let failed = |what: String| Failure(format!("{action}: {what}"));
        let heard = self.consumer.await_callback(&signed);
        let receiver = function(&format!("bpp-{action}"))?;
        let response = self.invoke(receiver, deps, request(action, &signed)?, run).await?;
        let ack: Value = serde_json::from_str(response["body"].as_str().unwrap_or_default()).unwrap_or_default();
        if ack["message"]["ack"]["status"] != "ACK" {
            return Err(failed(format!("not acknowledged: {response}")));
        }
        let responder = function(&format!("bpp-on-{action}"))?;
        let queue = format!("{OWN_QUEUES}bpp-on-{action}");
        let messages = self.network.sqs().receive(&queue, 1, Duration::from_secs(5)).await?;
        let records: Vec<Value> = messages.iter().map(record).collect();
        let response = self.invoke(responder, deps, json!({ "Records": records }), run).await?;
        if messages.len() != 1 || response["batchItemFailures"] != json!([]) {
            return Err(failed(format!("{} messages were handled so: {response}", messages.len())));
        }
        self.network.sqs().delete(&queue, messages.into_iter().map(|message| message.receipt_handle).collect()).await?;
        let (_, body) = tokio::time::timeout(Duration::from_secs(10), heard)
            .await
            .map_err(|_| failed("the callback did not come".to_owned()))??;
        run.callback_bytes += body.len() as f64;
        let answer: Value = serde_json::from_slice(&body)?;
        if answer["error"].is_object() {
            return Err(failed(format!("the callback says {}", answer["error"]["code"])));
        }
        Ok(answer["message"].clone())
    }

    async fn invoke(
        &self,
        function: Function,
        deps: &Arc<Deps>,
        event: Value,
        run: &mut Run,
    ) -> Result<Value, Failure> {
        self.counter.runs(function.name);
        let before = ThreadTime::now();
        let response = lambda::invoke(&function, deps.clone(), event).await;
        *run.cpu_ms.entry(function.name).or_default() += before.elapsed().as_secs_f64() * 1e3;
        response.map_err(|problem| Failure(format!("{}: {problem}", function.name)))
    }
}

fn function(name: &str) -> Result<Function, Failure> {
    beckn_health_functions::all()
        .find(|function| function.name == name)
        .ok_or_else(|| Failure(format!("there is no function {name}")))
}

/// A request as the HTTP API hands it on.
fn request(action: &str, signed: &Signed) -> Result<Value, Failure> {
    let path = format!("/bpp/{action}");
    Ok(json!({
        "version": "2.0",
        "routeKey": format!("POST {path}"),
        "rawPath": path,
        "rawQueryString": "",
        "headers": { "content-type": "application/json", "authorization": signed.authorization },
        "requestContext": { "http": { "method": "POST", "path": path }, "timeEpoch": 0 },
        "body": std::str::from_utf8(&signed.body)?,
        "isBase64Encoded": false,
    }))
}

/// A message as Lambda hands it on.
fn record(message: &ReceivedMessage) -> Value {
    let attributes = message.message_attributes.iter();
    let attributes: serde_json::Map<String, Value> =
        attributes.map(|(name, text)| (name.clone(), json!({ "stringValue": text, "dataType": "String" }))).collect();
    json!({
        "messageId": message.message_id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": { "ApproximateReceiveCount": message.receive_count.to_string() },
        "messageAttributes": attributes,
        "eventSource": "aws:sqs",
    })
}

/// Counts the lines written to it.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<(AtomicUsize, AtomicUsize)>);

impl Lines {
    /// Lines and bytes since the last time.
    fn take(&self) -> (usize, usize) {
        (self.0.0.swap(0, Ordering::Relaxed), self.0.1.swap(0, Ordering::Relaxed))
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.0.fetch_add(bytes.iter().filter(|byte| **byte == b'\n').count(), Ordering::Relaxed);
        self.0.1.fetch_add(bytes.len(), Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

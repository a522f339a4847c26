//! What a booking costs a provider on AWS, from counted calls.
//!
//! The functions of the BPP run as Lambda runs them, event by event, against the embedded AWS with a [`counter::Counter`]
//! in between. Invariant: what can be counted or measured is; what only AWS can tell (how long its services take,
//! how full the batches are) is one of the assumptions below, and the report names it.

pub mod counter;
pub mod prices;
pub mod units;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use beckn_health::commands::{Failure, shipped_catalogue};
use beckn_health::network::aws::Port;
use beckn_health::network::identity::Role;
use beckn_health::network::{Config, Network};
use beckn_health::sqs::{QUEUE_NAME_PREFIX, QueueSettings, ReceivedMessage};
use beckn_health_platform::clock::SystemClock;
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, Trigger};
use beckn_health_platform::{lambda, log};
use beckn_health_protocol::dialect::Reading;
use cpu_time::ThreadTime;
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

use self::counter::{Counter, Kind, Tally};
use self::units::sqs_requests;
use crate::consumer::{Consumer, Signed, search_message};
use crate::report::{Budget, Limit, Section, short};

/// The steps of a booking.
const ACTIONS: [&str; 5] = ["search", "select", "init", "confirm", "status"];
/// Put before the queues of the functions that are counted, so that the network's own leave their messages alone.
const OWN_QUEUES: &str = "cost-";
/// The budget of DESIGN for a million bookings, in dollars.
const MOST: f64 = 15.0;

/// Messages of a full batch, as in `infra/`.
const BATCH: f64 = 10.0;
/// Assumed: milliseconds that a function waits for DynamoDB or SQS in each call.
const AWS_MS: f64 = 5.0;
/// Assumed: milliseconds that a responder waits for the peer's answer to a callback.
const PEER_MS: f64 = 100.0;
/// Assumed: bytes of the line the HTTP API logs of a request, by its format in `infra/`.
const ACCESS_LINE: f64 = 230.0;
/// Memory that gives a function one whole processor, in MB.
const WHOLE_PROCESSOR_MB: f64 = 1_769.0;

/// Memory of a function in MB, as in `infra/`.
fn memory_mb(function: &str) -> f64 {
    if function == "bpp-on-search" { 1_024.0 } else { 512.0 }
}

/// What the bookings of a run came to.
struct Run {
    bookings: f64,
    tallies: BTreeMap<Kind, Tally>,
    /// Milliseconds of processor time of each function, in all.
    cpu_ms: BTreeMap<&'static str, f64>,
    log_lines: f64,
    log_bytes: f64,
    callback_bytes: f64,
}

/// Books so many consultations and prices them: the calls first, then the bill.
///
/// # Errors
/// A booking does not come about, or a call is made whose price is not known.
pub fn measure(bookings: usize) -> Result<Vec<Section>, Failure> {
    let others = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let own = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bench = others.block_on(Bench::set())?;
    let run = own.block_on(bench.run(bookings.max(1)))?;
    others.block_on(bench.network.stop());
    others.shutdown_timeout(Duration::from_secs(5));
    Ok(vec![calls(&run), bill(&run)])
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
        let mut network = Network::start(Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data: None,
            catalogue: Some(shipped_catalogue()?),
            clock: Arc::new(SystemClock),
            reading: Reading::Compat,
            callers: None,
        })
        .await?;
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

/// The section of the counted calls.
fn calls(run: &Run) -> Section {
    let each = |number: f64| short(number / run.bookings);
    let rows = run.tallies.iter().map(|(kind, tally)| {
        vec![
            kind.function.to_owned(),
            kind.operation.clone(),
            kind.resource.replace(OWN_QUEUES, ""),
            each(tally.calls),
            each(tally.read_units),
            each(tally.write_units),
        ]
    });
    let figures = run.tallies.iter().map(|(kind, tally)| {
        json!({
            "function": kind.function, "operation": kind.operation, "resource": kind.resource.replace(OWN_QUEUES, ""),
            "calls": tally.calls / run.bookings, "read_units": tally.read_units / run.bookings,
            "write_units": tally.write_units / run.bookings,
        })
    });
    Section {
        title: "AWS calls of a booking, BPP",
        method: format!(
            "{} bookings, each `search`, `select`, `init`, `confirm`, `status` and their five callbacks, through the BPP's functions as \
             Lambda invokes them, one message at a time and warm (the first booking is not counted). A proxy in front of the \
             embedded DynamoDB and SQS counts the calls and looks at the items they read and write. Read units are per 4 KB \
             item, half of it if not consistent, and an item that is not there costs as much as one; write units are per KB of \
             the larger of the item before and after, twice that in a transaction, and one for every index entry that comes or \
             goes.",
            run.bookings
        ),
        columns: vec!["function", "operation", "table or queue", "calls", "read units", "write units"],
        rows: rows.collect(),
        figures: Value::Array(figures.collect()),
        budgets: Vec::new(),
    }
}

/// One part of the bill: how much of it a booking takes with full batches and with one message for each invocation.
struct Part {
    name: &'static str,
    unit: &'static str,
    price: f64,
    full: f64,
    single: f64,
}

impl Part {
    fn new(name: &'static str, unit: &'static str, price: f64, full: f64, single: f64) -> Self {
        Self { name, unit, price, full, single }
    }

    /// Dollars for a million bookings.
    fn dollars(&self, amount: f64) -> f64 {
        amount * self.price * 1e6
    }
}

/// What a booking takes of everything that is paid for by use, and what leaves AWS.
fn parts(run: &Run) -> (Vec<Part>, Part) {
    let of_all = |take: fn(&Tally) -> f64| run.tallies.values().map(take).sum::<f64>() / run.bookings;
    let requests = ACTIONS.len() as f64;
    // Of every message the mapping receives and deletes a share of a batch; what it receives counts by its bytes.
    let bytes = of_all(|tally| tally.sqs_bytes) / requests;
    let mapped = requests * (sqs_requests((bytes * BATCH).ceil() as usize) / BATCH + 1.0 / BATCH);
    let sent = of_all(|tally| tally.sqs_requests);

    let (mut full, mut single) = (0.0, 0.0);
    for (function, cpu) in &run.cpu_ms {
        let calls = run.tallies.iter().filter(|(kind, _)| kind.function == *function);
        let calls = calls.map(|(_, tally)| tally.calls).sum::<f64>() / run.bookings;
        let responds = function.starts_with("bpp-on-");
        let waits = calls * AWS_MS + if responds { PEER_MS } else { 0.0 };
        let works = cpu / run.bookings * (WHOLE_PROCESSOR_MB / memory_mb(function)).max(1.0);
        let gb_seconds = |ms: f64| ms / 1e3 * memory_mb(function) / 1_024.0;
        // The messages of a batch are handled at the same time, so they wait together.
        full += gb_seconds(works + if responds { waits / BATCH } else { waits });
        single += gb_seconds(works + waits);
    }
    let logs = (run.log_bytes + run.log_lines * prices::LOG_LINE_BYTES) / run.bookings
        + requests * (ACCESS_LINE + prices::LOG_LINE_BYTES);
    let reads = of_all(|tally| tally.read_units);
    let writes = of_all(|tally| tally.write_units);
    let all = vec![
        Part::new("HTTP API", "requests", prices::HTTP_REQUEST, requests, requests),
        Part::new("Lambda", "invocations", prices::INVOCATION, requests * (1.0 + 1.0 / BATCH), requests * 2.0),
        Part::new("Lambda", "GB-seconds", prices::GB_SECOND, full, single),
        Part::new("DynamoDB", "write units", prices::WRITE_UNIT, writes, writes),
        Part::new("DynamoDB", "read units", prices::READ_UNIT, reads, reads),
        Part::new("SQS", "requests", prices::SQS_REQUEST, sent + mapped, sent + requests * 2.0),
        Part::new("CloudWatch Logs", "bytes", prices::LOG_BYTE, logs, logs),
    ];
    let out = run.callback_bytes / run.bookings;
    (all, Part::new("Data transfer out", "bytes", prices::BYTE_OUT, out, out))
}

/// The section of the bill.
fn bill(run: &Run) -> Section {
    let (parts, out) = parts(run);
    let total = |amount: fn(&Part) -> f64| parts.iter().map(|part| part.dollars(amount(part))).sum::<f64>();
    let (full, single) = (total(|part| part.full), total(|part| part.single));
    let row = |part: &Part| {
        vec![
            part.name.to_owned(),
            part.unit.to_owned(),
            short(part.full),
            format!("{:.2}", part.dollars(part.full)),
            short(part.single),
            format!("{:.2}", part.dollars(part.single)),
        ]
    };
    let mut rows: Vec<_> = parts.iter().map(row).collect();
    let text = |text: &str| text.to_owned();
    rows.push(vec![
        text("**all**"),
        text(""),
        text(""),
        format!("**{full:.2}**"),
        text(""),
        format!("**{single:.2}**"),
    ]);
    rows.push(row(&out));
    let figures = parts.iter().chain([&out]).map(|part| {
        json!({
            "part": part.name, "unit": part.unit, "in_batches": part.full, "one_by_one": part.single,
            "in_batches_dollars": part.dollars(part.full), "one_by_one_dollars": part.dollars(part.single),
        })
    });
    Section {
        title: "Cost of a million bookings, BPP",
        method: format!(
            "The calls above at the list prices of us-east-1 ({}), without free tiers. *In batches*: the mappings receive, hand on \
             and delete {BATCH} messages at a time, as under load; *one by one*: one at a time, as when bookings come seldom. \
             Lambda's duration is the measured processor time of this machine, stretched by the share of a processor that the memory \
             gives (512 MB of {WHOLE_PROCESSOR_MB}; bpp-on-search 1024), plus assumed waits: {AWS_MS} ms for every call in turn, {PEER_MS} ms for the peer. \
             Logs are the lines that were written, with the {} bytes CloudWatch adds to each, and {ACCESS_LINE} bytes (assumed) of the \
             API's log. What leaves AWS is the callbacks' bodies, beside the budget. Not in it: what a deployment costs idle, KMS, X-Ray.",
            prices::AS_OF,
            prices::LOG_LINE_BYTES
        ),
        columns: vec!["part", "unit", "a booking, in batches", "$ per million", "one by one", "$ per million"],
        rows,
        figures: Value::Array(figures.collect()),
        budgets: vec![Budget {
            what: format!("list price of a million bookings, BPP, batches of {BATCH}"),
            measured: full,
            limit: Limit::AtMost(MOST),
            unit: "$",
        }],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn run() -> Run {
        let kind =
            |function, operation: &str| Kind { function, operation: operation.to_owned(), resource: "x".to_owned() };
        let sent = Tally { calls: 10.0, sqs_requests: 10.0, sqs_bytes: 10_000.0, ..Tally::default() };
        let written = Tally { calls: 2.0, write_units: 8.0, read_units: 2.0, ..Tally::default() };
        Run {
            bookings: 2.0,
            tallies: [(kind("bpp-select", "SendMessage"), sent), (kind("bpp-on-init", "PutItem"), written)].into(),
            cpu_ms: [("bpp-on-init", 2.0)].into(),
            log_lines: 20.0,
            log_bytes: 9_480.0,
            callback_bytes: 4_000.0,
        }
    }

    #[test]
    fn a_booking_is_billed_by_what_it_takes() {
        let (parts, out) = parts(&run());
        let of = |name: &str, unit: &str| parts.iter().find(|part| part.name == name && part.unit == unit).unwrap();
        assert_eq!(of("DynamoDB", "write units").full, 4.0);
        assert_eq!(of("DynamoDB", "read units").dollars(of("DynamoDB", "read units").full), 0.125);
        let sqs = of("SQS", "requests");
        assert_eq!((sqs.full, sqs.single), (5.0 + 5.0 * 0.2, 15.0));
        assert_eq!(of("Lambda", "invocations").full, 5.5);
        // 1 ms of a processor at 512 MB, one call, one peer.
        let works = WHOLE_PROCESSOR_MB / 512.0;
        let took = of("Lambda", "GB-seconds");
        assert!((took.single - (works + AWS_MS + PEER_MS) / 2_000.0).abs() < 1e-9, "{}", took.single);
        assert!((took.full - (works + (AWS_MS + PEER_MS) / BATCH) / 2_000.0).abs() < 1e-9, "{}", took.full);
        assert_eq!(of("CloudWatch Logs", "bytes").full, 4_740.0 + 10.0 * 26.0 + 5.0 * (ACCESS_LINE + 26.0));
        assert_eq!(out.full, 2_000.0);
    }

    #[test]
    fn the_budget_is_about_full_batches_and_leaves_out_what_leaves_aws() {
        let section = bill(&run());
        let (parts, _) = parts(&run());
        let total: f64 = parts.iter().map(|part| part.dollars(part.full)).sum();
        assert_eq!(section.budgets[0].measured, total);
        assert_eq!(section.rows.len(), parts.len() + 2);
    }
}

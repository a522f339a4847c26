//! What a booking costs a provider on AWS, from counted calls.
//!
//! The functions of the BPP run as Lambda runs them, event by event, against the embedded AWS with a [`counter::Counter`]
//! in between. Invariant: what can be counted or measured is; what only AWS can tell (how long its services take,
//! how full the batches are) is one of the assumptions below, and the report names it.

pub mod booking;
pub mod counter;
pub mod prices;
pub mod units;

use beckn_health::failure::Failure;
use serde_json::{Value, json};

use self::booking::{ACTIONS, OWN_QUEUES, Run};
use self::counter::{Tally, Written};
use self::units::sqs_requests;
use crate::report::{Budget, Limit, Section, short};

/// The budget of DESIGN for a million bookings, in dollars.
const MOST: f64 = 15.0;

/// Messages of a full batch, as in `infra/`.
const BATCH: f64 = 10.0;
/// Assumed: milliseconds that a function waits for DynamoDB or SQS in each call.
const AWS_MS: f64 = 5.0;
/// Assumed: milliseconds that a responder waits for the peer's answer to a callback.
const PEER_MS: f64 = 100.0;
/// Assumed: bytes of the line the HTTP API logs of a request, by its format in `infra/`, where nothing failed.
const ACCESS_LINE: f64 = 150.0;
/// Memory that gives a function one whole processor, in MB.
const WHOLE_PROCESSOR_MB: f64 = 1_769.0;

/// Memory of a function in MB, as in `infra/`.
fn memory_mb(function: &str) -> f64 {
    if function == "bpp-on-search" { 1_024.0 } else { 512.0 }
}

/// Books so many consultations and prices them: the calls first, then the bill.
///
/// # Errors
/// A booking does not come about, or a call is made whose price is not known.
pub fn measure(bookings: usize) -> Result<Vec<Section>, Failure> {
    let run = booking::run(bookings)?;
    Ok(vec![calls(&run), bill(&run)])
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
            tally
                .written
                .iter()
                .map(|(table, written)| spent(table, written, run.bookings))
                .collect::<Vec<_>>()
                .join("; "),
        ]
    });
    let figures = run.tallies.iter().map(|(kind, tally)| {
        let written = tally.written.iter().map(|(table, written)| {
            json!({
                "table": table, "item_units": written.items / run.bookings,
                "index_units": written.indexes / run.bookings, "largest_item_bytes": written.largest,
            })
        });
        json!({
            "function": kind.function, "operation": kind.operation, "resource": kind.resource.replace(OWN_QUEUES, ""),
            "calls": tally.calls / run.bookings, "read_units": tally.read_units / run.bookings,
            "write_units": tally.write_units / run.bookings, "written": written.collect::<Vec<_>>(),
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
             goes. The last column has the units of items and of indexes by table, and the size of the largest item.",
            run.bookings
        ),
        columns: vec![
            "function",
            "operation",
            "table or queue",
            "calls",
            "read units",
            "write units",
            "write units by table",
        ],
        rows: rows.collect(),
        figures: Value::Array(figures.collect()),
        budgets: Vec::new(),
    }
}

/// What a booking writes to a table.
fn spent(table: &str, written: &Written, bookings: f64) -> String {
    let indexes = match written.indexes {
        0.0 => String::new(),
        units => format!(" + {} for indexes", short(units / bookings)),
    };
    format!("{table} {}{indexes}, at most {} bytes", short(written.items / bookings), written.largest)
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
        // Where a function makes one kind of call several times for a message, it makes them at the same time.
        let calls = run.tallies.iter().filter(|(kind, _)| kind.function == *function);
        let calls: f64 = calls.map(|(_, tally)| (tally.calls / run.bookings).min(1.0)).sum();
        let responds = function.starts_with("bpp-on-");
        let waits = calls * AWS_MS + if responds { PEER_MS } else { 0.0 };
        let works = cpu / run.bookings * (WHOLE_PROCESSOR_MB / memory_mb(function)).max(1.0);
        let gb_seconds = |ms: f64| ms / 1e3 * memory_mb(function) / 1_024.0;
        // The messages of a batch are handled at the same time, so they wait together.
        full += gb_seconds(works + if responds { waits / BATCH } else { waits });
        single += gb_seconds(works + waits);
    }
    let logged = (run.log_bytes + run.log_lines * prices::LOG_LINE_BYTES) / run.bookings;
    let accesses = requests * (ACCESS_LINE + prices::LOG_LINE_BYTES);
    let reads = of_all(|tally| tally.read_units);
    let writes = of_all(|tally| tally.write_units);
    let all = vec![
        Part::new("HTTP API", "requests", prices::HTTP_REQUEST, requests, requests),
        Part::new("Lambda", "invocations", prices::INVOCATION, requests * (1.0 + 1.0 / BATCH), requests * 2.0),
        Part::new("Lambda", "GB-seconds", prices::GB_SECOND, full, single),
        Part::new("DynamoDB", "write units", prices::WRITE_UNIT, writes, writes),
        Part::new("DynamoDB", "read units", prices::READ_UNIT, reads, reads),
        Part::new("SQS", "requests", prices::SQS_REQUEST, sent + mapped, sent + requests * 2.0),
        Part::new("CloudWatch Logs", "bytes of the functions", prices::LOG_BYTE, logged, logged),
        Part::new("CloudWatch Logs", "bytes of the API", prices::INFREQUENT_LOG_BYTE, accesses, accesses),
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
             gives (512 MB of {WHOLE_PROCESSOR_MB}; bpp-on-search 1024), plus assumed waits: {AWS_MS} ms for every call in turn (those of a kind go together), {PEER_MS} ms for the peer. \
             Logs are the lines that were written, with the {} bytes CloudWatch adds to each, and {ACCESS_LINE} bytes (assumed) of the \
             API's log, whose group is for infrequent access. What leaves AWS is the callbacks' bodies, beside the budget. Not in it: what a deployment costs idle, KMS, X-Ray.",
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
    use super::counter::Kind;
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
        assert_eq!(of("CloudWatch Logs", "bytes of the functions").full, 4_740.0 + 10.0 * 26.0);
        assert_eq!(of("CloudWatch Logs", "bytes of the API").full, 5.0 * (ACCESS_LINE + 26.0));
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

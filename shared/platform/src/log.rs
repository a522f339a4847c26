//! What a deployed function writes to standard output: JSON, one object on each line.
//!
//! The event of a hop ([`crate::hop`]) becomes one line that is its log line and its metrics at once, in
//! CloudWatch's embedded metric format; its log group says which function wrote it. Every other event becomes
//! a line with its level, message, fields and trace.
//!
//! Invariant: what our own crates log holds no personal data, so all of it may be switched on; other crates
//! may show what they carry, so they are heard only when they warn.

use std::fmt;
use std::io::Write as _;

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::{EnvFilter, registry::LookupSpan};

use crate::hop;

/// The namespace of the metrics.
pub const NAMESPACE: &str = "beckn-health";
/// Most bytes of a hop's line, with identifiers of a usual length (UUIDs, 40 characters for a peer).
pub const MAX_HOP: usize = 512;
/// What the names of our crates, and the target of a hop, begin with.
const OURS: &str = "beckn_health";

/// The counts of a hop's event and the metrics they are.
const COUNTS: [(&str, &str); 7] = [
    ("ack", "Ack"),
    (NACK, "Nack"),
    ("signature_failure", "SignatureFailure"),
    ("delivered", "Delivered"),
    ("refused", "Refused"),
    ("retry", "Retry"),
    ("lapse", "Lapse"),
];
const NACK: &str = "nack";
/// The time a hop took, in milliseconds.
const LATENCY: &str = "HopLatency";

/// Which events are written, as `RUST_LOG` says (`info` when it is empty). Hops always are: the metrics are
/// made from them.
pub fn filter(rust_log: &str) -> EnvFilter {
    let filter = EnvFilter::new(if rust_log.trim().is_empty() { "info" } else { rust_log });
    match format!("{}=info", hop::TARGET).parse() {
        Ok(hops) => filter.add_directive(hops),
        Err(_) => filter,
    }
}

/// Writes every event that passes the filter to `writer`.
pub fn layer<W>(writer: W) -> JsonLines<W>
where
    W: for<'a> MakeWriter<'a> + 'static,
{
    JsonLines { writer }
}

/// The layer that [`layer`] makes.
#[derive(Debug)]
pub struct JsonLines<W> {
    writer: W,
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let about = event.metadata();
        if !about.target().starts_with(OURS) && *about.level() > Level::WARN {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = if about.target() == hop::TARGET {
            hop_line(fields.0)
        } else {
            other_line(about.level(), about.target(), fields.0)
        };
        let mut bytes = line.to_string().into_bytes();
        bytes.push(b'\n');
        // There is nobody to tell when standard output is closed.
        let _ = self.writer.make_writer().write_all(&bytes);
    }
}

/// The fields of an event in their order.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

/// The line of a hop. A `Nack` is counted by code too. The time of a hop that refused is no latency: refusals are
/// quick, and a flood of them would make a slow network look fast. Nor is that of a lapse, for which nobody waits.
fn hop_line(mut event: Map<String, Value>) -> Value {
    let counted: Vec<(&str, Value)> =
        COUNTS.iter().filter_map(|(field, metric)| event.remove(*field).map(|count| (*metric, count))).collect();
    let is_counted = |name: &str| counted.iter().any(|(metric, _)| *metric == name);
    let nacked = is_counted("Nack");
    let timed = !nacked && !is_counted("Lapse");
    let duration = event.remove("duration_ms").unwrap_or_default();

    let mut of_role: Vec<&str> = counted.iter().map(|(metric, _)| *metric).filter(|metric| *metric != "Nack").collect();
    if timed {
        of_role.push(LATENCY);
    }
    let mut directives = Vec::new();
    if !of_role.is_empty() {
        directives.push(directive(&json!([["Deployment", "Role"]]), of_role));
    }
    if nacked {
        directives.push(directive(&json!([["Deployment", "Role"], ["Deployment", "Role", "Code"]]), vec!["Nack"]));
    }

    let mut line = Map::new();
    line.insert(
        "_aws".to_owned(),
        json!({ "Timestamp": event.remove("at").unwrap_or_default(), "CloudWatchMetrics": directives }),
    );
    let uncounted = counted.is_empty();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            line.insert(name.to_owned(), value);
        }
    };
    put("Deployment", event.remove("deployment"));
    put("Role", event.remove("role"));
    for (metric, count) in counted {
        put(metric, Some(count));
    }
    put(if timed { LATENCY } else { "duration_ms" }, Some(duration));
    put("Code", event.remove("code"));
    // Elsewhere the count is the outcome.
    put("outcome", event.remove("outcome").filter(|_| uncounted));
    for name in ["action", "peer", "transaction_id", "message_id", "trace_id"] {
        put(name, event.remove(name));
    }
    with_path(Value::Object(line), event.remove("path"))
}

/// The line with the path of the fault, if it is not too long with it.
fn with_path(line: Value, path: Option<Value>) -> Value {
    let Some(path) = path else { return line };
    let mut longer = line.clone();
    longer["path"] = path;
    if longer.to_string().len() <= MAX_HOP { longer } else { line }
}

fn directive(dimensions: &Value, metrics: Vec<&str>) -> Value {
    let metrics: Vec<Value> = metrics.into_iter().map(|name| json!({ "Name": name })).collect();
    json!({ "Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics })
}

fn other_line(level: &Level, target: &str, mut fields: Map<String, Value>) -> Value {
    let mut line = Map::new();
    line.insert("level".to_owned(), level.as_str().into());
    line.insert("message".to_owned(), fields.remove("message").unwrap_or_else(|| "".into()));
    if !target.starts_with(OURS) {
        line.insert("target".to_owned(), target.into());
    }
    line.extend(fields);
    if let Some(trace) = hop::trace() {
        line.insert("trace_id".to_owned(), trace.root().into());
    }
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The event of a hop whose every identifier is as long as they usually get.
    fn event(more: Value) -> Map<String, Value> {
        let mut event = json!({
            "message": "hop", "at": 1_795_402_800_123_i64, "deployment": "beckn-health-stage", "role": "gateway",
            "function": "bpp-on-confirm", "duration_ms": 9_999.9, "action": "on_confirm",
            "peer": "consumers-platform.of-a-health-id.example",
            "transaction_id": "0d1f3c1e-6a1b-4c37-9a55-5d5c7f0c9d11",
            "message_id": "f4b7a2c0-2f83-4a8e-8d62-1c0f7c3f5e22",
            "trace_id": "1-6b03e570-0123456789abcdef01234567"
        });
        for (name, value) in more.as_object().unwrap() {
            event[name] = value.clone();
        }
        event.as_object().unwrap().clone()
    }

    #[test]
    fn the_longest_usual_lines_are_within_the_limit() {
        for more in [
            json!({ "outcome": "ack", "ack": 1 }),
            json!({ "outcome": "nack", "nack": 1, "code": "30000", "path": "message.order.items[0].id" }),
            json!({ "outcome": "delivered", "delivered": 1, "code": "30008" }),
            json!({ "outcome": "refused", "refused": 1, "code": "30008" }),
            json!({ "outcome": "retry", "retry": 1, "code": "30008" }),
            json!({ "outcome": "delivered", "lapse": 1, "delivered": 1 }),
            json!({ "outcome": "answered" }),
            json!({ "outcome": "rejected", "code": "30000", "path": "message.order.items[0].id" }),
        ] {
            let line = hop_line(event(more)).to_string();
            assert!(line.len() <= MAX_HOP, "{} bytes: {line}", line.len());
        }
    }

    #[test]
    fn a_hop_is_a_log_line_and_a_metric_document() {
        let line = hop_line(event(json!({ "outcome": "delivered", "delivered": 1, "code": "30008" })));
        assert_eq!(
            line["_aws"],
            json!({ "Timestamp": 1_795_402_800_123_i64, "CloudWatchMetrics": [{ "Namespace": "beckn-health",
                "Dimensions": [["Deployment", "Role"]], "Metrics": [{ "Name": "Delivered" }, { "Name": "HopLatency" }] }] })
        );
        assert_eq!((&line["Delivered"], &line["HopLatency"]), (&json!(1), &json!(9_999.9)));
        assert_eq!(
            (&line["Role"], &line["Code"], &line["action"]),
            (&json!("gateway"), &json!("30008"), &json!("on_confirm"))
        );
        assert_eq!((&line["outcome"], &line["message"]), (&Value::Null, &Value::Null), "the count says it");
    }

    #[test]
    fn a_nack_is_counted_by_code_too_and_its_time_is_no_latency() {
        let line = hop_line(event(json!({ "outcome": "nack", "nack": 1, "code": "30000" })));
        let directives = &line["_aws"]["CloudWatchMetrics"];
        assert_eq!(directives[0]["Dimensions"], json!([["Deployment", "Role"], ["Deployment", "Role", "Code"]]));
        assert_eq!(directives[0]["Metrics"], json!([{ "Name": "Nack" }]));
        assert_eq!((&line["HopLatency"], &line["duration_ms"]), (&Value::Null, &json!(9_999.9)));

        // A signature failure is not: its codes are two, and the alarm is on all of them.
        let line = hop_line(event(json!({ "outcome": "nack", "nack": 1, "signature_failure": 1, "code": "30016" })));
        let directives = &line["_aws"]["CloudWatchMetrics"];
        assert_eq!(directives[0]["Dimensions"], json!([["Deployment", "Role"]]));
        assert_eq!(directives[0]["Metrics"], json!([{ "Name": "SignatureFailure" }]));
        assert_eq!(directives[1]["Metrics"], json!([{ "Name": "Nack" }]));
    }

    #[test]
    fn a_path_is_left_out_before_the_line_gets_too_long() {
        let short = json!({ "outcome": "nack", "nack": 1, "code": "30000", "path": "context.ttl" });
        let mut unknown = event(short.clone());
        unknown.remove("transaction_id");
        assert_eq!(hop_line(unknown)["path"], "context.ttl");
        assert_eq!(hop_line(event(short))["path"], Value::Null);
    }
}

//! What the functions of a deployment logged about a transaction: one line for each hop.
//!
//! Invariant: a line is believed to be about the transaction only when its `transaction_id` says so. Fields are
//! found wherever a log format puts them, and a line that is no hop (a warning) is shown by its message.

use std::collections::VecDeque;

use beckn_health_functions as functions;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Deployment;
use crate::failure::Failure;

/// Log groups read at the same time; an account may make 25 such calls a second.
const CONCURRENCY: usize = 5;
/// Objects in which a log format may keep the fields of a line.
const HOLDERS: [&str; 3] = ["fields", "span", "message"];

/// One function handling one message.
#[derive(Debug, Clone, PartialEq)]
pub struct Hop {
    /// When its line was logged: at its end.
    pub at: Timestamp,
    /// The function.
    pub function: String,
    /// Beckn's message id.
    pub message_id: Option<String>,
    /// The action or callback.
    pub action: Option<String>,
    /// With whom.
    pub peer: Option<String>,
    /// How it ended, with the error's code if there is one; for a line that is no hop, its message.
    pub outcome: String,
    /// How long it took.
    pub duration_ms: Option<f64>,
    /// The trace of which it is a part.
    pub trace_id: Option<String>,
}

impl Hop {
    /// Reads a log line of a function; `None` when it is not about the transaction.
    pub fn parse(line: &str, function: &str, at: Timestamp, transaction_id: &str) -> Option<Self> {
        // Lambda's text format puts a prefix before the JSON of a line.
        let json = line.get(line.find('{')?..)?;
        let line: Value = serde_json::from_str(json.trim_end()).ok()?;
        let field = |name: &str| field(&line, name);
        let word = |name: &str| {
            let text = match field(name)? {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => return None,
            };
            (!text.is_empty()).then_some(text)
        };
        if word("transaction_id").as_deref() != Some(transaction_id) {
            return None;
        }
        // A hop that counts something says its outcome by what it counts.
        let counted =
            ["Nack", "Refused", "Retry", "Delivered", "Ack", "Lapse"].into_iter().find(|name| field(name).is_some());
        let told = word("outcome").or_else(|| counted.map(str::to_lowercase));
        let outcome = match (told, word("code").or_else(|| word("Code"))) {
            (Some(outcome), Some(code)) if !outcome.contains(&code) => format!("{outcome} {code}"),
            (Some(outcome), _) => outcome,
            (None, _) => word("message").or_else(|| word("msg")).unwrap_or_else(|| "?".to_owned()),
        };
        let number = |name: &str| match field(name)? {
            Value::String(text) => text.parse().ok(),
            value => value.as_f64(),
        };
        Some(Self {
            at,
            function: function.to_owned(),
            message_id: word("message_id"),
            action: word("action"),
            peer: word("peer"),
            outcome,
            duration_ms: number("duration_ms").or_else(|| number("HopLatency")),
            trace_id: word("trace_id"),
        })
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "at": self.at, "function": self.function, "message_id": self.message_id, "action": self.action,
            "peer": self.peer, "outcome": self.outcome, "duration_ms": self.duration_ms, "trace_id": self.trace_id,
        })
    }
}

/// A field of a line, at its top or in one of the objects that log formats use.
fn field<'l>(line: &'l Value, name: &str) -> Option<&'l Value> {
    let mut objects = VecDeque::from([line]);
    while let Some(object) = objects.pop_front() {
        if let Some(value) = object.get(name).filter(|value| !value.is_object() && !value.is_null()) {
            return Some(value);
        }
        objects.extend(HOLDERS.iter().filter_map(|holder| object.get(holder)).filter(|holder| holder.is_object()));
        objects.extend(object.get("spans").and_then(Value::as_array).into_iter().flatten());
    }
    None
}

/// What all functions of the deployment logged about a transaction since `since`, oldest first.
///
/// # Errors
/// CloudWatch Logs cannot be asked, or the deployment has no log groups.
pub async fn of_transaction(
    deployment: &Deployment,
    transaction_id: &str,
    since: Timestamp,
) -> Result<Vec<Hop>, Failure> {
    if transaction_id.is_empty() || transaction_id.contains(['"', '\\']) || transaction_id.contains(char::is_control) {
        return Err(Failure("expected the id of a transaction, without quotes and backslashes".to_owned()));
    }
    let logs = deployment.logs();
    let prefix = format!("/aws/lambda/{}", deployment.full(""));
    let mut groups = Vec::new();
    let mut pages = logs.describe_log_groups().log_group_name_prefix(&prefix).into_paginator().items().send();
    while let Some(group) = pages.next().await {
        let group = group.map_err(|error| {
            let failure = deployment.failed("listing the log groups", &error);
            Failure(format!(
                "{}; a local network keeps no logs to read, ask its BAP: trace {transaction_id} --url",
                failure.0
            ))
        })?;
        // Another deployment's name may begin with this one's.
        let is_ours = |group: &String| {
            let name = group.strip_prefix(&prefix);
            functions::all().any(|function| name == Some(function.name))
        };
        groups.extend(group.log_group_name.filter(is_ours));
    }
    if groups.is_empty() {
        return Err(Failure(format!(
            "{} has no log groups {prefix}*; check --deployment, AWS_REGION and AWS_PROFILE",
            deployment.place()
        )));
    }
    let found = stream::iter(groups)
        .map(|group| {
            let (logs, prefix) = (logs.clone(), &prefix);
            async move {
                let function = group.strip_prefix(prefix.as_str()).unwrap_or(&group).to_owned();
                let mut hops = Vec::new();
                let events = logs
                    .filter_log_events()
                    .log_group_name(&group)
                    // In quotes it is one word to be found anywhere in a line.
                    .filter_pattern(format!("\"{transaction_id}\""))
                    .start_time(since.as_millisecond());
                let mut pages = events.into_paginator().send();
                while let Some(page) = pages.next().await {
                    let page = page.map_err(|error| deployment.failed(&format!("reading {group}"), &error))?;
                    for event in page.events.unwrap_or_default() {
                        let at = event.timestamp.and_then(|at| Timestamp::from_millisecond(at).ok()).unwrap_or(since);
                        let line = event.message.unwrap_or_default();
                        hops.extend(Hop::parse(&line, &function, at, transaction_id));
                    }
                }
                Ok::<_, Failure>(hops)
            }
        })
        .buffer_unordered(CONCURRENCY);
    let mut hops: Vec<Hop> = found.try_concat().await?;
    hops.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.function.cmp(&b.function)));
    Ok(hops)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn a_hop_is_read_from_any_log_format() {
        let expected = Hop {
            at: AT,
            function: "bpp-select".to_owned(),
            message_id: Some("m-1".to_owned()),
            action: Some("select".to_owned()),
            peer: Some("bap.example".to_owned()),
            outcome: "nack 30000".to_owned(),
            duration_ms: Some(3.5),
            trace_id: Some("1-5759e988-bd862e3fe1be46a994272793".to_owned()),
        };
        let fields = json!({
            "transaction_id": "t-1", "message_id": "m-1", "action": "select", "peer": "bap.example", "outcome": "nack",
            "code": "30000", "duration_ms": 3.5, "trace_id": "1-5759e988-bd862e3fe1be46a994272793",
        });
        let mut embedded_metrics = fields.clone();
        embedded_metrics["_aws"] = json!({ "Timestamp": 1 });
        embedded_metrics["HopLatency"] = embedded_metrics["duration_ms"].take();
        for line in [
            fields.to_string(),
            embedded_metrics.to_string(),
            json!({ "timestamp": "x", "level": "INFO", "fields": fields }).to_string(),
            json!({ "level": "INFO", "message": fields }).to_string(),
            json!({ "level": "INFO", "fields": { "message": "hop" }, "spans": [fields] }).to_string(),
            format!("2026-01-01T00:00:00Z 6f1c INFO {fields}\n"),
        ] {
            assert_eq!(Hop::parse(&line, "bpp-select", AT, "t-1").as_ref(), Some(&expected), "{line}");
            assert_eq!(Hop::parse(&line, "bpp-select", AT, "t-2"), None);
        }
    }

    #[test]
    fn an_outcome_that_is_only_counted_is_read_from_its_count() {
        let counted =
            r#"{"Deployment":"d","Role":"bpp","Delivered":1,"HopLatency":17.4,"Code":"50003","transaction_id":"t-1"}"#;
        let hop = Hop::parse(counted, "bpp-on-rating", AT, "t-1").unwrap();
        assert_eq!((hop.outcome.as_str(), hop.duration_ms), ("delivered 50003", Some(17.4)));
    }

    #[test]
    fn a_line_that_is_no_hop_is_shown_by_its_message() {
        let warning = r#"{"level":"WARN","message":"visibility not changed","transaction_id":"t-1"}"#;
        assert_eq!(Hop::parse(warning, "bpp-dispatch", AT, "t-1").unwrap().outcome, "visibility not changed");
        for line in ["START RequestId: t-1", "", "{", "{}", r#"{"note":"t-1"}"#] {
            assert_eq!(Hop::parse(line, "bpp-dispatch", AT, "t-1"), None, "{line}");
        }
    }
}

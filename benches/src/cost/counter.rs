//! Between the functions and the embedded AWS: counts every call and what AWS would bill for it.
//!
//! Invariant: a call it cannot bill is no free call; it is remembered, and the measurement fails.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use beckn_health::failure::Failure;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::units::{index_units, item_bytes, read_units, sqs_requests, write_units};

/// Largest request read, in bytes: what DynamoDB takes.
const LARGEST: usize = 16 * 1_024 * 1_024;

/// What is counted together: a function's calls of one operation on one table or queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// The function.
    pub function: &'static str,
    /// `GetItem`, `SendMessage` and so on.
    pub operation: String,
    /// The table or queue without the deployment's prefix; of a transaction its tables.
    pub resource: String,
}

/// What came of the calls of one kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// How many there were.
    pub calls: f64,
    /// Read units of DynamoDB.
    pub read_units: f64,
    /// Write units of DynamoDB, with those of indexes.
    pub write_units: f64,
    /// The same by table.
    pub written: BTreeMap<String, Written>,
    /// Requests as SQS bills them.
    pub sqs_requests: f64,
    /// Bytes of the messages sent.
    pub sqs_bytes: f64,
}

/// What was written to one table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Written {
    /// Write units of its items.
    pub items: f64,
    /// Write units of its indexes.
    pub indexes: f64,
    /// Bytes of the largest item.
    pub largest: usize,
}

impl Written {
    fn add(&mut self, other: &Self) {
        self.items += other.items;
        self.indexes += other.indexes;
        self.largest = self.largest.max(other.largest);
    }
}

/// The counter, which answers as the embedded AWS does.
#[derive(Clone)]
pub struct Counter(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    aws: String,
    prefix: String,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    function: &'static str,
    tallies: BTreeMap<Kind, Tally>,
    not_billable: Vec<String>,
}

impl Counter {
    /// Listens on a free port of the loopback interface in front of `aws`; table and queue names lose `prefix` in
    /// what is counted. Returns where it listens, too.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(aws: String, prefix: String) -> Result<(Self, String), Failure> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let http = reqwest::Client::builder().no_proxy().build()?;
        let counter = Self(Arc::new(Inner { http, aws, prefix, seen: Mutex::default() }));
        let answering = counter.clone();
        let app = axum::Router::new().fallback(move |request| {
            let counter = answering.clone();
            async move { counter.answer(request).await }
        });
        tokio::spawn(async move {
            if let Err(problem) = axum::serve(listener, app).await {
                eprintln!("bench-report: the counter no longer answers: {problem}");
            }
        });
        Ok((counter, url))
    }

    /// What comes from now on is of this function.
    pub fn runs(&self, function: &'static str) {
        self.seen(|seen| seen.function = function);
    }

    /// Forgets what was counted.
    pub fn reset(&self) {
        self.seen(|seen| seen.tallies.clear());
    }

    /// What was counted.
    ///
    /// # Errors
    /// There was a call that it cannot bill.
    pub fn tallies(&self) -> Result<BTreeMap<Kind, Tally>, Failure> {
        self.seen(|seen| match seen.not_billable.first() {
            None => Ok(seen.tallies.clone()),
            Some(call) => Err(Failure(format!("it is not known what {call} costs"))),
        })
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn answer(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let Ok(body) = axum::body::to_bytes(body, LARGEST).await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
        let written = writes(&operation, &asked);
        let before = self.items(&parts.headers, &written).await;
        let (status, answer) = match self.forward(parts.headers.clone(), body).await {
            Ok(answer) => answer,
            Err(problem) => {
                eprintln!("bench-report: the embedded AWS does not answer: {problem}");
                return StatusCode::BAD_GATEWAY.into_response();
            }
        };
        let after = self.items(&parts.headers, &written).await;
        let told: Value = serde_json::from_slice(&answer).unwrap_or_default();
        self.count(&operation, &asked, &told, &before, &after);
        (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], answer).into_response()
    }

    fn count(&self, operation: &str, asked: &Value, told: &Value, before: &[Option<Value>], after: &[Option<Value>]) {
        let mut tally = Tally { calls: 1.0, ..Tally::default() };
        let mut resource = self.short(asked["TableName"].as_str().unwrap_or_default());
        let consistent = |call: &Value| call["ConsistentRead"] == true;
        let transactional = operation == "TransactWriteItems";
        match operation {
            "GetItem" => tally.read_units = read_units(item_bytes(&told["Item"]), consistent(asked)),
            "Query" if asked["ProjectionExpression"].is_null() && asked["FilterExpression"].is_null() => {
                let items = told["Items"].as_array().into_iter().flatten();
                tally.read_units = read_units(items.map(item_bytes).sum(), consistent(asked));
            }
            "BatchGetItem" => {
                let mut tables = Vec::new();
                for (table, wanted) in asked["RequestItems"].as_object().into_iter().flatten() {
                    let found = told["Responses"][table].as_array().map(Vec::as_slice).unwrap_or_default();
                    let keys = wanted["Keys"].as_array().map_or(0, Vec::len);
                    let there = found.iter().map(|item| read_units(item_bytes(item), consistent(wanted)));
                    let absent = keys.saturating_sub(found.len()) as f64 * read_units(0, consistent(wanted));
                    tally.read_units += there.sum::<f64>() + absent;
                    tables.push(self.short(table));
                }
                resource = tables.join(", ");
            }
            "PutItem" | "UpdateItem" | "DeleteItem" | "TransactWriteItems" => {
                for ((table, _), (before, after)) in writes(operation, asked).iter().zip(before.iter().zip(after)) {
                    let (before, after) = (before.as_ref(), after.as_ref());
                    let written = Written {
                        items: write_units(before, after, transactional),
                        indexes: index_units(before, after),
                        largest: [before, after].into_iter().flatten().map(item_bytes).max().unwrap_or_default(),
                    };
                    tally.write_units += written.items + written.indexes;
                    tally.written.entry(self.short(table)).or_default().add(&written);
                }
                resource = tally.written.keys().cloned().collect::<Vec<_>>().join(", ");
            }
            "SendMessage" => {
                let attributes = asked["MessageAttributes"].as_object().into_iter().flatten();
                let carried = attributes.map(|(name, value)| {
                    name.len() + "String".len() + value["StringValue"].as_str().map_or(0, str::len)
                });
                let bytes = asked["MessageBody"].as_str().map_or(0, str::len) + carried.sum::<usize>();
                tally.sqs_requests = sqs_requests(bytes);
                tally.sqs_bytes = bytes as f64;
                let queue = asked["QueueUrl"].as_str().and_then(|url| url.rsplit('/').next()).unwrap_or_default();
                resource = self.short(queue);
            }
            _ => {
                let call = format!("{operation} {resource}");
                self.seen(|seen| seen.not_billable.push(call));
                return;
            }
        }
        self.seen(|seen| {
            let kind = Kind { function: seen.function, operation: operation.to_owned(), resource };
            let all = seen.tallies.entry(kind).or_default();
            all.calls += tally.calls;
            all.read_units += tally.read_units;
            all.write_units += tally.write_units;
            for (table, written) in &tally.written {
                all.written.entry(table.clone()).or_default().add(written);
            }
            all.sqs_requests += tally.sqs_requests;
            all.sqs_bytes += tally.sqs_bytes;
        });
    }

    fn short(&self, name: &str) -> String {
        name.strip_prefix(&self.0.prefix).unwrap_or(name).to_owned()
    }

    /// The items under these keys as they are now. These reads are not counted.
    async fn items(&self, headers: &HeaderMap, keys: &[(String, Value)]) -> Vec<Option<Value>> {
        let mut items = Vec::with_capacity(keys.len());
        for (table, key) in keys {
            let mut headers = headers.clone();
            headers.insert(
                HeaderName::from_static("x-amz-target"),
                http::HeaderValue::from_static("DynamoDB_20120810.GetItem"),
            );
            let body = json!({ "TableName": table, "Key": key, "ConsistentRead": true }).to_string();
            let answer = self.forward(headers, Bytes::from(body)).await;
            let told: Value = answer.ok().and_then(|(_, body)| serde_json::from_slice(&body).ok()).unwrap_or_default();
            items.push(told.get("Item").cloned());
        }
        items
    }

    async fn forward(&self, mut headers: HeaderMap, body: Bytes) -> Result<(StatusCode, Bytes), reqwest::Error> {
        for of_this_hop in [header::HOST, header::CONTENT_LENGTH, header::CONNECTION, header::TRANSFER_ENCODING] {
            headers.remove(of_this_hop);
        }
        let answer = self.0.http.post(&self.0.aws).headers(headers).body(body).send().await?;
        Ok((answer.status(), answer.bytes().await?))
    }
}

/// Table and key of every item a call writes.
fn writes(operation: &str, asked: &Value) -> Vec<(String, Value)> {
    let one = |write: &Value| {
        let item = if write["Key"].is_object() { &write["Key"] } else { &write["Item"] };
        let key = json!({ "pk": item["pk"], "sk": item["sk"] });
        (write["TableName"].as_str().unwrap_or_default().to_owned(), key)
    };
    match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" => vec![one(asked)],
        "TransactWriteItems" => {
            let items = asked["TransactItems"].as_array().into_iter().flatten();
            items.flat_map(|item| item.as_object().into_iter().flatten().map(|(_, write)| one(write))).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_writes_each_of_its_items() {
        let key = json!({ "pk": { "S": "a" }, "sk": { "S": "b" } });
        let asked = json!({ "TransactItems": [
            { "Put": { "TableName": "t", "Item": { "pk": { "S": "a" }, "sk": { "S": "b" }, "more": { "N": "1" } } } },
            { "Delete": { "TableName": "u", "Key": key } },
        ] });
        let found = writes("TransactWriteItems", &asked);
        assert_eq!(found, vec![("t".to_owned(), key.clone()), ("u".to_owned(), key)]);
        assert!(writes("GetItem", &asked).is_empty());
    }
}

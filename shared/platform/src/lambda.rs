//! A [`Function`] as a Lambda function.
//!
//! Invariant: the same conversion from event to handler serves the deployed function and the tests
//! that feed it the sample events.

use std::sync::Arc;

use aws_lambda_events::sqs::SqsEvent;
use bytes::Bytes;
use lambda_http::{Body, RequestExt as _};
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};

use crate::batch;
use crate::deps::Deps;
use crate::function::{Change, Function, Request, Response, Trigger};

/// What a function's `main` returns.
pub type Error = lambda_runtime::Error;

/// Runs a function until Lambda stops it: logs to standard output as JSON, builds the dependencies
/// once, then handles events.
///
/// # Errors
/// The environment is incomplete, or the Runtime API is gone.
pub async fn run(function: Function) -> Result<(), Error> {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .without_time()
        .with_target(false)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let deps = Arc::new(Deps::from_env().await?);
    if let Some(prepare) = function.prepare {
        prepare(deps.clone()).await;
    }
    match function.trigger {
        Trigger::Http { handler, .. } => {
            lambda_http::run(service_fn(move |request: lambda_http::Request| {
                let deps = deps.clone();
                async move { Ok::<_, std::convert::Infallible>(to_lambda(handler(deps, from_lambda(request)).await)) }
            }))
            .await
        }
        Trigger::Queue { .. } | Trigger::Stream { .. } | Trigger::Schedule { .. } => {
            lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
                let deps = deps.clone();
                async move { invoke(&function, deps, event.payload).await }
            }))
            .await
        }
    }
}

/// Handles one event as AWS delivers it and returns what AWS would get back.
///
/// # Errors
/// The event is not of the function's kind, or a stream batch failed as a whole.
pub async fn invoke(function: &Function, deps: Arc<Deps>, event: Value) -> Result<Value, Error> {
    match function.trigger {
        Trigger::Http { handler, .. } => {
            let request = lambda_http::request::from_str(&event.to_string())?;
            let response = handler(deps, from_lambda(request)).await;
            let headers: serde_json::Map<String, Value> = response
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap_or_default())))
                .collect();
            let body = String::from_utf8_lossy(response.body()).into_owned();
            Ok(json!({ "statusCode": response.status().as_u16(), "headers": headers, "body": body }))
        }
        Trigger::Queue { queue, handler, .. } => {
            let event: SqsEvent = serde_json::from_value(event)?;
            Ok(serde_json::to_value(batch::handle(deps, queue, handler, event).await)?)
        }
        Trigger::Stream { handler, .. } => {
            handler(deps, changes(&event)).await?;
            Ok(Value::Null)
        }
        Trigger::Schedule { handler, .. } => {
            handler(deps).await?;
            Ok(Value::Null)
        }
    }
}

/// The changes of a DynamoDB stream event; records without our key attributes are passed over.
fn changes(event: &Value) -> Vec<Change> {
    let key = |record: &Value, name: &str| record["dynamodb"]["Keys"][name]["S"].as_str().map(str::to_owned);
    let records = event["Records"].as_array().map(Vec::as_slice).unwrap_or_default();
    records
        .iter()
        .filter_map(|record| {
            let removed = (record["eventName"] == "REMOVE").then(|| scalars(&record["dynamodb"]["OldImage"]));
            Some(Change { pk: key(record, "pk")?, sk: key(record, "sk")?, removed })
        })
        .collect()
}

/// The string and number attributes of an item in DynamoDB's JSON.
fn scalars(image: &Value) -> std::collections::BTreeMap<String, String> {
    let attributes = image.as_object().into_iter().flatten();
    attributes
        .filter_map(|(name, value)| {
            let scalar = value["S"].as_str().or_else(|| value["N"].as_str())?;
            Some((name.clone(), scalar.to_owned()))
        })
        .collect()
}

fn from_lambda(request: lambda_http::Request) -> Request {
    // HTTP APIs put the stage into the path only when it is not `$default`; the raw path is ours.
    let raw_path = request.raw_http_path().to_owned();
    let (mut parts, body) = request.into_parts();
    if let Some(uri) = with_path(&parts.uri, &raw_path) {
        parts.uri = uri;
    }
    let body = match body {
        Body::Empty => Bytes::new(),
        Body::Text(text) => Bytes::from(text),
        Body::Binary(bytes) => Bytes::from(bytes),
        _ => Bytes::new(),
    };
    Request::from_parts(parts, body)
}

fn with_path(uri: &http::Uri, path: &str) -> Option<http::Uri> {
    if path.is_empty() || uri.path() == path {
        return None;
    }
    let path_and_query = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    path_and_query.parse().ok()
}

fn to_lambda(response: Response) -> http::Response<Body> {
    response.map(|body| match String::from_utf8(body.to_vec()) {
        Ok(text) => Body::Text(text),
        Err(bytes) => Body::Binary(bytes.into_bytes()),
    })
}

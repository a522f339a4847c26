//! A [`Function`] as a Lambda function.
//!
//! Invariant: the same conversion from event to handler serves the deployed function and the tests
//! that feed it the sample events.

use std::sync::Arc;

use aws_lambda_events::sqs::SqsEvent;
use bytes::Bytes;
use lambda_http::request::RequestContext;
use lambda_http::{Body, RequestExt as _};
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::batch;
use crate::caller::{Caller, InvalidSubject, Subject};
use crate::deps::Deps;
use crate::function::{Change, Function, Request, Response, Trigger};
use crate::hop::{Hop, serve};
use crate::log;
use crate::receive::json as json_response;
use crate::trace::Trace;

/// What a function's `main` returns.
pub type Error = lambda_runtime::Error;

/// Runs a function until Lambda stops it: logs to standard output ([`crate::log`]), builds the dependencies
/// and opens the connection its answers wait for once, then handles events.
///
/// # Errors
/// The environment is incomplete, or the Runtime API is gone.
pub async fn run(function: Function) -> Result<(), Error> {
    tracing_subscriber::registry()
        .with(log::filter(&std::env::var("RUST_LOG").unwrap_or_default()))
        .with(log::layer(std::io::stdout))
        .init();
    // What a panic says may quote what was being worked on; the default hook would print it.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "panicked");
    }));
    let deps = Arc::new(Deps::from_env().await?);
    tokio::join!(connect(&function, &deps), async {
        if let Some(prepare) = function.prepare {
            prepare(deps.clone()).await;
        }
    });
    match function.trigger {
        Trigger::Http { handler, .. } => {
            lambda_http::run(service_fn(move |request: lambda_http::Request| {
                let deps = deps.clone();
                async move {
                    let request = match from_lambda(request) {
                        Ok(request) => request,
                        Err(refusal) => return Ok(to_lambda(refusal)),
                    };
                    // A panic is an error of the function, which its alarm counts.
                    serve(function.name, deps, handler, request).await.map(to_lambda).map_err(Error::from)
                }
            }))
            .await
        }
        Trigger::Queue { .. } | Trigger::Stream { .. } | Trigger::Schedule { .. } => {
            lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
                let deps = deps.clone();
                async move {
                    let trace = event.context.xray_trace_id.as_deref().and_then(Trace::parse);
                    let invoked = invoke(&function, deps.clone(), event.payload);
                    match trace {
                        // That of a record comes before that of the invocation, which may be for many.
                        Some(trace) => Hop::begin(&deps, function.name, Some(trace)).carry(invoked).await,
                        None => invoked.await,
                    }
                }
            }))
            .await
        }
    }
}

/// Opens the connection to SQS during Init, whose time nobody waits for and whose processor is not rationed: for functions
/// behind an API, which send before they answer. Others send when something failed, and seldom.
async fn connect(function: &Function, deps: &Deps) {
    if let Trigger::Http { .. } = function.trigger
        && let Some(queue) = function.sends_to.first()
        && !deps.queues.connect(queue).await
    {
        tracing::warn!(queue, "SQS gave no answer at start; the first message has to open the connection");
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
            let response = match from_lambda(request) {
                Ok(request) => serve(function.name, deps, handler, request).await?,
                Err(refusal) => refusal,
            };
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
            Ok(serde_json::to_value(batch::handle(deps, function.name, queue, handler, event).await)?)
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

/// The request as handlers have it, with its [`Caller`] if the API's authorizer let one in; or the refusal of a token
/// that is about nobody.
fn from_lambda(request: lambda_http::Request) -> Result<Request, Response> {
    let caller = match request.request_context_ref().and_then(subject) {
        None => None,
        Some(Ok(subject)) => Some(Caller { subject }),
        Some(Err(problem)) => {
            let message = format!("the token's claim sub: {problem}");
            return Err(json_response(http::StatusCode::FORBIDDEN, &json!({ "message": message })));
        }
    };
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
    if let Some(caller) = caller {
        parts.extensions.insert(caller);
    }
    Ok(Request::from_parts(parts, body))
}

/// The subject of the token that the HTTP API's JWT authorizer let pass, if it asked for one.
fn subject(context: &RequestContext) -> Option<Result<Subject, InvalidSubject>> {
    let RequestContext::ApiGatewayV2(context) = context else { return None };
    let jwt = context.authorizer.as_ref()?.jwt.as_ref()?;
    Some(Subject::parse(jwt.claims.get("sub").cloned().unwrap_or_default()))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The caller of a request for the client API with this `requestContext.authorizer`.
    fn caller(authorizer: Value) -> Result<Option<String>, u16> {
        let event = json!({
            "version": "2.0", "routeKey": "GET /client/transactions/{transaction_id}", "rawPath": "/client/transactions/t",
            "rawQueryString": "", "headers": { "authorization": "Bearer somebody-else" }, "isBase64Encoded": false,
            "requestContext": {
                "http": { "method": "GET", "path": "/client/transactions/t" }, "timeEpoch": 0, "authorizer": authorizer,
            },
        });
        let request = lambda_http::request::from_str(&event.to_string()).unwrap();
        let request = from_lambda(request).map_err(|refusal| refusal.status().as_u16())?;
        Ok(Caller::of(&request).map(|caller| caller.subject.as_str().to_owned()))
    }

    #[test]
    fn the_caller_is_whom_the_authorizer_let_in() {
        let jwt = |claims: Value| json!({ "jwt": { "claims": claims, "scopes": null } });
        assert_eq!(caller(jwt(json!({ "sub": "asha", "iss": "https://issuer.example" }))), Ok(Some("asha".to_owned())));
        // No authorizer: the API asks for no token, whatever the request brings.
        assert_eq!(caller(Value::Null), Ok(None));
        // A token about nobody must not pass for a request without a token.
        assert_eq!(caller(jwt(json!({ "iss": "https://issuer.example" }))), Err(403));
        assert_eq!(caller(jwt(json!({ "sub": "" }))), Err(403));
        assert_eq!(caller(jwt(Value::Null)), Err(403));
    }
}

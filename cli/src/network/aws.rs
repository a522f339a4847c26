//! One loopback port that answers as DynamoDB, SQS and Secrets Manager do, for programs outside this process:
//! functions run by `cargo lambda`, and the operator's own commands.
//!
//! Invariant: it is reached from this machine alone, and by programs alone: a request for another host name, or
//! with the `Origin` of a web page, is refused before anything is done, for the secrets are behind it too.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use beckn_health_platform::deps::Deps;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::StartError;
use super::identity::Role;
use crate::sqs::Sqs;

/// Bytes read from a request: more than DynamoDB takes (16 MB).
const MAX_BODY: usize = 17 * 1024 * 1024;
/// What precedes a secret's name in its ARN.
const SECRET_ARN_PREFIX: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:";

/// A port of 127.0.0.1, taken and not yet served.
pub struct Port {
    listener: TcpListener,
    address: SocketAddr,
}

impl Port {
    /// Takes a port; 0 takes a free one.
    ///
    /// # Errors
    /// The port is in use or may not be used.
    pub async fn take(port: u16) -> Result<Self, StartError> {
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let failed = |error| StartError::ListenForAws(wanted, error);
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// `http://127.0.0.1:<port>`, the value of `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// The name of a role's secret.
pub fn secret_name(role: Role) -> String {
    format!("{}/{}", super::DEPLOYMENT, role.path())
}

/// What answers behind the port.
pub(super) struct Services {
    /// The queues.
    pub(super) sqs: Sqs,
    /// Where the embedded DynamoDB is served.
    pub(super) dynamodb: SocketAddr,
    /// Whose keys each secret holds, by its name.
    pub(super) secrets: BTreeMap<String, Arc<Deps>>,
}

/// Serves the port until `stop`.
pub(super) async fn serve(port: Port, services: Services, stop: watch::Receiver<bool>) {
    let http = match reqwest::Client::builder().no_proxy().build() {
        Ok(http) => http,
        Err(problem) => {
            tracing::error!(%problem, "the AWS port is not served");
            return;
        }
    };
    let own_port = port.address.port();
    let services = Arc::new(services);
    let stopped = stop.clone();
    let app = axum::Router::new().fallback(move |request: http::Request<Body>| {
        let (services, http, mut stop) = (services.clone(), http.clone(), stop.clone());
        async move {
            tokio::select! {
                response = answer(&services, &http, own_port, request) => response,
                // A long poll would hold up the end for its whole wait.
                _ = stop.wait_for(|stopped| *stopped) => {
                    fault(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "the local network is stopping")
                }
            }
        }
    });
    let until = async move {
        let mut stopped = stopped;
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    if let Err(problem) = axum::serve(port.listener, app).with_graceful_shutdown(until).await {
        tracing::error!(%problem, "the AWS port is no longer served");
    }
}

async fn answer(
    services: &Services,
    http: &reqwest::Client,
    own_port: u16,
    request: http::Request<Body>,
) -> http::Response<Body> {
    let (parts, body) = request.into_parts();
    if !is_of_this_machine(&parts.headers, own_port) {
        return fault(
            StatusCode::FORBIDDEN,
            "AccessDeniedException",
            "this port answers programs of this machine only",
        );
    }
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let (service, operation) = target.split_once('.').unwrap_or_default();
    let (service, operation) = (service.to_owned(), operation.to_owned());
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return fault(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", "the request body is too large");
    };
    match service.as_str() {
        "AmazonSQS" => queues(&services.sqs, &operation, &body).await,
        "secretsmanager" => secrets(&services.secrets, &operation, &body).await,
        dynamodb if dynamodb.starts_with("DynamoDB") => forward(http, services.dynamodb, parts.headers, body).await,
        _ => fault(
            StatusCode::BAD_REQUEST,
            "UnknownOperationException",
            "this port answers as DynamoDB, SQS and Secrets Manager, by the header x-amz-target",
        ),
    }
}

/// Whether the request was made to this port under one of its own names, and by no web page: a page that got a
/// name of its own to point at 127.0.0.1 still sends that name, or its origin.
fn is_of_this_machine(headers: &HeaderMap, own_port: u16) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.strip_suffix(&format!(":{own_port}"));
    matches!(name, Some("127.0.0.1" | "localhost")) && !headers.contains_key(header::ORIGIN)
}

async fn queues(sqs: &Sqs, operation: &str, body: &[u8]) -> http::Response<Body> {
    let answer = sqs.answer(operation, body).await;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = amz_json(status, answer.body);
    if let Some(error) = answer.query_error.and_then(|error| HeaderValue::from_str(&error).ok()) {
        response.headers_mut().insert("x-amzn-query-error", error);
    }
    response
}

/// `GetSecretValue`, by name or ARN: the keys as they are now, for they may have been rotated.
async fn secrets(secrets: &BTreeMap<String, Arc<Deps>>, operation: &str, body: &[u8]) -> http::Response<Body> {
    if operation != "GetSecretValue" {
        return fault(
            StatusCode::BAD_REQUEST,
            "UnknownOperationException",
            "of Secrets Manager the local network knows GetSecretValue alone",
        );
    }
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(id) = asked["SecretId"].as_str() else {
        return fault(StatusCode::BAD_REQUEST, "InvalidParameterException", "SecretId: expected a name or an ARN");
    };
    let name = id.strip_prefix(SECRET_ARN_PREFIX).unwrap_or(id);
    let ring = match secrets.get(name) {
        Some(deps) => deps.participant.keys.ring(deps.clock.now()).await.ok(),
        None => None,
    };
    match ring {
        Some(ring) => {
            let answer = json!({
                "ARN": format!("{SECRET_ARN_PREFIX}{name}"),
                "Name": name,
                "SecretString": String::from_utf8_lossy(&ring.to_json()),
                "VersionStages": ["AWSCURRENT"],
            });
            amz_json(StatusCode::OK, answer.to_string().into_bytes())
        }
        None => fault(
            StatusCode::BAD_REQUEST,
            "ResourceNotFoundException",
            "Secrets Manager can't find the specified secret.",
        ),
    }
}

/// Hands a request to the embedded DynamoDB and its answer back, both unchanged.
async fn forward(
    http: &reqwest::Client,
    dynamodb: SocketAddr,
    mut headers: HeaderMap,
    body: Bytes,
) -> http::Response<Body> {
    for of_this_hop in [header::HOST, header::CONTENT_LENGTH, header::CONNECTION, header::TRANSFER_ENCODING] {
        headers.remove(of_this_hop);
    }
    let unreachable = || {
        let shape = "com.amazonaws.dynamodb.v20120810#InternalServerError";
        fault(StatusCode::INTERNAL_SERVER_ERROR, shape, "the embedded DynamoDB does not answer")
    };
    let sent = http.post(format!("http://{dynamodb}/")).headers(headers).body(body).send().await;
    let Ok(answer) = sent else { return unreachable() };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let Ok(body) = answer.bytes().await else { return unreachable() };
    let mut response = http::Response::new(Body::from(body));
    *response.status_mut() = status;
    for (name, value) in &headers {
        if *name != header::CONTENT_LENGTH && *name != header::TRANSFER_ENCODING && *name != header::CONNECTION {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}

/// An error as AWS's JSON services word it.
fn fault(status: StatusCode, shape: &str, message: &str) -> http::Response<Body> {
    amz_json(status, json!({ "__type": shape, "message": message, "Message": message }).to_string().into_bytes())
}

fn amz_json(status: StatusCode, body: Vec<u8>) -> http::Response<Body> {
    let mut response = http::Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_no_page_is_answered() {
        let allowed = |host: &'static str, origin: Option<&'static str>| {
            let mut headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            is_of_this_machine(&headers, 4566)
        };
        assert!(allowed("127.0.0.1:4566", None) && allowed("localhost:4566", None));
        assert!(!allowed("rebound.example:4566", None));
        assert!(!allowed("127.0.0.1:4566", Some("https://page.example")));
        assert!(!allowed("127.0.0.1", None) && !allowed("127.0.0.1:45660", None));
        assert!(!is_of_this_machine(&HeaderMap::new(), 4566));
    }
}

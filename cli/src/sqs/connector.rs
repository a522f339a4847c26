//! The SDK's HTTP client that has no network.
//!
//! Invariant: every request gets an HTTP answer as SQS would give it; only a body that is not in
//! memory, which no SQS operation has, is a connector error.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use super::{Answer, Sqs, fresh};

const TARGET_PREFIX: &str = "AmazonSQS.";

/// An HTTP client of the AWS SDK that hands each request to the queues it was made from.
#[derive(Debug, Clone)]
pub struct SqsHttpClient {
    sqs: Sqs,
}

impl SqsHttpClient {
    pub(super) fn new(sqs: Sqs) -> Self {
        Self { sqs }
    }
}

impl HttpClient for SqsHttpClient {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        // Connect and read timeouts bound a network; there is none, and a long poll is bounded by
        // its own wait.
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for SqsHttpClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sqs = self.sqs.clone();
        HttpConnectorFuture::new(async move {
            let operation = request
                .headers()
                .get("x-amz-target")
                .and_then(|target| target.strip_prefix(TARGET_PREFIX))
                .unwrap_or_default()
                .to_owned();
            let body = request.into_body();
            let Some(bytes) = body.bytes() else {
                return Err(ConnectorError::user("an SQS request body must be in memory".into()));
            };
            respond(sqs.answer(&operation, bytes).await)
        })
    }
}

fn respond(answer: Answer) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(answer.status).map_err(|error| ConnectorError::other(error.into(), None))?;
    let mut response = HttpResponse::new(status, SdkBody::from(answer.body));
    let headers = response.headers_mut();
    headers.insert("content-type", "application/x-amz-json-1.0");
    headers.insert("x-amzn-requestid", fresh::id().to_string());
    if let Some(query_error) = answer.query_error {
        headers.insert("x-amzn-query-error", query_error);
    }
    Ok(response)
}

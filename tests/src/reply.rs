//! A synchronous answer, with what tests ask of it.

use reqwest::header::HeaderMap;
use serde_json::Value;

/// The answer to one HTTP request.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Response headers.
    pub headers: HeaderMap,
    /// Body as JSON; `null` when it is none.
    pub body: Value,
}

impl Reply {
    /// Reads a response to its end.
    /// Reads a response to its end.
    pub async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        Self { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    /// Whether it is `200` with an ACK and nothing else.
    pub fn is_ack(&self) -> bool {
        self.status == 200 && self.body == serde_json::json!({ "message": { "ack": { "status": "ACK" } } })
    }

    /// Asserts the ACK.
    #[track_caller]
    pub fn ack(&self) {
        assert!(self.is_ack(), "expected an ACK, found {} {}", self.status, self.body);
    }

    /// Asserts a NACK with this status, code and path (`""`: no path).
    #[track_caller]
    pub fn nack(&self, status: u16, code: &str, path: &str) {
        let found = (self.status, &self.body["message"]["ack"]["status"], &self.body["error"]["code"]);
        assert_eq!(found, (status, &Value::from("NACK"), &Value::from(code)), "{}", self.body);
        assert_eq!(self.body["error"]["paths"].as_str().unwrap_or(""), path, "{}", self.body);
        assert!(self.body["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{}", self.body);
    }

    /// A header, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

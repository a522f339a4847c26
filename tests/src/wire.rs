//! HTTP by hand: requests that no client library sends.
//!
//! Invariant: the bytes given are the bytes sent, and the answer is read until the peer closes.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::within;

/// What came back over one connection.
#[derive(Debug, Clone)]
pub struct Answers {
    /// The status of every response, in their order.
    pub statuses: Vec<u16>,
    /// Everything that came, as text.
    pub text: String,
}

impl Answers {
    /// The one status; 0 when the peer hung up without a word.
    pub fn status(&self) -> u16 {
        assert!(self.statuses.len() <= 1, "one request, one answer: {}", self.text);
        self.statuses.first().copied().unwrap_or_default()
    }

    /// The JSON of the last response; `null` when it is none.
    pub fn body(&self) -> Value {
        let (_, body) = self.text.rsplit_once("\r\n\r\n").unwrap_or_default();
        serde_json::from_str(body).unwrap_or(Value::Null)
    }
}

/// Sends bytes to `http://host:port` and reads until the peer closes.
pub async fn send(url: &str, bytes: &[u8]) -> Answers {
    let stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    // A peer that has heard enough answers and hangs up while we still write: neither is a fault of the test.
    let writing = async {
        let _ = to.write_all(bytes).await;
        let _ = to.flush().await;
    };
    let mut read = Vec::new();
    let reading = async {
        let _ = from.read_to_end(&mut read).await;
    };
    within("the peer to answer and close", async { tokio::join!(writing, reading) }).await;
    let text = String::from_utf8_lossy(&read).into_owned();
    // Bodies are JSON on one line: a line that begins so begins a response.
    let statuses = text
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|response| response.get(..3).and_then(|status| status.parse().ok()).unwrap_or_default())
        .collect();
    Answers { statuses, text }
}

/// A `POST` with these header lines, its body of a known length, and a wish to close.
pub fn post(target: &str, headers: &[(&str, &[u8])], body: &[u8]) -> Vec<u8> {
    let mut request = format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n").into_bytes();
    for (name, value) in headers {
        line(&mut request, name, value);
    }
    line(&mut request, "Content-Length", body.len().to_string().as_bytes());
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body);
    request
}

/// The same in chunks of this many bytes, without a length.
pub fn chunked(target: &str, headers: &[(&str, &[u8])], body: &[u8], chunk: usize) -> Vec<u8> {
    let mut request = format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n").into_bytes();
    for (name, value) in headers {
        line(&mut request, name, value);
    }
    request.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
    for part in body.chunks(chunk) {
        request.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        request.extend_from_slice(part);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    request
}

fn line(request: &mut Vec<u8>, name: &str, value: &[u8]) {
    request.extend_from_slice(name.as_bytes());
    request.extend_from_slice(b": ");
    request.extend_from_slice(value);
    request.extend_from_slice(b"\r\n");
}

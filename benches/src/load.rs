//! Many requests over few connections, with as little work on this side as can be.
//!
//! Invariant: a connection sends its next request when the answer to the last one is there (a closed loop), so the
//! latencies of a run and its throughput belong together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use beckn_health::failure::Failure;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// What came of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How long each acknowledged request took.
    pub acknowledged: Vec<Duration>,
    /// Requests that were answered with anything but `200` and ACK.
    pub refused: usize,
    /// How long the run was.
    pub elapsed: Duration,
}

/// A request as it goes over the wire.
#[must_use]
pub fn post(address: SocketAddr, path: &str, authorization: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\nauthorization: {authorization}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// Sends `requests`, one after the other and again from the first, over so many connections for
/// `warm_up`, which is not counted, and `duration`. On a thread of its own.
///
/// # Errors
/// The server closes a connection or gives an answer that is no HTTP.
pub fn run(
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    connections: usize,
    warm_up: Duration,
    duration: Duration,
) -> Result<Outcome, Failure> {
    let run = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let requests: Arc<[Vec<u8>]> = requests.into();
        runtime.block_on(async {
            let next = Arc::new(AtomicUsize::new(0));
            let counted_from = Instant::now() + warm_up;
            let until = counted_from + duration;
            let mut running = JoinSet::new();
            for _ in 0..connections {
                running.spawn(connection(address, requests.clone(), next.clone(), counted_from, until));
            }
            let mut all = Outcome { elapsed: duration, ..Outcome::default() };
            while let Some(one) = running.join_next().await {
                let one = one??;
                all.acknowledged.extend(one.acknowledged);
                all.refused += one.refused;
            }
            Ok(all)
        })
    });
    run.join().map_err(|_| Failure("the load ended unexpectedly".to_owned()))?
}

async fn connection(
    address: SocketAddr,
    requests: Arc<[Vec<u8>]>,
    next: Arc<AtomicUsize>,
    counted_from: Instant,
    until: Instant,
) -> Result<Outcome, Failure> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut outcome = Outcome::default();
    let mut answer = Vec::with_capacity(4_096);
    loop {
        let sent_at = Instant::now();
        if sent_at >= until {
            return Ok(outcome);
        }
        let index = next.fetch_add(1, Ordering::Relaxed) % requests.len().max(1);
        let Some(request) = requests.get(index) else { return Ok(outcome) };
        stream.write_all(request).await?;
        answer.clear();
        while length(&answer)?.is_none_or(|length| answer.len() < length) {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err(Failure("the network closed a connection".to_owned()));
            }
        }
        let answered_at = Instant::now();
        if sent_at < counted_from || answered_at > until {
            continue;
        }
        if answer.starts_with(b"HTTP/1.1 200 ") && answer.windows(5).any(|part| part == b"\"ACK\"") {
            outcome.acknowledged.push(answered_at.duration_since(sent_at));
        } else {
            outcome.refused += 1;
        }
    }
}

/// Bytes of a whole answer, once its head is there.
fn length(answer: &[u8]) -> Result<Option<usize>, Failure> {
    let Some(end) = answer.windows(4).position(|part| part == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(answer.get(..end).unwrap_or_default()).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let body: usize = length
        .and_then(|length| length.trim().parse().ok())
        .ok_or_else(|| Failure("the network answered without a content-length".to_owned()))?;
    Ok(Some(end + 4 + body))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_length_is_there() {
        assert_eq!(length(b"HTTP/1.1 200 OK\r\nContent-Le").unwrap(), None);
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n";
        assert_eq!(length(head).unwrap(), Some(head.len() + 12));
        assert!(length(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn only_acknowledged_requests_count() {
        use std::io::{Read as _, Write as _};
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let request = post(address, "/bpp/search", "Signature x", b"{}");
        let bytes = request.len();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut read = vec![0; bytes];
            for turn in 0u64.. {
                if stream.read_exact(&mut read).is_err() {
                    return;
                }
                let word = if turn % 2 == 0 { "\"ACK\"" } else { "\"NAK\"" };
                let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{word}");
            }
        });
        let outcome = run(address, vec![request], 1, Duration::ZERO, Duration::from_millis(200)).unwrap();
        assert!(!outcome.acknowledged.is_empty());
        assert!(outcome.refused.abs_diff(outcome.acknowledged.len()) <= 1, "{outcome:?}");
    }
}

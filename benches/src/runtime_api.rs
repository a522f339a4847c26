//! The Lambda Runtime API as far as a starting function sees it.
//!
//! It tells when a function asks for its first event and never has one. Whatever AWS service the
//! function calls while it starts is answered with an empty result, so that it has its connections but nothing to load.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use beckn_health::failure::Failure;

/// What a starting function did.
#[derive(Debug)]
pub enum Sign {
    /// It asked for its first event.
    FirstPoll(Instant),
    /// It said that it cannot start, and why.
    InitError(String),
}

/// A Runtime API on a free port of the loopback interface.
pub struct RuntimeApi {
    /// Where it listens.
    pub address: SocketAddr,
    signs: Receiver<Sign>,
}

impl RuntimeApi {
    /// Starts it; it runs as long as the process.
    ///
    /// # Errors
    /// No port is free.
    pub fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let (tell, signs) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let tell = tell.clone();
                // A function that is gone leaves its connection broken; that is no fault.
                std::thread::spawn(move || serve(&stream, &tell).is_ok());
            }
        });
        Ok(Self { address, signs })
    }

    /// Forgets what functions before did.
    pub fn forget(&self) {
        while self.signs.try_recv().is_ok() {}
    }

    /// The next sign of a function; `None` when there is none within `patience`.
    #[must_use]
    pub fn wait(&self, patience: Duration) -> Option<Sign> {
        self.signs.recv_timeout(patience).ok()
    }
}

/// Answers the requests of one connection.
fn serve(stream: &TcpStream, tell: &Sender<Sign>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut request_line = String::new();
        if reader.read_line(&mut request_line)? == 0 {
            return Ok(());
        }
        let asked_at = Instant::now();
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            match header.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().unwrap_or(0);
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let path = request_line.split(' ').nth(1).unwrap_or_default();
        if path.ends_with("/invocation/next") {
            // There is never an event: the function waits until it is ended.
            let _ = tell.send(Sign::FirstPoll(asked_at));
            continue;
        }
        if path.ends_with("/init/error") {
            let _ = tell.send(Sign::InitError(String::from_utf8_lossy(&body).into_owned()));
        }
        let empty = r#"{"Count":0,"ScannedCount":0,"Items":[],"Responses":{},"UnprocessedKeys":{}}"#;
        let mut answering = stream;
        write!(
            answering,
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n{empty}",
            empty.len()
        )?;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn it_tells_of_the_first_poll_and_answers_aws_calls_before_it() {
        let api = RuntimeApi::start().unwrap();
        let mut stream = TcpStream::connect(api.address).unwrap();
        stream.write_all(b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        assert!(api.signs.try_recv().is_err(), "a call of AWS is no poll");
        stream.write_all(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        assert!(matches!(api.wait(PATIENCE), Some(Sign::FirstPoll(_))));
    }

    #[test]
    fn it_tells_why_a_function_cannot_start() {
        let api = RuntimeApi::start().unwrap();
        let mut stream = TcpStream::connect(api.address).unwrap();
        stream.write_all(b"POST /2018-06-01/runtime/init/error HTTP/1.1\r\nContent-Length: 3\r\n\r\nwhy").unwrap();
        let Some(Sign::InitError(reason)) = api.wait(PATIENCE) else { panic!("no init error") };
        assert_eq!(reason, "why");
    }
}

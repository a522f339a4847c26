//! Everything that is logged, as a deployed function would write it, kept in memory.

use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};

use beckn_health_platform::log;
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::within;

/// What was logged since [`capture`] was first called, by any test of this process.
#[derive(Default)]
pub struct Log(Mutex<String>);

impl Log {
    /// Every line.
    pub fn lines(&self) -> Vec<String> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.lines().map(str::to_owned).collect()
    }

    /// The lines that hold `text`.
    pub fn lines_with(&self, text: &str) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.contains(text)).collect()
    }

    /// The lines of hops that hold `text`.
    pub fn hops_with(&self, text: &str) -> Vec<Value> {
        let lines = self.lines_with(text);
        lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .filter(|line: &Value| line["_aws"] != Value::Null)
            .collect()
    }

    /// Waits until `count` hops whose line holds `text` have ended: a hop ends after its last word to a peer.
    pub async fn ended(&self, count: usize, text: &str) -> Vec<Value> {
        within(&format!("{count} hops with {text}"), async {
            loop {
                let hops = self.hops_with(text);
                if hops.len() >= count {
                    return hops;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }
}

/// Writes into the log.
pub struct Writer(&'static Log);

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for &'static Log {
    type Writer = Writer;

    fn make_writer(&'a self) -> Writer {
        Writer(self)
    }
}

/// Starts to keep everything that a deployed function would write with `RUST_LOG=trace`.
///
/// # Panics
/// Something else in this process takes the log already.
pub fn capture() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    static INSTALLED: OnceLock<()> = OnceLock::new();
    let kept = LOG.get_or_init(Log::default);
    INSTALLED.get_or_init(|| {
        tracing_subscriber::registry().with(log::filter("trace")).with(log::layer(kept)).try_init().unwrap();
    });
    kept
}

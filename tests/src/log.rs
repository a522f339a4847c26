//! Everything our crates log, kept in memory.

use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// What was logged since [`capture`] was first called, by any test of this process.
#[derive(Default)]
pub struct Log(Mutex<String>);

impl Log {
    /// The lines that hold `text`.
    pub fn lines_with(&self, text: &str) -> Vec<String> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
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

/// Starts to keep everything that our crates log, down to TRACE.
///
/// # Panics
/// Something else in this process takes the log already.
pub fn capture() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    static INSTALLED: OnceLock<()> = OnceLock::new();
    let log = LOG.get_or_init(Log::default);
    INSTALLED.get_or_init(|| {
        let ours = "off,beckn_health=trace,beckn_health_protocol=trace,beckn_health_domain=trace,\
                    beckn_health_platform=trace,beckn_health_functions=trace";
        tracing_subscriber::fmt().with_env_filter(ours).with_ansi(false).with_writer(log).try_init().unwrap();
    });
    log
}

//! The subcommands, one file each.
//!
//! Invariant: a command that fails says in one sentence what went wrong and what to do.

pub mod catalogue;
pub mod client;
pub mod demo;
pub mod events;
pub mod keys;
pub mod send;
pub mod timeline;
pub mod trace;
pub mod up;

use std::path::{Path, PathBuf};

use beckn_health_domain::catalogue::Catalogue;
use clap::Subcommand;

/// What `beckn-health` can do.
#[derive(Subcommand)]
pub enum Command {
    /// Start a network, book a cardiology consultation on it, and show every step
    #[command(after_help = "Examples:\n  beckn-health demo\n  beckn-health demo --json")]
    Demo(demo::Demo),
    /// Run BAP, gateway, registry and BPP on one port until Ctrl-C
    #[command(
        after_help = "Prints `ready http://127.0.0.1:8080` on its own line when it serves.\n\nExamples:\n  beckn-health up --port 8080\n  beckn-health up --port 8080 --data ./network --catalogue clinic.json"
    )]
    Up(up::Up),
    /// Sign a message, send it to a participant and print the answer
    #[command(
        after_help = "Examples:\n  beckn-health up --data data &\n  beckn-health send search --to http://127.0.0.1:8080/bpp\n  beckn-health send status --file status.json --to https://bpp.example.org/beckn --key bap.json"
    )]
    Send(send::Send),
    /// Make signing keys
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Print the timeline of a transaction of a running network
    #[command(
        after_help = "Example:\n  beckn-health trace 4b8f0d5e-0f5c-4f0b-9a53-0e7a3c1d2b11 --url http://127.0.0.1:8080"
    )]
    Trace(trace::Trace),
    /// Make or check a provider's catalogue
    #[command(subcommand)]
    Catalogue(catalogue::CatalogueCommand),
    /// Keep the sample events usable
    #[command(subcommand)]
    Events(events::Events),
}

/// Why a command failed: a sentence for whoever ran it.
#[derive(Debug)]
pub struct Failure(pub String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// It failed; the sentence says why.
    pub async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Demo(demo) => demo.run().await,
            Self::Up(up) => up.run().await,
            Self::Send(send) => send.run().await,
            Self::Keys(keys) => keys.run(),
            Self::Trace(trace) => trace.run().await,
            Self::Catalogue(catalogue) => catalogue.run(),
            Self::Events(events) => events.run(),
        }
    }
}

/// The catalogue that ships with the project: a few hundred practitioners of an invented city.
///
/// # Errors
/// The program was built with a damaged catalogue.
pub fn shipped_catalogue() -> Result<Catalogue, Failure> {
    Catalogue::parse(include_bytes!("../../sample/catalogue.json")).map_err(Failure::from)
}

/// Reads a catalogue file.
///
/// # Errors
/// It cannot be read, or it is not a catalogue; the sentence names the field at fault.
pub fn read_catalogue(path: &Path) -> Result<Catalogue, Failure> {
    let bytes = read(path)?;
    Catalogue::parse(&bytes).map_err(|error| Failure(format!("{}: {error}", path.display())))
}

/// Reads a file.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure(format!("{} cannot be read: {error}", path.display())))
}

/// Writes to a file, or to standard output without one.
fn write(path: Option<&PathBuf>, bytes: &[u8]) -> Result<(), Failure> {
    use std::io::Write as _;
    match path {
        Some(path) => std::fs::write(path, bytes)
            .map_err(|error| Failure(format!("{} cannot be written: {error}", path.display()))),
        None => std::io::stdout().write_all(bytes).map_err(Failure::from),
    }
}

/// Prints a line on standard output; a reader that has gone is no failure of ours.
fn say(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints JSON on standard output.
fn say_json(value: &serde_json::Value) {
    say(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Sends the log to standard error: `default`, or what `RUST_LOG` says. The embedded DynamoDB would warn of
/// every condition that does not hold, which is its everyday business.
fn log_to_stderr(default: &str) {
    use std::io::IsTerminal as _;
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(format!("{default},dynoxide=error")));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
}

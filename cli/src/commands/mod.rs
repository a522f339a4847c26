//! The subcommands, one file each.
//!
//! Invariant: a command that fails says in one sentence what went wrong and what to do.

pub mod base_url;
pub mod catalogue;
pub mod client;
pub mod demo;
pub mod deployment;
pub mod dlq;
pub mod doctor;
pub mod env;
pub mod events;
pub mod join;
pub mod key_argument;
pub mod keys;
pub mod length_of_time;
pub mod listing_argument;
pub mod paint;
pub mod registry;
pub mod send;
pub mod timeline;
pub mod trace;
pub mod up;
pub mod verify_header;

use std::path::{Path, PathBuf};

use beckn_health_domain::catalogue::Catalogue;
use beckn_health_platform::clock::{Clock as _, SystemClock};
use clap::Subcommand;
use jiff::Timestamp;

use crate::failure::Failure;

/// What `beckn-health` can do.
#[derive(Subcommand)]
pub enum Command {
    /// Start a network, book a cardiology consultation on it, and show every step
    #[command(after_help = "Examples:\n  beckn-health demo\n  beckn-health demo --json")]
    Demo(demo::Demo),
    /// Run BAP, gateway, registry and BPP on one port until Ctrl-C
    #[command(
        after_help = "Prints `ready http://127.0.0.1:8080` on its own line when it serves, and before it `token TOKEN`, the bearer token for /client, and with --aws-port `aws http://127.0.0.1:PORT`. The token is new each time, or kept in the file `token` of --data; BECKN_HEALTH_TOKEN tells another, or SUBJECT=TOKEN pairs separated by commas, and is not printed. A subject sees its own transactions alone.\n\nWith AWS_ENDPOINT_URL set to that, every command for operators (dlq, catalogue load, registry) works on this network, and so do functions run by `cargo lambda` (see `beckn-health env`).\n\nExamples:\n  beckn-health up --port 8080\n  beckn-health up --port 8080 --aws-port 4566\n  beckn-health up --port 8080 --data ./network --catalogue clinic.json"
    )]
    Up(up::Up),
    /// Sign a message, send it to a participant and print the answer
    #[command(
        after_help = "Examples:\n  beckn-health up --data data &\n  beckn-health send search --to http://127.0.0.1:8080/bpp\n  beckn-health send status --file status.json --to https://bpp.example.org/beckn --key bap.json"
    )]
    Send(send::Send),
    /// Make a participant's keys, and change them while it runs
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Print the environment in which a function runs against the local network
    #[command(
        after_help = "The variables are those the templates in infra/ set on AWS, and how the AWS SDK finds the network.\n\nExamples:\n  beckn-health up --aws-port 4566 &\n  ( eval \"$(beckn-health env bpp --aws-port 4566)\"; cargo lambda watch --bin bpp-select )\n  beckn-health env bap --aws-port 4566 --data ./network --json"
    )]
    Env(env::Env),
    /// Print what happened in a transaction: as its BAP saw it, or hop by hop as the functions logged it
    #[command(
        after_help = "With --url the BAP is asked through its client API: that works for any network, local or deployed, and shows the messages. With --deployment the functions' logs are read from CloudWatch Logs, and each hop is a line: time, function, action, peer, outcome, duration, trace id. A local network keeps no such logs; use --url there.\n\nExamples:\n  beckn-health trace 4b8f0d5e-0f5c-4f0b-9a53-0e7a3c1d2b11 --url http://127.0.0.1:8080\n  beckn-health trace 4b8f0d5e-0f5c-4f0b-9a53-0e7a3c1d2b11 --url https://bap.example.org\n  beckn-health trace 4b8f0d5e-0f5c-4f0b-9a53-0e7a3c1d2b11 --deployment beckn-health-dev --since 7d"
    )]
    Trace(trace::Trace),
    /// List, look at and move back what could not be delivered or handled
    #[command(subcommand)]
    Dlq(dlq::Dlq),
    /// Make, check or load a provider's catalogue
    #[command(subcommand)]
    Catalogue(catalogue::CatalogueCommand),
    /// Enter, list or give up participants in a registry of yours
    #[command(subcommand)]
    Registry(registry::Registry),
    /// Subscribe a participant to a network, and tell how far it got
    #[command(
        after_help = "The registry is sent a request signed with the key, sends a challenge to URL/on_subscribe, and lists who answers it right. Who answers: the participant at --url, if it runs. If nothing answers there and --url is plain http on this machine, this command does, on that very port, until it is decided. With --listen it does at that address; have --url lead there, through a tunnel or proxy if need be. With --no-answer it never does.\n\nThe same command again tells where the participant stands, and asks for another challenge when the last came to nothing. Ends with 0 when the registry says SUBSCRIBED, else with 1 and the registry's reason.\n\nExamples:\n  beckn-health up --port 8080 &\n  beckn-health keys new --subscriber-id bap.example.org --out bap.json\n  beckn-health join --registry http://127.0.0.1:8080/registry --key bap.json \\\n    --url http://127.0.0.1:9000/beckn --type BAP\n  beckn-health join --registry https://registry.example.org/registry --key bpp.json \\\n    --url https://bpp.example.org/beckn --type BPP --domain dhp:0.7.3 --city std:080 --country IND \\\n    --listen 0.0.0.0:8443"
    )]
    Join(Box<join::Join>),
    /// Check a participant's clock, keys, registry row and address, and say what to do
    #[command(
        after_help = "One line for each thing: ok, warn or FAIL, what was found, and what to do. Nothing is changed. Ends with 1 when there is a FAIL. Reachability is looked at from this machine: run it where the registry's view is like yours.\n\nExamples:\n  beckn-health doctor --registry http://127.0.0.1:8080/registry --data ./network --role bap\n  beckn-health doctor --registry https://registry.example.org/registry --key bap.json \\\n    --url https://bap.example.org/beckn --json"
    )]
    Doctor(Box<doctor::Doctor>),
    /// Explain, step by step, why the signature of a message is right or wrong
    // Not wrapped: a header broken over two lines cannot be pasted.
    #[command(after_help = verify_header::HELP, term_width = 0)]
    VerifyHeader(Box<verify_header::VerifyHeader>),
    /// Keep the sample events usable
    #[command(subcommand)]
    Events(events::Events),
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
            Self::Keys(keys) => keys.run().await,
            Self::Join(join) => join.run().await,
            Self::Doctor(doctor) => doctor.run().await,
            Self::VerifyHeader(verify_header) => verify_header.run().await,
            Self::Trace(trace) => trace.run().await,
            Self::Env(env) => env.run(),
            Self::Dlq(dlq) => dlq.run().await,
            Self::Catalogue(catalogue) => catalogue.run().await,
            Self::Registry(registry) => registry.run().await,
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

/// The time of day, for what a command dates or compares with.
fn now() -> Timestamp {
    SystemClock.now()
}

/// Rows in columns under their headings, two spaces apart.
fn table<const N: usize>(headings: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Vec<String> {
    let mut rows: Vec<[String; N]> = rows.collect();
    rows.insert(0, headings.map(str::to_owned));
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
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

//! `bench-report`: measures and writes the report.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use beckn_health::failure::Failure;
use beckn_health_benches::machine::{Circumstances, load};
use beckn_health_benches::report::Report;
use beckn_health_benches::{cold_start, cost, cpu, search, throughput};
use clap::{Parser, ValueEnum};

/// A part of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Processor time of receive and respond against the floor.
    Cpu,
    /// Exec to first poll, memory and sizes of every function's binary.
    ColdStart,
    /// Signed searches acknowledged per second by the local network.
    Throughput,
    /// From search to on_search, by size of the catalogue.
    Search,
    /// The AWS calls of a booking and what a million of them cost a provider.
    Cost,
}

/// Measure the network against its budgets and write a report.
///
/// Exit codes: 0 the report is written, whether or not a budget was missed; 1 something could not be
/// measured; 2 the command line was not understood.
#[derive(Parser)]
#[command(name = "bench-report", version)]
struct Arguments {
    /// The parts to measure
    #[arg(long, value_enum, value_delimiter = ',', default_value = "cpu,cold-start,throughput,search,cost")]
    parts: Vec<Part>,
    /// Practitioners of the catalogues searched
    #[arg(long, value_delimiter = ',', default_value = "100,10000,100000")]
    practitioners: Vec<usize>,
    /// Connections of the throughput runs
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    connections: Vec<usize>,
    /// Seconds of each throughput run
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Starts of each function's binary
    #[arg(long, default_value_t = 7)]
    starts: usize,
    /// Searches of each kind and size
    #[arg(long, default_value_t = 300)]
    searches: usize,
    /// Bookings whose AWS calls are counted
    #[arg(long, default_value_t = 50)]
    bookings: usize,
    /// Where to write the report; its JSON goes beside it
    #[arg(long, default_value = "target/bench-report.md")]
    out: PathBuf,
    /// Print the JSON on standard output too
    #[arg(long)]
    json: bool,
    /// The date the report bears; the commit's when absent
    #[arg(long)]
    date: Option<String>,
    /// Folder of the functions' release binaries; beside this program when absent
    #[arg(long)]
    binaries: Option<PathBuf>,
    /// Take the functions' binaries as they are instead of building them first
    #[arg(long)]
    no_build: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(sentence)) => {
            eprintln!("bench-report: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let folder = arguments.out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let binaries = match &arguments.binaries {
        Some(folder) => folder.clone(),
        None => std::env::current_exe()?.parent().map(Path::to_path_buf).unwrap_or_default(),
    };
    if cfg!(debug_assertions) {
        eprintln!("bench-report: this is a debug build, its figures mean nothing; run it with cargo run --release");
    }
    if arguments.parts.contains(&Part::ColdStart) && !arguments.no_build && arguments.binaries.is_none() {
        build(root, &binaries)?;
    }
    let mut circumstances = Circumstances::of(root, arguments.date.clone());
    let mut sections = Vec::new();
    // In this order whatever was asked for, each part once.
    for part in [Part::Cpu, Part::ColdStart, Part::Throughput, Part::Search, Part::Cost] {
        if !arguments.parts.contains(&part) {
            continue;
        }
        eprintln!("{part:?} …");
        sections.extend(match part {
            Part::Cpu => vec![cpu::measure()?],
            Part::ColdStart => vec![cold_start::measure(&binaries, arguments.starts)?],
            Part::Throughput => vec![throughput::measure(&arguments.connections, arguments.seconds, folder)?],
            Part::Search => vec![search::measure(&arguments.practitioners, arguments.searches)?],
            Part::Cost => cost::measure(arguments.bookings)?,
        });
    }
    circumstances.load_after = load();
    let report = Report { circumstances, sections };
    let json = serde_json::to_vec_pretty(&report.json())?;
    std::fs::write(&arguments.out, report.markdown())?;
    std::fs::write(arguments.out.with_extension("json"), &json)?;
    eprintln!("written: {}", arguments.out.display());
    if arguments.json {
        use std::io::Write as _;
        let mut out = std::io::stdout();
        out.write_all(&json)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Builds the functions' binaries as they are deployed, into the folder this program was built into.
fn build(root: &Path, binaries: &Path) -> Result<(), Failure> {
    let Some(target) = binaries.parent() else {
        return Err(Failure("this program is in no target folder; name one with --binaries".to_owned()));
    };
    eprintln!("building the functions' binaries (minutes the first time; not part of the measurement)");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "-p", "beckn-health-functions", "--bins", "--target-dir"])
        .arg(target)
        .current_dir(root)
        .status()?;
    if built.success() { Ok(()) } else { Err(Failure("the functions' binaries could not be built".to_owned())) }
}

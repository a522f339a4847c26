//! From exec to the first poll of the Runtime API, for every function; memory and sizes.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use beckn_health::failure::Failure;
use beckn_health_functions as functions;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde_json::json;

use crate::figures::Figures;
use crate::machine::resident_kib;
use crate::report::{Budget, Limit, Section, short};
use crate::runtime_api::{RuntimeApi, Sign};

/// Longest wait for a first poll.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a zip of one file named `bootstrap` adds to the compressed bytes: the file's header, its entry in
/// the directory and the directory's end.
const ZIP_FRAME: usize = 30 + 9 + 46 + 9 + 22;
const MIB: f64 = 1_048_576.0;

struct Binary {
    name: &'static str,
    bytes: usize,
    zipped: usize,
    milliseconds: Vec<f64>,
    resident_kib: u64,
}

/// Starts every function's binary of `folder` so many times.
///
/// # Errors
/// A binary is missing, or a function does not start.
pub fn measure(folder: &Path, starts: usize) -> Result<Section, Failure> {
    let mut binaries = Vec::new();
    for function in functions::all() {
        let path = folder.join(function.name);
        let bytes = std::fs::read(&path).map_err(|error| {
            Failure(format!(
                "{}: {error}; build it with cargo build --release -p beckn-health-functions",
                path.display()
            ))
        })?;
        let mut zip = DeflateEncoder::new(Vec::new(), Compression::default());
        zip.write_all(&bytes)?;
        binaries.push(Binary {
            name: function.name,
            bytes: bytes.len(),
            zipped: zip.finish()?.len() + ZIP_FRAME,
            milliseconds: Vec::new(),
            resident_kib: 0,
        });
    }
    let api = RuntimeApi::start()?;
    // In turns, so that what else the machine does falls upon all; the first turn fills the page cache.
    for turn in 0..=starts.max(1) {
        eprintln!("  starting {} binaries, turn {turn}", binaries.len());
        for binary in &mut binaries {
            let (milliseconds, resident) = start(&api, folder, binary.name)?;
            if turn > 0 {
                binary.milliseconds.push(milliseconds);
                binary.resident_kib = binary.resident_kib.max(resident);
            }
        }
    }
    Ok(section(&binaries, starts))
}

/// Starts a binary, waits for its first poll and ends it.
fn start(api: &RuntimeApi, folder: &Path, name: &str) -> Result<(f64, u64), Failure> {
    api.forget();
    let role = name.split('-').next().unwrap_or_default();
    let kind = match role {
        "bap" => "BAP",
        "bpp" => "BPP",
        "gateway" => "BG",
        _ => "BREG",
    };
    let endpoint = format!("http://{}", api.address);
    let mut command = Command::new(folder.join(name));
    command
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", api.address.to_string().as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", name),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", name),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "1"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "none"),
            ("AWS_SECRET_ACCESS_KEY", "none"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_ENDPOINT_URL", &endpoint),
            ("TABLE_PREFIX", "bench-"),
            ("QUEUE_URL_PREFIX", &format!("{endpoint}/000000000000/bench-")),
            ("SUBSCRIBER_ID", &format!("{role}.benches.localhost")),
            ("SUBSCRIBER_URL", &format!("https://benches.localhost/{role}")),
            ("SUBSCRIBER_TYPE", kind),
            ("KEY_ID", "k1"),
            ("SIGNING_KEY_SECRET", ""),
            ("GATEWAY_URL", "https://benches.localhost/gateway"),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if role != "registry" {
        command.env("REGISTRY_URL", "https://benches.localhost/registry");
    }
    let exec = Instant::now();
    let mut process = command.spawn()?;
    let sign = api.wait(PATIENCE);
    let resident = resident_kib(process.id()).unwrap_or(0);
    process.kill()?;
    process.wait()?;
    match sign {
        Some(Sign::FirstPoll(at)) => Ok((at.duration_since(exec).as_secs_f64() * 1e3, resident)),
        Some(Sign::InitError(reason)) => Err(Failure(format!("{name} does not start: {reason}"))),
        None => Err(Failure(format!("{name} did not ask for an event within {} s", PATIENCE.as_secs()))),
    }
}

fn section(binaries: &[Binary], starts: usize) -> Section {
    let median =
        |binary: &Binary| Figures::of(binary.milliseconds.clone()).map_or(f64::NAN, |figures| figures.median());
    let most = |binary: &Binary| Figures::of(binary.milliseconds.clone()).map_or(f64::NAN, |figures| figures.largest());
    let zipped = |binary: &Binary| binary.zipped as f64 / MIB;
    let resident = |binary: &Binary| binary.resident_kib as f64 / 1_024.0;
    let worst = |what: &str, figure: &dyn Fn(&Binary) -> f64, limit: f64, unit: &'static str| {
        let worst = binaries.iter().max_by(|a, b| figure(a).total_cmp(&figure(b)));
        Budget {
            what: format!("{what}, worst of {} ({})", binaries.len(), worst.map_or("none", |binary| binary.name)),
            measured: worst.map_or(f64::NAN, figure),
            limit: Limit::AtMost(limit),
            unit,
        }
    };
    Section {
        title: "Cold start, memory and sizes",
        method: format!(
            "Every function's release binary is started {starts} times, in turns, after one start that is not counted, with \
             dummy credentials and no signing key, against a Runtime API on loopback. The time is from just before \
             the process is made to its first `GET …/invocation/next`; resident memory is read at that moment. AWS \
             calls of a starting function (`bpp-on-search` looks for its snapshot) are answered at once with an \
             empty result; TLS is not part of it. A zip is one deflated file `bootstrap`."
        ),
        columns: vec!["function", "median ms", "largest ms", "RSS MiB", "binary MiB", "zip MiB"],
        rows: binaries
            .iter()
            .map(|binary| {
                vec![
                    binary.name.to_owned(),
                    short(median(binary)),
                    short(most(binary)),
                    short(resident(binary)),
                    short(binary.bytes as f64 / MIB),
                    short(zipped(binary)),
                ]
            })
            .collect(),
        figures: binaries
            .iter()
            .map(|binary| {
                json!({
                    "function": binary.name,
                    "median_ms": median(binary),
                    "all_ms": binary.milliseconds,
                    "resident_kib": binary.resident_kib,
                    "binary_bytes": binary.bytes,
                    "zip_bytes": binary.zipped,
                })
            })
            .collect(),
        budgets: vec![
            worst("exec → first poll, median", &median, 15.0, "ms"),
            worst("resident memory at the first poll", &resident, 32.0, "MiB"),
            worst("zip", &zipped, 4.0, "MiB"),
        ],
    }
}

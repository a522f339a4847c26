//! Where and of what a report was made.

use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// Machine, commit, date and load of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Circumstances {
    /// The commit that was measured.
    pub commit: String,
    /// Whether files differed from that commit.
    pub changed: bool,
    /// The date given, or the commit's own.
    pub date: String,
    /// The processor's name.
    pub processor: String,
    /// Logical cores.
    pub cores: usize,
    /// Memory of the machine, MiB.
    pub memory_mib: u64,
    /// The kernel's release.
    pub kernel: String,
    /// Load average of the last minute before the run.
    pub load_before: f64,
    /// The same after it, the run's own load included.
    pub load_after: f64,
}

impl Circumstances {
    /// Looks at the machine and at the repository in `root`. `date` overrides the commit's.
    #[must_use]
    pub fn of(root: &Path, date: Option<String>) -> Self {
        let unknown = || "unknown".to_owned();
        Self {
            commit: git(root, &["rev-parse", "HEAD"]).unwrap_or_else(unknown),
            changed: git(root, &["status", "--porcelain"]).is_some_and(|files| !files.is_empty()),
            date: date.or_else(|| git(root, &["log", "-1", "--format=%cI"])).unwrap_or_else(unknown),
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: field("/proc/meminfo", "MemTotal").and_then(|size| kib(&size)).unwrap_or(0) / 1_024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_before: load(),
            load_after: f64::NAN,
        }
    }
}

/// Load average of the last minute; not a number where the machine does not tell.
#[must_use]
pub fn load() -> f64 {
    read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(f64::NAN)
}

/// Resident memory of a process, KiB.
#[must_use]
pub fn resident_kib(process: u32) -> Option<u64> {
    field(&format!("/proc/{process}/status"), "VmRSS").and_then(|size| kib(&size))
}

fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    // A look must not lock the index of somebody who is working.
    let output = Command::new("git").arg("--no-optional-locks").args(arguments).current_dir(root).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// `name: value` of a file of the kernel.
fn field(path: &str, name: &str) -> Option<String> {
    let text = read(path);
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

/// The number before `kB`.
fn kib(text: &str) -> Option<u64> {
    text.strip_suffix("kB")?.trim().parse().ok()
}

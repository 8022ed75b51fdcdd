//! Measures the coordinator beside Debian's and beside a server that does nothing, in one run (docs/PERFORMANCE.md).
//!
//! The sides are measured in turn, again and again, so that a slow moment of the machine slows all of them; the ratios
//! are those of one round. The clients are scripts in one epoll loop a core: each request costs them eight calls of the
//! system and no reading of JSON.

mod barrier;
mod engine;
mod groups;
mod memory;
mod numbers;
mod requests;
mod servers;
mod socket;
mod throughput;

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::chores::{root, run_command};
pub(crate) use servers::bare_server;
use servers::{Bench, memory_folder};

/// How thoroughly is measured.
struct Effort {
    /// Rounds of each comparison.
    rounds: usize,
    /// How long requests are counted in each.
    time: Duration,
    /// How long lava-coordinator has for many groups at once.
    patience: Duration,
}

const WHOLE: Effort = Effort { rounds: 5, time: Duration::from_millis(700), patience: Duration::from_secs(20) };
const QUICK: Effort = Effort { rounds: 1, time: Duration::from_millis(400), patience: Duration::from_secs(4) };

pub(crate) fn run(quick: bool) -> Result<(), String> {
    run_command(Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).current_dir(root()).args([
        "build",
        "--release",
        "--package",
        "convoke",
    ]))?;
    let own = format!("convoke-bench-{}", std::process::id());
    let bench = Bench {
        program: root().join("target/release/convoke"),
        folder: root().join("target").join(&own),
        tmpfs: memory_folder().join(&own),
    };
    for folder in [&bench.folder, &bench.tmpfs] {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let outcome = measure(&bench, if quick { &QUICK } else { &WHOLE });
    for folder in [&bench.folder, &bench.tmpfs] {
        let _ = fs::remove_dir_all(folder);
    }
    outcome
}

fn measure(bench: &Bench, effort: &Effort) -> Result<(), String> {
    println!("{}", machine());
    throughput::run(bench, effort)?;
    barrier::run(bench, effort)?;
    groups::run(bench, effort)?;
    memory::run(bench, effort)
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn machine() -> String {
    let first = |path: &str, key: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_once(':').map_or(line, |(_, value)| value).trim().to_owned()
    };
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    format!(
        "{} cores of {}, Linux {}, {}, lava-coordinator {}, load average {}",
        threads(),
        first("/proc/cpuinfo", "model name"),
        said("uname", &["-r"]),
        said("rustc", &["--version"]),
        said("dpkg-query", &["-W", "-f", "${Version}", "lava-coordinator"]),
        first("/proc/loadavg", ""),
    )
}

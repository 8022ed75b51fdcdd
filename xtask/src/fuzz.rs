//! Fuzzing with libFuzzer on the stable compiler: the code is instrumented by LLVM's own pass, without a sanitizer.
//!
//! Found inputs go to the target folder; what fails stays there as `crash-…` or `timeout-…`. Once mended it belongs into
//! the corpus, `crates/CRATE/fuzz/corpus`, which every test run reads.

use std::path::Path;
use std::process::Command;

use crate::chores::{root, run_command};

/// Targets, and the crate whose `fuzz` folder they are built in.
const TARGETS: [(&str, &str); 3] =
    [("wire", "convoke-coordinator"), ("service", "convoke-coordinator"), ("script", "convoke-flow")];
const SECONDS: &str = "1200";
/// Of the machine this runs on; naming it keeps the flags away from build scripts.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

pub(crate) fn run(target: &str, seconds: Option<&str>) -> Result<(), String> {
    let Some((_, package)) = TARGETS.iter().find(|(name, _)| *name == target) else {
        return Err(format!("there is no fuzz target {target}: {}", TARGETS.map(|(name, _)| name).join(", ")));
    };
    let here = root().join("crates").join(package).join("fuzz");
    let built = root().join("target/fuzz");
    build(&here, &built, target)?;
    let found = built.join("found").join(target);
    std::fs::create_dir_all(&found).map_err(|error| format!("{}: {error}", found.display()))?;
    let corpus = here.join("corpus").join(target);
    let mut fuzzer = Command::new(built.join(TRIPLE).join("release").join(target));
    fuzzer.current_dir(&built);
    fuzzer.arg(format!("-max_total_time={}", seconds.unwrap_or(SECONDS)));
    fuzzer.args(["-max_len=1024", "-timeout=25", "-len_control=0", "-print_final_stats=1"]).arg(found).arg(corpus);
    run_command(&mut fuzzer)
}

fn build(here: &Path, built: &Path, target: &str) -> Result<(), String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(here).env("RUSTFLAGS", FLAGS).arg("build");
    cargo.args(["--quiet", "--release", "--target", TRIPLE, "--bin", target, "--target-dir"]).arg(built);
    run_command(&mut cargo)
}

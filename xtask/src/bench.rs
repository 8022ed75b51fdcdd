//! Measures what docs/PERFORMANCE.md speaks of: release build, real sandboxes, several runs each, medians with spread.
//!
//! Compared figures are measured in turn within one run of this program, so that a slow machine slows both sides.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::chores::{root, run_command};

/// Runs of each job.
const RUNS: usize = 11;

/// Builds the program as it is released, and says where it is.
pub(crate) fn build() -> Result<PathBuf, String> {
    run_command(Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).current_dir(root()).args([
        "build",
        "--release",
        "--package",
        "convoke",
    ]))?;
    Ok(root().join("target/release/convoke"))
}

pub(crate) fn run() -> Result<(), String> {
    let program = build()?;
    let folder = std::env::temp_dir().join(format!("convoke-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let outcome = measure(&program, &folder);
    let _ = fs::remove_dir_all(&folder);
    outcome
}

/// How fast a console is scanned: a program of the room that scans, for this one is not optimised.
pub(crate) fn console() -> Result<(), String> {
    of_room("convoke-overlay", "console")
}

/// How long judging the flow of a large job takes.
pub(crate) fn flow() -> Result<(), String> {
    of_room("convoke-flow", "judge")
}

/// How long a large report takes to write and to open.
pub(crate) fn report() -> Result<(), String> {
    of_room("convoke-report", "report")
}

fn of_room(room: &str, bench: &str) -> Result<(), String> {
    run_command(Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).current_dir(root()).args([
        "bench",
        "--package",
        room,
        "--bench",
        bench,
    ]))
}

fn measure(program: &Path, folder: &Path) -> Result<(), String> {
    let job = |members: usize, steps: &str| Job { members, steps: steps.to_owned() };
    let one = job(1, "lava-sync go");
    let two = job(2, "lava-sync go");
    let ten = job(10, "lava-sync go");
    let rounds = job(2, "for i in 1 2 3 4 5 6 7 8 9 10; do lava-sync go; done");
    let fifty = job(50, "for i in 1 2 3 4 5 6 7 8 9 10; do lava-sync go; done");
    let mut samples: Vec<[Sample; 4]> = Vec::new();
    for _ in 0..RUNS {
        let next = |job: &Job| sample(program, folder, job);
        samples.push([next(&one)?, next(&two)?, next(&ten)?, next(&rounds)?]);
    }
    let column = |index: usize, value: &dyn Fn(&Sample) -> f64| -> Vec<f64> {
        samples.iter().map(|row| value(&row[index])).collect()
    };
    let per_pair = |value: &dyn Fn(&[Sample; 4]) -> f64| -> Vec<f64> { samples.iter().map(value).collect() };
    println!("{RUNS} runs each, release build; median (least … most)");
    line("1 member, one sync, start to exit", &column(0, &|s| s.wall_ms), "ms");
    line("2 members, one sync, start to exit", &column(1, &|s| s.wall_ms), "ms");
    line("10 members, one sync, start to exit", &column(2, &|s| s.wall_ms), "ms");
    line("each further sandbox", &per_pair(&|row| (row[2].wall_ms - row[1].wall_ms) / 8.0), "ms");
    line("ratio 10 members / 2 members", &per_pair(&|row| row[2].wall_ms / row[1].wall_ms), "");
    let releases: Vec<f64> = samples.iter().flat_map(|row| row[3].releases_ms.clone()).collect();
    line("barrier release, 2 members (last request to last reply)", &releases, "ms");
    line(
        "ratio of LAVA's least poll delay (1 s) to the release",
        &releases.iter().map(|ms| 1000.0 / ms).collect::<Vec<_>>(),
        "",
    );
    let mut big = Vec::new();
    for _ in 0..3 {
        big.push(sample(program, folder, &fifty)?);
    }
    line("50 members, 10 syncs, start to exit", &big.iter().map(|s| s.wall_ms).collect::<Vec<_>>(), "ms");
    line("50 members: barrier release", &big.iter().flat_map(|s| s.releases_ms.clone()).collect::<Vec<_>>(), "ms");
    line("50 members: peak memory of the process", &big.iter().map(|s| s.peak_mb).collect::<Vec<_>>(), "MB");
    Ok(())
}

struct Job {
    members: usize,
    steps: String,
}

struct Sample {
    wall_ms: f64,
    peak_mb: f64,
    /// For each round of a sync: from the last member's request to the last member's reply.
    releases_ms: Vec<f64>,
}

fn sample(program: &Path, folder: &Path, job: &Job) -> Result<Sample, String> {
    let file = folder.join("job.yaml");
    let text = format!(
        "job_name: bench\nvisibility: public\ntimeouts: {{job: {{minutes: 5}}, action: {{minutes: 4}}}}\nprotocols:\n  \
         lava-multinode:\n    timeout: {{minutes: 2}}\n    roles:\n      node: {{device_type: sandbox, count: {}}}\nactions:\n- \
         deploy: {{to: sandbox}}\n- boot: {{method: sandbox}}\n- test:\n    definitions:\n    - from: inline\n      name: t\n      \
         path: t.yaml\n      repository:\n        metadata: {{format: Lava-Test Test Definition 1.0, name: t}}\n        run: \
         {{steps: ['{}']}}\n",
        job.members, job.steps
    );
    fs::write(&file, text).map_err(|error| error.to_string())?;
    let output = folder.join("run");
    let _ = fs::remove_dir_all(&output);
    let start = Instant::now();
    let mut child = Command::new(program)
        .args(["run", "--format", "plain", "--log-level", "error", "--output"])
        .arg(&output)
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak_kb = 0.0;
    let ended = loop {
        // The peak is only there while the process is; the last look before its end counts.
        if let Some(now) = fs::read_to_string(&status).ok().and_then(|text| peak(&text)) {
            peak_kb = f64::max(peak_kb, now);
        }
        if let Some(ended) = child.try_wait().map_err(|error| error.to_string())? {
            break ended;
        }
        std::thread::sleep(std::time::Duration::from_micros(500));
    };
    let wall_ms = start.elapsed().as_secs_f64() * 1000.0;
    if !ended.success() {
        return Err(format!("a run of {} members ended with {ended}", job.members));
    }
    Ok(Sample {
        wall_ms,
        peak_mb: peak_kb / 1024.0,
        releases_ms: releases(&output.join("journal.jsonl"), job.members)?,
    })
}

fn peak(status: &str) -> Option<f64> {
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn releases(journal: &Path, members: usize) -> Result<Vec<f64>, String> {
    let text = fs::read_to_string(journal).map_err(|error| format!("{}: {error}", journal.display()))?;
    let mut made = Vec::new();
    let mut answered = Vec::new();
    let mut syncs = Vec::new();
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let at = event["elapsed_ns"].as_f64().unwrap_or_default() / 1e6;
        match event["event"].as_str() {
            Some("call-made") if event["call"] == "sync" => {
                syncs.push(event["call_id"].clone());
                made.push(at);
            }
            Some("call-answered") if syncs.contains(&event["call_id"]) => answered.push(at),
            _ => {}
        }
    }
    // All members' calls of a round come before any of the next, and likewise the answers.
    Ok(made.chunks(members).zip(answered.chunks(members)).map(|(m, a)| most(a) - most(m)).collect())
}

fn most(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::MIN, f64::max)
}

/// Prints a median with the spread around it.
pub(crate) fn line(name: &str, values: &[f64], unit: &str) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else {
        println!("{name}: nothing measured");
        return;
    };
    println!("{name}: {:.2} {unit} ({least:.2} … {most:.2})", sorted[sorted.len() / 2]);
}

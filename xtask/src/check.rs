//! How long `convoke check` takes for a job of 1,000 members that make 100 calls each: start to exit, release build.
//!
//! The size of the document depends on how many roles the members have, so several are measured.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::bench::{build, line};

/// Runs of each job.
const RUNS: usize = 11;
/// Members of each job.
const MEMBERS: usize = 1000;
/// Rounds of five calls of each member.
const ROUNDS: usize = 20;

pub(crate) fn run() -> Result<(), String> {
    let program = build()?;
    let folder = std::env::temp_dir().join(format!("convoke-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let outcome = measure(&program, &folder);
    let _ = fs::remove_dir_all(&folder);
    outcome
}

fn measure(program: &Path, folder: &Path) -> Result<(), String> {
    println!(
        "convoke check, {MEMBERS} members, {} calls each, {RUNS} runs, start to exit; median (least … most)",
        5 * ROUNDS
    );
    for (roles, broken) in [(1, false), (10, false), (10, true), (100, false)] {
        let text = job(roles, broken);
        let file = folder.join("job.yaml");
        fs::write(&file, &text).map_err(|error| error.to_string())?;
        let mut walls = Vec::new();
        for _ in 0..RUNS {
            let start = Instant::now();
            let output = Command::new(program)
                .args(["check", "--format", "json"])
                .arg(&file)
                .stdin(Stdio::null())
                .output()
                .map_err(|error| format!("{}: {error}", program.display()))?;
            walls.push(start.elapsed().as_secs_f64() * 1000.0);
            let expected = if broken { "\"verdict\":\"cannot-end\"" } else { "\"verdict\":\"can-end\"" };
            if !String::from_utf8_lossy(&output.stdout).contains(expected) {
                return Err(format!("{roles} roles: the check does not say {expected}"));
            }
        }
        let what = if broken { ", one ID misspelt" } else { "" };
        line(&format!("{roles} roles, {} KiB{what}", text.len() >> 10), &walls, "ms");
    }
    Ok(())
}

/// Each role has a script of its own: a sync, a message to the next role, one to everybody, and the waits for them.
fn job(roles: usize, broken: bool) -> String {
    let mut text = String::from(
        "job_name: check\nvisibility: public\ntimeouts: {job: {minutes: 60}, action: {minutes: 5}}\nprotocols:\n  \
         lava-multinode:\n    timeout: {minutes: 5}\n    roles:\n",
    );
    for role in 0..roles {
        let _ = writeln!(text, "      role-{role}: {{device_type: sandbox, count: {}}}", MEMBERS / roles);
    }
    text.push_str("actions:\n- deploy: {to: sandbox}\n- boot: {method: sandbox}\n");
    for role in 0..roles {
        let next = (role + 1) % roles;
        let _ = write!(
            text,
            "- test:\n    role: [role-{role}]\n    definitions:\n    - from: inline\n      name: calls\n      path: calls.yaml\n      \
             repository:\n        metadata: {{format: Lava-Test Test Definition 1.0, name: calls}}\n        run:\n          steps:\n"
        );
        for round in 0..ROUNDS {
            let misspelt = if broken && role == 0 && round + 1 == ROUNDS { "-x" } else { "" };
            for call in [
                format!("lava-sync start-{round}"),
                format!("lava-send ready-{role}-{round}"),
                format!("lava-wait ready-{next}-{round}{misspelt}"),
                format!("lava-send done-{round} number={role}"),
                format!("lava-wait-all done-{round}"),
            ] {
                let _ = writeln!(text, "          - {call}");
            }
        }
    }
    text
}

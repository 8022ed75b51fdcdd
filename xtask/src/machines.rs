//! What a QEMU machine costs beside QEMU: from `convoke run` to the shell's prompt and to the started test, beside QEMU
//! alone with the same command line, until the same prompt.
//!
//! Each round measures all of them, one after the other, and the differences are those within a round. Both sides start a
//! process and read what it prints; ours is timed when its event arrives, so what it takes to tell of it counts.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::bench::{build, line};
use crate::chores::root;

/// Rounds.
const RUNS: usize = 11;
/// What the guest's shell prints.
const PROMPT: &str = "root@dut:~# ";
/// The overhead that is promised not to be exceeded, in milliseconds.
const PROMISED: f64 = 200.0;

/// `program` is a built convoke; without one a release build is made.
pub(crate) fn run(program: Option<&str>) -> Result<(), String> {
    let program = match program {
        Some(path) => fs::canonicalize(path).map_err(|error| format!("{path}: {error}"))?,
        None => build()?,
    };
    let folder = std::env::temp_dir().join(format!("convoke-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let outcome = measure(&program, &folder);
    let _ = fs::remove_dir_all(&folder);
    outcome
}

fn measure(program: &Path, folder: &Path) -> Result<(), String> {
    // The first of each fills the caches, and tells the command line.
    let own = run_job(program, folder, "user")?;
    run_job(program, folder, "tap")?;
    let plain = plain_words(&own.command)?;
    let mut rows = Vec::new();
    for _ in 0..RUNS {
        rows.push((plain_qemu(&plain)?, run_job(program, folder, "user")?, run_job(program, folder, "tap")?));
    }
    println!("{RUNS} rounds; median (least … most)");
    line("QEMU alone, start to prompt", &rows.iter().map(|row| row.0).collect::<Vec<_>>(), "ms");
    type Row = (f64, Times, Times);
    let column = |value: &dyn Fn(&Row) -> f64| rows.iter().map(value).collect::<Vec<f64>>();
    line("convoke run, QEMU's own network, start to prompt", &column(&|row| row.1.prompt), "ms");
    line("convoke run, the group's network, start to prompt", &column(&|row| row.2.prompt), "ms");
    let added = column(&|row| row.1.prompt - row.0);
    line("added to QEMU, its own network", &added, "ms");
    line("added to QEMU, the group's network", &column(&|row| row.2.prompt - row.0), "ms");
    line("of that before QEMU is started, the group's network", &column(&|row| row.2.started), "ms");
    line("from the prompt to the started test, the group's network", &column(&|row| row.2.test - row.2.prompt), "ms");
    println!("promised: less than {PROMISED} ms from `run` to the prompt beside what the guest needs itself");
    Ok(())
}

/// Milliseconds from the start of the program.
struct Times {
    /// QEMU is about to be started.
    started: f64,
    /// The prompt was seen.
    prompt: f64,
    /// The runner of the tests was typed.
    test: f64,
    /// QEMU's command line, as the log has it.
    command: String,
}

/// Runs a job of one machine with one empty test.
fn run_job(program: &Path, folder: &Path, network: &str) -> Result<Times, String> {
    let image = |name: &str| format!("file://{}", images().join(name).display());
    let append = "console=ttyS0 quiet panic=-1 mitigations=off nokaslr no_timer_check tsc=reliable";
    let job = json!({
        "job_name": "bench", "visibility": "public",
        "timeouts": {"job": {"minutes": 5}, "action": {"minutes": 4}, "connection": {"minutes": 3}},
        "device_type": "qemu", "context": {"arch": "amd64", "memory": 256, "netdevice": network},
        "actions": [
            {"deploy": {"to": "tmpfs", "images": {
                "kernel": {"url": image("vmlinuz"), "image_arg": format!("-kernel {{kernel}} -append \"{append}\"")},
                "ramdisk": {
                    "url": image("base.cpio"), "image_arg": "-initrd {ramdisk}",
                    "format": "cpio.newc", "overlays": {"lava": true},
                },
            }}},
            {"boot": {"method": "qemu", "media": "tmpfs", "prompts": [PROMPT]}},
            {"test": {"definitions": [{
                "from": "inline", "name": "t", "path": "t.yaml",
                "repository": {
                    "metadata": {"format": "Lava-Test Test Definition 1.0", "name": "t"},
                    "run": {"steps": ["true"]},
                },
            }]}},
        ],
    });
    let file = folder.join("job.yaml");
    fs::write(&file, job.to_string()).map_err(|error| error.to_string())?;
    let output = folder.join("run");
    let _ = fs::remove_dir_all(&output);
    let start = Instant::now();
    let mut child = Command::new(program)
        .args(["run", "--format", "json", "--output"])
        .arg(&output)
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let (mut started, mut prompt, mut test, mut command) = (None, None, None, String::new());
    for event in BufReader::new(child.stdout.take().ok_or("no output")?).lines() {
        let event = event.map_err(|error| error.to_string())?;
        let now = start.elapsed().as_secs_f64() * 1000.0;
        let event: Value = serde_json::from_str(&event).map_err(|error| format!("{error}: {event}"))?;
        let text = event["text"].as_str().unwrap_or_default();
        match event["event"].as_str() {
            Some("log") => {
                if let Some(words) = text.strip_prefix("Boot command: ") {
                    words.clone_into(&mut command);
                    started = Some(now);
                }
            }
            Some("action-ended") if event["name"] == "expect-shell-connection" => prompt = Some(now),
            Some("input") if text.contains("lava-test-runner") => test = Some(now),
            _ => {}
        }
    }
    let ended = child.wait().map_err(|error| error.to_string())?;
    let (Some(started), Some(prompt), Some(test), true) = (started, prompt, test, ended.success()) else {
        return Err(format!("a run of a machine ended with {ended}; `cargo xtask setup` builds its images"));
    };
    Ok(Times { started, prompt, test, command })
}

fn images() -> PathBuf {
    // The guest's images are built with the tests' set-up.
    root().join("target/images")
}

/// The same command line without the monitor, the files by their names.
fn plain_words(command: &str) -> Result<Vec<String>, String> {
    let mut words: Vec<String> = Vec::new();
    for (place, part) in command.split('\'').enumerate() {
        // Every second part was quoted.
        match place % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    let monitor = words.iter().position(|word| word.starts_with("socket,id=convoke"));
    words.truncate(monitor.and_then(|at| at.checked_sub(1)).ok_or_else(|| format!("no monitor in {command}"))?);
    for (label, name) in [("<kernel>", "vmlinuz"), ("<ramdisk>", "base.cpio")] {
        let word = words.iter_mut().find(|word| *word == label).ok_or_else(|| format!("no {label} in {command}"))?;
        *word = images().join(name).display().to_string();
    }
    Ok(words)
}

/// Ends the program whatever happens.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Milliseconds until QEMU alone has the prompt.
fn plain_qemu(words: &[String]) -> Result<f64, String> {
    let start = Instant::now();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = Ended(command.spawn().map_err(|error| format!("{}: {error}", words[0]))?);
    let mut output = child.0.stdout.take().ok_or("no output")?;
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let length = output.read(&mut buffer).map_err(|error| error.to_string())?;
        if length == 0 {
            return Err(format!("QEMU ended without a prompt: {}", String::from_utf8_lossy(&seen)));
        }
        seen.extend_from_slice(&buffer[..length]);
        if seen.windows(PROMPT.len()).any(|window| window == PROMPT.as_bytes()) {
            return Ok(start.elapsed().as_secs_f64() * 1000.0);
        }
    }
}

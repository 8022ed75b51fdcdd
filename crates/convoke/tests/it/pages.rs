//! The pages of codes whose examples are files and commands: the wrong one gives the code, the right one nothing.
//!
//! A block with a file's name is that file; a `job.yaml` of a few keys is completed. A `console` block is what is typed;
//! without one, the job is checked with the lab file beside it, or the lab file alone.

#[allow(dead_code)]
#[path = "../../../convoke-flow/tests/it/example.rs"]
mod example;

use std::process::Command;

use example::{examples, is_of_files, whole};

use crate::harness::{Ended, Place, User};

/// What an example prints.
fn tried(blocks: &[(String, String)]) -> Ended {
    let place = Place::new(User::Ordinary);
    let mut typed = String::new();
    for (info, text) in blocks {
        match info.split_once(' ') {
            Some((_, "job.yaml")) => drop(place.write("job.yaml", whole(text))),
            Some((_, name)) => drop(place.write(name, text)),
            None => {
                typed.extend(text.lines().filter_map(|line| line.strip_prefix("$ ")).map(|line| format!("{line}\n")))
            }
        }
    }
    if typed.is_empty() {
        typed = match (place.path("job.yaml").exists(), place.path("lab.yaml").exists()) {
            (true, true) => "convoke check job.yaml --lab lab.yaml",
            (true, false) => "convoke check job.yaml",
            _ => "convoke lab check",
        }
        .to_owned();
    }
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_convoke"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output =
        Command::new("sh").args(["-c", &typed]).current_dir(place.path("")).env("PATH", path).output().unwrap();
    Ended::from(output)
}

#[test]
fn a_wrong_example_of_files_gives_the_code_and_a_right_one_nothing() {
    let (mut bad, mut seen) = (Vec::new(), 0);
    for code in convoke_job::codes() {
        let page = convoke_job::explain(code).unwrap();
        let (wrong, right) = (examples(page, "## Wrong"), examples(page, "## Right"));
        if !is_of_files(&wrong) {
            continue;
        }
        seen += 1;
        let ended = tried(&wrong);
        let all = format!("{}{}", ended.stdout, ended.stderr);
        if !all.contains(code) {
            bad.push(format!("{code}: the wrong example gives\n{all}"));
        }
        let ended = tried(&right);
        if ended.code != Some(0) || !ended.stderr.is_empty() {
            bad.push(format!("{code}: the right example gives {:?}\n{}{}", ended.code, ended.stdout, ended.stderr));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    assert!(seen > 25, "{seen} pages");
}

//! What is read from a script is what shells do with it: the same scripts run under real shells, with helpers that write
//! down how they are called.

mod generate;

use std::path::Path;
use std::process::{Command, Stdio};

use convoke_flow::{Flow, Step, Text};
use convoke_group::CallKind;
use proptest::prelude::*;

use crate::one;

/// The names of the three members in the shells' group.
const MEMBERS: [(&str, &str); 3] = [("‹server›", "901"), ("‹client 1›", "902"), ("‹client 2›", "903")];

/// The helpers, and the log they write to.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let world = World { folder: tempfile::tempdir().unwrap() };
        for name in ["lava-send", "lava-wait", "lava-wait-all", "lava-sync"] {
            let log = world.folder.path().join("log");
            world.helper(
                name,
                &format!("printf '%s' {name} >>{0}\nprintf ' %s' \"$@\" >>{0}\necho >>{0}\n", log.display()),
            );
        }
        world.helper("lava-role", "case $1 in list) echo server; echo client ;; *) echo server ;; esac\n");
        world.helper("lava-self", "echo 901\n");
        world.helper(
            "lava-group",
            "case $1 in server) echo 901 ;; client) echo 902; echo 903 ;; '') printf '901\\tserver\\n902\\tclient\\n903\\tclient\\n' ;; *) exit 1 ;; esac\n",
        );
        world.helper(
            "lava-test-case",
            "shift\n[ \"$1\" = --shell ] || exit 0\nshift\nif [ $# -eq 1 ]; then c=$1; set --; (eval \"$c\"); else (\"$@\"); fi\nexit 0\n",
        );
        world
    }

    fn helper(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.folder.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The calls that a shell makes of a script, in order.
    fn run(&self, shell: &str, script: &str) -> Vec<String> {
        let folder = self.folder.path();
        let (log, file) = (folder.join("log"), folder.join("run.sh"));
        let _ = std::fs::remove_file(&log);
        std::fs::write(&file, format!("PARAM='of-job'\nCOUNT='3'\n{script}\n")).unwrap();
        let path = format!("{}:/usr/bin:/bin", folder.display());
        Command::new(shell)
            .arg("-e")
            .arg(&file)
            .current_dir(folder)
            .env_clear()
            .env("PATH", path)
            .env("FROM_JOB", "given")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        read_log(&log)
    }
}

fn read_log(log: &Path) -> Vec<String> {
    std::fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// The calls of the first member; an error where something is unknown. Here all calls succeed.
fn calls(flow: &Flow) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    made(one::steps(flow, 0), &mut out)?;
    Ok(out)
}

/// Whether the script goes on.
fn made(steps: &[Step], out: &mut Vec<String>) -> Result<bool, String> {
    for step in steps {
        match step {
            Step::Call(call) => {
                let name = match call.kind {
                    CallKind::Send => "lava-send",
                    CallKind::Wait => "lava-wait",
                    CallKind::WaitAll => "lava-wait-all",
                    CallKind::Sync => "lava-sync",
                    CallKind::Assemble => "assemble",
                };
                let mut line = format!("{name} {}", text(&call.id)?);
                if let Some(word) = &call.role {
                    line = format!("{line} {}", text(word)?);
                }
                for (key, value) in &call.data {
                    line = format!("{line} {}={}", text(key)?, text(value)?);
                }
                out.push(line);
            }
            Step::Choice(choice) if choice.of_call => {
                if !made(&choice.ways[0], out)? {
                    return Ok(false);
                }
            }
            Step::Stop(_) => return Ok(false),
            other => return Err(format!("{other:?}")),
        }
    }
    Ok(true)
}

fn text(text: &Text) -> Result<String, String> {
    let mut shown = text.known().ok_or_else(|| format!("{text:?}"))?.to_owned();
    for (name, number) in MEMBERS {
        shown = shown.replace(name, number);
    }
    Ok(shown)
}

fn compare(world: &World, script: &str) -> Result<(), String> {
    let flow = one::flow(script);
    // A step as it stands in the script of its definition.
    let script = &convoke_overlay::script::step_line(script);
    let found = calls(&flow);
    for shell in ["dash", "bash"] {
        let made = world.run(shell, script);
        if found.as_ref() != Ok(&made) {
            return Err(difference(script, shell, &made, &found));
        }
    }
    Ok(())
}

/// The script, and from where on the two are not the same.
fn difference(script: &str, shell: &str, made: &[String], found: &Result<Vec<String>, String>) -> String {
    let found = match found {
        Ok(found) => found,
        Err(unknown) => return format!("{script}\n-- unknown: {unknown}"),
    };
    let same = made.iter().zip(found).take_while(|(made, found)| made == found).count();
    let rest = |calls: &[String]| calls[same..].join("\n   ");
    format!("{script}\n-- after {:?}\n-- {shell}:\n   {}\n-- read:\n   {}", &made[..same], rest(made), rest(found))
}

thread_local! {
    static WORLD: World = World::new();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn known_scripts_are_read_as_shells_run_them(tape in prop::collection::vec(any::<u16>(), 0..160)) {
        let script = generate::script(&tape);
        WORLD.with(|world| compare(world, &script)).map_err(TestCaseError::fail)?;
    }
}

/// Scripts written by hand, a paragraph each.
#[test]
fn tricky_scripts_are_read_as_shells_run_them() {
    let text = include_str!("../fixtures/scripts/known.sh");
    let failed: Vec<String> =
        text.split("\n\n").skip(1).filter_map(|script| WORLD.with(|world| compare(world, script)).err()).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

//! Linting and testing.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{layering, setup, tidy};

/// How long random inputs are tried, beside the other tests.
const FUZZ_SECONDS: &str = "60";

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}

/// Runs a command and turns a failure into words.
pub(crate) fn run_command(command: &mut Command) -> Result<(), String> {
    let words = format!("{command:?}").replace('"', "");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{words}` ended with {status}")),
        Err(error) => Err(format!("cannot start `{words}`: {error}")),
    }
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(arguments);
    command
}

fn step(name: &str, work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    eprintln!("xtask: {name}");
    let start = Instant::now();
    work()?;
    eprintln!("xtask: {name} done in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

pub(crate) fn lint() -> Result<(), String> {
    step("house rules", tidy::check)?;
    step("dependency directions", layering::check)?;
    step("rustfmt", || run_command(&mut cargo(&["fmt", "--all", "--check"])))?;
    step("shellcheck", shellcheck)?;
    step("clippy", || {
        run_command(&mut cargo(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    step("rustdoc", || {
        run_command(
            cargo(&["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"])
                // Private items are documented too, so links to them resolve.
                .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links"),
        )
    })
}

pub(crate) fn test() -> Result<(), String> {
    step("setup", setup::run)?;
    lint()?;
    // A runner that is on the machine is used; installing one would cost more than it saves.
    let nextest = cargo(&["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success());
    step("tests", || {
        let arguments: &[&str] = if nextest {
            &["nextest", "run", "--workspace", "--no-fail-fast"]
        } else {
            &["test", "--workspace", "--no-fail-fast", "--all-targets"]
        };
        run_command(cargo(arguments).env("CONVOKE_FUZZ_SECONDS", FUZZ_SECONDS))
    })?;
    step("documentation tests", || run_command(&mut cargo(&["test", "--quiet", "--workspace", "--doc"])))
}

fn shellcheck() -> Result<(), String> {
    let helpers = root().join("crates/convoke-overlay/helpers");
    let scripts = [
        ".ci/run",
        "crates/convoke/tests/it/systemd/container.sh",
        "crates/convoke/tests/it/systemd/probe.sh",
        "xtask/src/images/init",
        "xtask/src/images/udhcpc",
        "xtask/src/setup/install.sh",
    ];
    let mut files: Vec<PathBuf> = scripts.iter().map(|script| root().join(script)).collect();
    let entries = std::fs::read_dir(&helpers).map_err(|error| format!("{}: {error}", helpers.display()))?;
    files.extend(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()));
    files.sort();
    // Helpers source their libraries from where they stand themselves.
    run_command(Command::new("shellcheck").args(["--external-sources", "--source-path", "SCRIPTDIR"]).args(files))
}

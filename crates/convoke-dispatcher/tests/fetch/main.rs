//! Fetching definitions as a black box: real git, real archives, a real (local) network, as root and as an ordinary user.
//!
//! The stages are this very executable, so `main` asks first whether it is one.
#![allow(clippy::unwrap_used)]

/// The table of a module's scenarios.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        pub(crate) const ALL: &[(&str, crate::Scenario)] = &[$((stringify!($name), || Box::pin($name()))),*];
    };
}

mod archives;
mod lives;
mod repositories;
mod world;

use std::future::Future;
use std::os::unix::process::CommandExt;
use std::pin::Pin;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

/// An ordinary user: nobody.
const NOBODY: u32 = 65534;

type Scenario = fn() -> Pin<Box<dyn Future<Output = ()>>>;

fn main() -> ExitCode {
    if let Some(code) = convoke_children::dispatch_stage(&convoke_dispatcher::fetch::STAGES) {
        return code;
    }
    let root = rustix::process::geteuid().is_root();
    let mut trials = Vec::new();
    for (name, scenario) in archives::ALL.iter().chain(repositories::ALL).chain(lives::ALL).copied() {
        if root {
            trials.push(Trial::test(format!("root::{name}"), move || run(scenario)));
        }
        let user = format!("user::{name}");
        trials.push(match root {
            true => Trial::test(user.clone(), move || as_nobody(&user)),
            false => Trial::test(user, move || run(scenario)),
        });
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn run(scenario: Scenario) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(scenario());
    Ok(())
}

/// Runs one test in a copy of this process that has no privileges.
fn as_nobody(test: &str) -> Result<(), Failed> {
    let output = Command::new("/proc/self/exe")
        .args(["--exact", test])
        .env_remove("HOME")
        .env_remove("XDG_CONFIG_HOME")
        .env("TMPDIR", "/tmp")
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(String::from_utf8_lossy(&text).into_owned().into())
}

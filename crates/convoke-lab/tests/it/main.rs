//! Sandboxes as black boxes, as root and as an ordinary user.
//!
//! The stages are this very executable, so `main` asks first whether it is one. Each scenario is a test twice: `root::…`
//! (left out when the tests do not run as root) and `user::…`, which root runs in a copy of this process without
//! privileges.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

/// The table of a module's scenarios.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        pub(crate) const ALL: &[(&str, crate::Scenario)] = &[$((stringify!($name), || Box::pin($name()))),*];
    };
}

mod cases;
mod console;
mod leftovers;
mod lives;

use std::future::Future;
use std::os::unix::process::CommandExt;
use std::pin::Pin;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

/// An ordinary user: nobody.
const NOBODY: u32 = 65534;

type Scenario = fn() -> Pin<Box<dyn Future<Output = ()>>>;

fn main() -> ExitCode {
    if let Some(code) = convoke_lab::stages::main() {
        return code;
    }
    if let Some(code) = lives::main() {
        return code;
    }
    let root = rustix::process::geteuid().is_root();
    let mut trials = Vec::new();
    for (name, scenario) in cases::ALL.iter().chain(leftovers::ALL).copied() {
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
    // On the test's own thread a failed assertion is a panic, which the harness catches.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(scenario());
    Ok(())
}

fn as_nobody(name: &str) -> Result<(), Failed> {
    let output = Command::new("/proc/self/exe")
        .args(["--exact", name, "--nocapture"])
        .env_clear()
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()?;
    let said = [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat();
    match output.status.success() && said.contains("1 passed") {
        true => Ok(()),
        false => Err(format!("as an ordinary user: {}\n{said}", output.status).into()),
    }
}

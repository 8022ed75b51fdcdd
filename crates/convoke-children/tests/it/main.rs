//! Stages, with this executable as its own stages.
#![allow(clippy::unwrap_used)]

mod cases;
mod stages;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    if let Some(code) = convoke_children::dispatch_stage(stages::ALL) {
        return code;
    }
    match std::env::args().nth(1).as_deref() {
        Some("__starter") => cases::starter(),
        Some("__keeper") => cases::keeper(),
        _ => return run(),
    }
    ExitCode::SUCCESS
}

fn run() -> ExitCode {
    let trial = |&(name, scenario): &(&'static str, cases::Scenario)| {
        Trial::test(name, move || {
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(scenario());
            Ok(())
        })
    };
    libtest_mimic::run(&Arguments::from_args(), cases::ALL.iter().map(trial).collect()).exit_code()
}

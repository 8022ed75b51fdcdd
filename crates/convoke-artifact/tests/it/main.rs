//! Artifacts as a black box: real files, real tools, real (local) servers. This executable is its own stages.
#![allow(clippy::unwrap_used)]

/// The table of a module's scenarios.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        pub(crate) const ALL: &[(&str, crate::Scenario)] = &[$((stringify!($name), || Box::pin($name()))),*];
    };
}

mod downloads;
mod images;
mod initramfs;
mod kernels;
mod overlays;
mod server;
mod world;

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

type Scenario = fn() -> Pin<Box<dyn Future<Output = ()>>>;

fn main() -> ExitCode {
    if let Some(code) = convoke_children::dispatch_stage(&convoke_artifact::STAGES) {
        return code;
    }
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("__prepare") {
        world::prepare_and_tell(&arguments.next().unwrap_or_default());
        return ExitCode::SUCCESS;
    }
    let trial = |&(name, scenario): &(&'static str, Scenario)| {
        Trial::test(name, move || {
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(scenario());
            Ok(())
        })
    };
    let all = [downloads::ALL, images::ALL, initramfs::ALL, overlays::ALL, kernels::ALL].concat();
    libtest_mimic::run(&Arguments::from_args(), all.iter().map(trial).collect()).exit_code()
}

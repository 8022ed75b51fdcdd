//! Chores of this repository: `cargo xtask {setup,images,lint,test,bench,fuzz}`.
//!
//! `test` is the one command that a fresh Debian with Rust needs: it installs what is missing, lints, builds and runs
//! every test. CI calls it and nothing else.

#![allow(clippy::disallowed_methods)] // a chore may wait

mod bench;
mod check;
mod chores;
mod coordinator;
mod fuzz;
mod images;
mod layering;
mod machines;
mod setup;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask <setup|images|lint|test|bench|fuzz>

  setup   installs the Debian packages that tests and examples use, and builds the guest images
  images  builds the guest images alone (docs/images.md)
  lint    formatting, clippy, rustdoc, shellcheck, dependency directions, house rules
  test    setup, lint, then every test
  bench   measures what docs/PERFORMANCE.md speaks of, release build
  bench check
          how long a job of 1,000 members is checked
  bench console
          how fast a console is scanned, beside a plain copy
  bench flow
          how long judging the flow of a large job takes
  bench qemu [PROGRAM]
          a QEMU machine from `run` to its prompt, beside QEMU alone, in about two minutes (PROGRAM: another build)
  bench report
          a report of 50 members and 100,000 lines: written, and opened in Chromium
  bench coordinator [--quick]
          the coordinator beside Debian's and a bare server, in about six minutes (--quick: one)
  fuzz TARGET [SECONDS]   looks for an input that breaks the coordinator (TARGET wire or service) or the
          reading of scripts (script)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["setup"] => setup::run(),
        ["images"] => images::build(),
        ["lint"] => chores::lint(),
        ["test"] => chores::test(),
        ["bench"] => bench::run(),
        ["bench", "check"] => check::run(),
        ["bench", "console"] => bench::console(),
        ["bench", "flow"] => bench::flow(),
        ["bench", "qemu"] => machines::run(None),
        ["bench", "qemu", program] => machines::run(Some(program)),
        ["bench", "report"] => bench::report(),
        ["bench", "coordinator"] => coordinator::run(false),
        ["bench", "coordinator", "--quick"] => coordinator::run(true),
        ["bench", "bare-server", port] => coordinator::bare_server(port),
        ["fuzz", target] => fuzz::run(target, None),
        ["fuzz", target, seconds] => fuzz::run(target, Some(seconds)),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

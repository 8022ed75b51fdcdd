//! Convoke runs one test across many devices. The command line: parse arguments, call a room, print.

mod arguments;
mod attend;
mod commands;
mod complete;
mod excerpt;
mod failure;
mod input;
mod log;
mod output;
mod report;
mod view;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // A child of our own: a stage of a sandbox or of a fetch. Comes first, before anything else is set up.
    if let Some(code) = convoke_lab::stages::main() {
        return code;
    }
    complete::answer();
    let arguments = arguments::Arguments::parse();
    output::set_colour(arguments.color);
    std::panic::set_hook(Box::new(said));
    match std::panic::catch_unwind(|| commands::run(arguments)) {
        Ok(Ok(code)) => code,
        Ok(Err(failure)) => {
            failure.print();
            failure.exit_code()
        }
        // It is said already.
        Err(_) => ExitCode::from(4),
    }
}

/// A panic is our bug and told as one, in one line; with `RUST_BACKTRACE` set, with the way to it.
fn said(panic: &std::panic::PanicHookInfo) {
    attend::restore();
    let what = panic.payload_as_str().unwrap_or("no message").replace('\n', " ");
    let place = panic.location().map(|at| format!(" (panicked at {}:{})", at.file(), at.line())).unwrap_or_default();
    output::error(&format!("bug in convoke: {what}{place}"));
    let way = std::backtrace::Backtrace::capture();
    if way.status() == std::backtrace::BacktraceStatus::Captured {
        output::eprint(&format!("{way}\n"));
    }
}

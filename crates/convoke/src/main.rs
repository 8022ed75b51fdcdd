//! Convoke runs one test across many devices. The command line: parse arguments, call a room, print.

mod arguments;
mod commands;
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
    let arguments = arguments::Arguments::parse();
    output::set_colour(arguments.color);
    match commands::run(arguments) {
        Ok(code) => code,
        Err(failure) => {
            failure.print();
            failure.exit_code()
        }
    }
}

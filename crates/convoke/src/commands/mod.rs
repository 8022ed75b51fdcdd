//! The commands, one a file: each calls a room and prints.

mod check;
mod convert;
mod coordinator;
mod dispatch;
mod flow;
mod guarding;
mod job;
mod lab;
mod outlook;
mod report;
mod run;
mod service;
mod signals;
mod split;
mod status;

use std::process::ExitCode;

use crate::arguments::{Arguments, Command, CoordinatorCommand, LabCommand};
use crate::failure::Failure;
use crate::output;
pub(crate) use job::{Loaded, load};
pub(crate) use outlook::flow;

/// Runs the command that the arguments name.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    match arguments.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Dispatch(arguments) => dispatch::dispatch(&arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Flow(arguments) => flow::flow(&arguments),
        Command::Split(arguments) => split::split(&arguments),
        Command::Convert(arguments) => convert::convert(&arguments),
        Command::Report(arguments) => report::report(&arguments),
        Command::Coordinator(arguments) => match &arguments.command {
            None => coordinator::coordinator(&arguments),
            Some(CoordinatorCommand::Status(arguments)) => status::status(arguments),
        },
        Command::Lab(LabCommand::List(arguments)) => lab::list(&arguments),
        Command::Lab(LabCommand::Check(arguments)) => lab::check(&arguments),
        Command::Completions { shell } => {
            let script = crate::complete::script(shell).unwrap_or_default();
            output::print(&String::from_utf8_lossy(&script))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

//! `convoke report`: renders the files of a finished run again from its journal.

use std::process::ExitCode;

use crate::arguments::ReportArguments;
use crate::failure::Failure;
use crate::output;

pub(crate) fn report(arguments: &ReportArguments) -> Result<ExitCode, Failure> {
    let rendered = convoke_journal::render(&arguments.dir)
        .map_err(|error| Failure::User(format!("{}: {error}", arguments.dir.display())))?;
    let _ = rendered;
    output::print(&format!("rendered {}\n", arguments.dir.display()))?;
    Ok(ExitCode::SUCCESS)
}

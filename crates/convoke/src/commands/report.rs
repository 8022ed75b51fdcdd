//! `convoke report`: renders the files of a finished run again from its journal.

use std::process::ExitCode;

use convoke_journal::{FILE_NAME, RenderError};

use crate::arguments::ReportArguments;
use crate::failure::Failure;
use crate::{output, view};

pub(crate) fn report(arguments: &ReportArguments) -> Result<ExitCode, Failure> {
    let dir = arguments.dir.display();
    if !arguments.dir.is_dir() {
        let message = if arguments.dir.exists() { "is no folder; give the folder of a run" } else { "does not exist" };
        return Err(Failure::User(format!("`{dir}` {message}")));
    }
    if !arguments.dir.join(FILE_NAME).exists() {
        return Err(Failure::User(format!("`{dir}` is not the folder of a run: it has no {FILE_NAME}")));
    }
    let rendered = convoke_run::render(&arguments.dir, arguments.trace.as_deref()).map_err(|error| match error {
        RenderError::Read(error) => Failure::User(error.to_string()),
        RenderError::Write(error) => Failure::Lab(format!("the files of the run cannot be written: {error}")),
    })?;
    output::print(&view::summary(&rendered.model, &arguments.dir))?;
    if rendered.model.ended.is_none() {
        output::warning("the run was cut off: the journal has no end; the files show what had happened until then");
    }
    if rendered.skipped > 0 {
        let events = rendered.skipped;
        output::warning(&format!("{events} events were left out: only a newer program than this one knows them"));
    }
    Ok(ExitCode::SUCCESS)
}

//! `convoke convert`: a MultiNode job of 2014 as a job of today.

use std::process::ExitCode;

use convoke_job::{Diagnostic, legacy};

use crate::arguments::ConvertArguments;
use crate::commands::job;
use crate::failure::Failure;
use crate::{input, output, report};

pub(crate) fn convert(arguments: &ConvertArguments) -> Result<ExitCode, Failure> {
    let lab = job::load_lab(arguments.lab.as_deref())?;
    let source = input::read(&arguments.job, "job")?;
    if !legacy::is_legacy(source.text()) && !source.text().trim_start().starts_with('{') {
        let message =
            format!("job `{}` is no MultiNode job of 2014, which is a JSON object with `device_group`", source.name());
        return Err(Failure::User(message));
    }
    let options = legacy::LegacyOptions { merge: arguments.merge, ..lab.legacy_options() };
    let converted = legacy::convert(&source, &options);
    report::print(&source, &converted.diagnostics);
    let yaml = converted.yaml.filter(|_| !converted.diagnostics.iter().any(Diagnostic::is_error));
    let yaml = yaml.ok_or(Failure::Findings)?;
    for assumption in &converted.assumptions {
        output::eprint(&format!("assumed: {assumption}\n"));
    }
    output::print(&yaml)?;
    Ok(ExitCode::SUCCESS)
}

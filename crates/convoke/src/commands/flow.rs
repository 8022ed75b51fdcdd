//! `convoke flow`: the flow table of a job, or of a run.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use convoke_flow::table::{Look, Table, svg, text};
use convoke_job::Diagnostic;
use convoke_journal::FILE_NAME;

use crate::arguments::{FlowArguments, FlowFormat};
use crate::commands::{job, outlook};
use crate::failure::Failure;
use crate::output;

/// Columns where there is no terminal.
const WIDTH: usize = 120;

pub(crate) fn flow(arguments: &FlowArguments) -> Result<ExitCode, Failure> {
    let table = match &arguments.run {
        Some(dir) => happened(dir, Some(planned(arguments)?))?,
        None if arguments.job.is_dir() => happened(&arguments.job, None)?,
        None => planned(arguments)?,
    };
    match arguments.format {
        FlowFormat::Text => output::print(&text(&table, look()))?,
        FlowFormat::Svg => output::print(&svg(&table))?,
        FlowFormat::Json => {
            let json = serde_json::to_string_pretty(&table);
            let json = json.map_err(|error| Failure::Bug(format!("a flow table has no JSON form: {error}")))?;
            output::print(&format!("{json}\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn planned(arguments: &FlowArguments) -> Result<Table, Failure> {
    let named = job::lab_of(arguments.lab.as_deref(), &arguments.job);
    let lab = job::load_lab(named.as_deref())?;
    let mut loaded = job::load(&arguments.job, &lab, named.is_none())?;
    let flow = outlook::flow(&loaded)?;
    let outlook = flow.as_ref().map(outlook::Outlook::of);
    loaded.findings.extend(outlook.iter().flat_map(outlook::Outlook::findings));
    loaded.print();
    match (&loaded.job, outlook) {
        (Some(job), Some(outlook)) if !loaded.all().any(Diagnostic::is_error) => Ok(outlook.table(job)),
        _ => Err(Failure::Findings),
    }
}

fn happened(dir: &Path, plan: Option<Table>) -> Result<Table, Failure> {
    let shown = dir.display();
    if !dir.join(FILE_NAME).exists() {
        return Err(Failure::User(format!("`{shown}` is not the folder of a run: it has no {FILE_NAME}")));
    }
    let happened = convoke_run::happened(dir, plan).map_err(|error| Failure::User(error.to_string()))?;
    Ok(happened.table)
}

/// What standard output shows: lines and colours on a terminal that has them.
fn look() -> Look {
    let terminal = std::io::stdout().is_terminal();
    let width = console::Term::stdout().size_checked().filter(|_| terminal);
    Look {
        width: width.map_or(WIDTH, |(_, columns)| usize::from(columns).max(40)),
        unicode: terminal && is_utf8(),
        colour: output::stdout_colours(),
    }
}

/// Whether the locale's characters are UTF-8: the first of these variables that says something decides.
fn is_utf8() -> bool {
    let said = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| {
        let value = std::env::var(name).ok()?;
        (!value.is_empty()).then(|| value.to_ascii_lowercase())
    });
    said.is_some_and(|locale| locale.contains("utf-8") || locale.contains("utf8"))
}

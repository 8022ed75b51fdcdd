//! `convoke check`: every finding of one or more jobs; touches nothing.

use std::path::Path;
use std::process::ExitCode;

use convoke_job::{Diagnostic, Source};
use serde_json::json;

use crate::arguments::{CheckArguments, CheckFormat};
use crate::commands::job;
use crate::commands::outlook::{self, Outlook};
use crate::failure::Failure;
use crate::{output, report};

pub(crate) fn check(arguments: &CheckArguments) -> Result<ExitCode, Failure> {
    if let Some(code) = &arguments.explain {
        return explain(code);
    }
    let mut worst = ExitCode::SUCCESS;
    for path in &arguments.jobs {
        let named = job::lab_of(arguments.lab.as_deref(), path);
        let lab = job::load_lab(named.as_deref())?;
        let mut loaded = match job::load(path, &lab, named.is_none()) {
            Ok(loaded) => loaded,
            // One unreadable job does not keep the others from being checked.
            Err(unread) => {
                worst = ExitCode::from(2);
                match arguments.format {
                    CheckFormat::Human => Failure::from(unread).print(),
                    CheckFormat::Json => {
                        print_object(path, &[unread.finding().to_json(&Source::new("", ""))], outlook::none())?;
                    }
                }
                continue;
            }
        };
        if let (Some(job), Some(_)) = (&loaded.job, &named) {
            loaded.findings.extend(convoke_lab::check_inventory(job, &lab));
        }
        let flow = outlook::flow(&loaded)?;
        let outlook = flow.as_ref().map(Outlook::of);
        loaded.findings.extend(outlook.iter().flat_map(Outlook::findings));
        let bad = loaded.job.is_none() || loaded.all().any(Diagnostic::is_error);
        if bad {
            worst = ExitCode::from(2);
        }
        match arguments.format {
            CheckFormat::Human => {
                loaded.print();
                let words = outlook.and_then(|outlook| outlook.in_words());
                let words = words.map(|words| format!("; {words}")).unwrap_or_default();
                output::print(&format!("{}: {}{words}\n", path.display(), report::count(loaded.all())))?;
                if let (true, Some(job)) = (arguments.pipeline, &loaded.job) {
                    output::print(&pipelines(job))?;
                }
            }
            CheckFormat::Json => {
                let flow = outlook.map_or_else(outlook::none, |outlook| outlook.to_json());
                print_object(path, &loaded.to_json(), flow)?;
            }
        }
    }
    Ok(worst)
}

/// Prints the page of a code.
fn explain(code: &str) -> Result<ExitCode, Failure> {
    let Some(page) = convoke_job::explain(code) else {
        let near = convoke_group::nearest(code, convoke_job::codes());
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Err(Failure::User(format!("no finding has the code `{code}`{near}")));
    };
    output::print(page)?;
    Ok(ExitCode::SUCCESS)
}

fn print_object(path: &Path, findings: &[serde_json::Value], flow: serde_json::Value) -> Result<(), Failure> {
    output::print(&format!("{}\n", json!({"job": path.display().to_string(), "diagnostics": findings, "flow": flow})))
}

/// The pipeline of the first member of each role, as it would run.
fn pipelines(job: &convoke_job::Job) -> String {
    let mut text = String::new();
    let mut seen = Vec::new();
    for member in job.split("check", 1) {
        let role = member.role().map(ToString::to_string).unwrap_or_default();
        if !seen.contains(&role) {
            let planned = convoke_job::pipeline::pipeline(&member, &convoke_job::pipeline::DeviceLimits::default());
            text.push_str(&format!("\n{role}\n{}", convoke_job::pipeline::to_text(&planned)));
            seen.push(role);
        }
    }
    text
}

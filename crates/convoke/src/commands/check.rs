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
    match &arguments.explain {
        Some(Some(code)) => return explain(code),
        Some(None) => return list(),
        None => {}
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
        let family = code.split('.').next().unwrap_or_default();
        let near = match convoke_group::nearest(code, convoke_job::codes()) {
            Some(near) => format!("did you mean `{near}`? "),
            None => {
                let same = convoke_job::codes().filter(|known| known.split('.').next() == Some(family));
                let same: Vec<String> = same.map(|known| format!("`{known}`")).collect();
                if same.is_empty() { String::new() } else { format!("of this family: {}; ", same.join(", ")) }
            }
        };
        let what = format!("no finding has the code `{code}`; {near}`convoke check --explain` lists all codes");
        return Err(Failure::User(what));
    };
    output::print(page)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints every code with the first sentence of its page.
fn list() -> Result<ExitCode, Failure> {
    let width = convoke_job::codes().map(str::len).max().unwrap_or(0);
    let mut text = String::new();
    for code in convoke_job::codes() {
        let page = convoke_job::explain(code).unwrap_or_default();
        let body = page.split("\n\n").nth(1).unwrap_or_default().replace('\n', " ");
        let sentence = body.split_inclusive(". ").next().unwrap_or_default().trim_end();
        text.push_str(&format!("{code:width$}  {sentence}\n"));
    }
    output::print(&text)?;
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

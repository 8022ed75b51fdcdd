//! `convoke lab`: the devices of a lab file, and what is wrong with them.

use std::process::ExitCode;

use convoke_job::{Diagnostic, Source};
use convoke_lab::Lab;
use convoke_lab::config::LabDevice;
use convoke_schedule::nearest;
use serde_json::{Map, Value, json};

use crate::arguments::{CheckFormat, LabCheckArguments, LabListArguments};
use crate::commands::job;
use crate::failure::Failure;
use crate::{input, output, report};

/// `convoke lab list`: a line a device.
pub(crate) fn list(arguments: &LabListArguments) -> Result<ExitCode, Failure> {
    let lab = job::load_lab(Some(&arguments.lab))?;
    let row = |device: &LabDevice| {
        let tags: Vec<&str> = device.tags.iter().map(|tag| tag.as_str()).collect();
        let from = match (&device.template, &device.dictionary) {
            (Some(template), Some(_)) => template.place().display().to_string(),
            (Some(template), None) => format!("{} (cannot be used)", template.place().display()),
            (None, Some(_)) => "dictionary".to_owned(),
            (None, None) => "-".to_owned(),
        };
        let tags = if tags.is_empty() { "-".to_owned() } else { tags.join(",") };
        [device.name.to_string(), device.device_type.to_string(), device.health.as_str().to_owned(), tags, from]
    };
    let mut rows = vec![["NAME", "TYPE", "HEALTH", "TAGS", "CONFIGURATION"].map(str::to_owned)];
    rows.extend(lab.devices.iter().map(row));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    for row in &rows {
        let cells = row.iter().zip(widths.iter().chain([&0])).map(|(cell, width)| format!("{cell:width$}"));
        output::print(&format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `convoke lab check`: every finding; of one device, its configuration too.
pub(crate) fn check(arguments: &LabCheckArguments) -> Result<ExitCode, Failure> {
    let source = input::read(&arguments.lab, "lab file")?;
    let (lab, findings) = Lab::read(&source);
    let file = arguments.lab.display().to_string();
    let human = arguments.format == CheckFormat::Human;
    let mut bad = findings.iter().any(Diagnostic::is_error);
    if human {
        report::print(&source, &findings);
    } else {
        output::print(&object(&[("lab", file.clone().into())], &findings, Some(&source)))?;
    }
    let Some(lab) = lab else {
        if human {
            output::print(&format!("{file}: {}\n", report::count(findings.iter())))?;
        }
        return Ok(ExitCode::from(2));
    };
    let chosen = chosen(&lab, arguments.device.as_deref(), &file)?;
    let context: Map<String, Value> = arguments.context.iter().cloned().collect();
    for device in &chosen {
        let checked = device.checked(&context);
        bad |= checked.findings.iter().any(Diagnostic::is_error);
        let text =
            checked.source.as_ref().filter(|_| arguments.device.is_some()).map(|source| source.text().trim_end());
        if !human {
            let chain: Vec<Value> = checked.chain.iter().cloned().map(Value::from).collect();
            let mut parts = vec![("device", device.name.as_str().into()), ("files", chain.into())];
            parts.extend(text.map(|text| ("configuration", text.into())));
            output::print(&object(&parts, &checked.findings, checked.source.as_ref()))?;
            continue;
        }
        report::print(checked.source.as_ref().unwrap_or(&Source::new("", "")), &checked.findings);
        if let Some(text) = text {
            let from =
                if checked.chain.is_empty() { String::new() } else { format!("# {}\n", checked.chain.join(" → ")) };
            output::print(&format!("{from}{text}\n"))?;
        } else {
            let what = if checked.source.is_none() && checked.findings.is_empty() { "no configuration" } else { "" };
            let count = report::count(checked.findings.iter());
            let what = if what.is_empty() { count } else { what.to_owned() };
            output::print(&format!("{}: {what}\n", device.name))?;
        }
    }
    Ok(if bad { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// One device, or all of them.
fn chosen<'a>(lab: &'a Lab, name: Option<&str>, file: &str) -> Result<Vec<&'a LabDevice>, Failure> {
    let Some(name) = name else { return Ok(lab.devices.iter().collect()) };
    let names = lab.devices.iter().map(|device| device.name.as_str());
    match lab.device(name) {
        Some(device) => Ok(vec![device]),
        None => {
            let near = nearest(name, names).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            Err(Failure::User(format!("{file} lists no device {name}{near}")))
        }
    }
}

fn object(parts: &[(&str, Value)], findings: &[Diagnostic], source: Option<&Source>) -> String {
    let nowhere = Source::new("", "");
    let source = source.unwrap_or(&nowhere);
    let mut object: Map<String, Value> = parts.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    let findings: Vec<Value> = findings.iter().map(|finding| finding.to_json(source)).collect();
    object.insert("diagnostics".into(), findings.into());
    format!("{}\n", json!(object))
}

//! Reading a job, whichever form it has.

use std::path::{Path, PathBuf};

use convoke_job::legacy::{LegacyOptions, convert, is_legacy};
use convoke_job::{Diagnostic, Job, Source};
use convoke_journal::Body;
use convoke_lab::Lab;

use crate::failure::Failure;
use crate::input::{self, Unread};
use crate::report;

/// A job that was read, with its findings.
pub(crate) struct Loaded {
    /// A job of 2014 and the findings about that form; its `source` is what it was converted to.
    pub(crate) legacy: Option<(Source, Vec<Diagnostic>)>,
    /// What the findings point into.
    pub(crate) source: Source,
    /// The job, when it has no errors.
    pub(crate) job: Option<Job>,
    /// All findings.
    pub(crate) findings: Vec<Diagnostic>,
}

impl Loaded {
    /// Draws all findings.
    pub(crate) fn print(&self) {
        if let Some((source, findings)) = &self.legacy {
            report::print(source, findings);
        }
        report::print(&self.source, &self.findings);
    }

    /// All findings, those about the form of 2014 first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Diagnostic> {
        self.legacy.iter().flat_map(|(_, findings)| findings).chain(&self.findings)
    }

    /// All findings for the journal. A line of what a job was converted to is no line of the job.
    pub(crate) fn recorded(&self) -> Vec<Body> {
        let legacy = self.legacy.iter().flat_map(|(source, findings)| findings.iter().map(move |f| (f, Some(source))));
        let own = self.legacy.is_none().then_some(&self.source);
        let today = self.findings.iter().map(|finding| (finding, own));
        legacy.chain(today).map(|(finding, source)| record(finding, source)).collect()
    }

    /// All findings for programs. A place in what a job was converted to is no place in the job.
    pub(crate) fn to_json(&self) -> Vec<serde_json::Value> {
        let Some((source, findings)) = &self.legacy else {
            return self.findings.iter().map(|finding| finding.to_json(&self.source)).collect();
        };
        let converted = self.findings.iter().map(|finding| {
            let mut object = finding.to_json(&self.source);
            object["spans"] = serde_json::json!([]);
            object
        });
        findings.iter().map(|finding| finding.to_json(source)).chain(converted).collect()
    }
}

/// A finding for the journal, with its line in `source`.
pub(crate) fn record(finding: &Diagnostic, source: Option<&Source>) -> Body {
    Body::Diagnostic {
        code: finding.code.to_owned(),
        severity: finding.severity.as_str().to_owned(),
        message: finding.message.clone(),
        line: match (finding.labels.first(), source) {
            (Some(label), Some(source)) => source.position(label.span.start).line,
            _ => 0,
        },
    }
}

/// Reads a job of today, or one of 2014.
pub(crate) fn load(path: &Path, lab: &Lab, rehearse: bool) -> Result<Loaded, Unread> {
    let mut source = input::read(path, "job")?;
    let mut legacy = None;
    if is_legacy(source.text()) {
        let options = LegacyOptions { merge: true, rehearse, ..lab.legacy_options() };
        let converted = convert(&source, &options);
        let Some(yaml) = converted.yaml else {
            return Ok(Loaded { legacy, source, job: None, findings: converted.diagnostics });
        };
        let name = format!("{} (converted)", source.name());
        legacy = Some((source, converted.diagnostics));
        source = Source::new(name, yaml);
    }
    let checked = convoke_job::read(&source, &convoke_job::Options::default());
    Ok(Loaded { legacy, source, job: checked.job, findings: checked.diagnostics })
}

/// The lab file of a job: the one that is named, else `JOB.lab.yaml` beside `JOB.yaml` when there is one.
pub(crate) fn lab_of(named: Option<&Path>, job: &Path) -> Option<PathBuf> {
    named.map(Path::to_owned).or_else(|| Some(job.with_extension("lab.yaml")).filter(|beside| beside.is_file()))
}

/// Reads a lab file, or gives the default lab. Findings are printed.
pub(crate) fn load_lab(path: Option<&Path>) -> Result<Lab, Failure> {
    let Some(path) = path else { return Ok(Lab::default()) };
    let source = input::read(path, "lab file")?;
    let (lab, findings) = Lab::read(&source);
    report::print(&source, &findings);
    lab.filter(|_| !findings.iter().any(Diagnostic::is_error)).ok_or(Failure::Findings)
}

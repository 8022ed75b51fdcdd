//! Reading a job, whichever form it has.

use std::path::Path;

use convoke_job::{Diagnostic, Job, Source, legacy};
use convoke_lab::Lab;

use crate::failure::Failure;
use crate::{input, report};

/// A job that was read, with its findings.
pub(crate) struct Loaded {
    /// What the findings point into: the job's own text, or what it was converted to.
    pub(crate) source: Source,
    /// The job, when it has no errors.
    pub(crate) job: Option<Job>,
    /// All findings.
    pub(crate) findings: Vec<Diagnostic>,
}

/// Reads a job of today, or one of 2014. Findings about the form of 2014 are printed here, as they point into another
/// text.
pub(crate) fn load(path: &Path, lab: &Lab, rehearse: bool) -> Result<Loaded, Failure> {
    let mut source = input::read(path, "job")?;
    if legacy::is_legacy(source.text()) {
        let options = legacy::LegacyOptions { merge: true, rehearse, ..lab.legacy_options() };
        let converted = legacy::convert(&source, &options);
        let Some(yaml) = converted.yaml else {
            return Ok(Loaded { source, job: None, findings: converted.diagnostics });
        };
        report::print(&source, &converted.diagnostics);
        source = Source::new(format!("{} (converted)", source.name()), yaml);
    }
    let checked = convoke_job::read(&source, &convoke_job::Options::default());
    Ok(Loaded { source, job: checked.job, findings: checked.diagnostics })
}

/// Reads a lab file, or gives the default lab. Findings are printed.
pub(crate) fn load_lab(path: Option<&Path>) -> Result<Lab, Failure> {
    let Some(path) = path else { return Ok(Lab::default()) };
    let source = input::read(path, "lab file")?;
    let (lab, findings) = Lab::read(&source);
    report::print(&source, &findings);
    lab.filter(|_| !findings.iter().any(Diagnostic::is_error)).ok_or(Failure::Findings)
}

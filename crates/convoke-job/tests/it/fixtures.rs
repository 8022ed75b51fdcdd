//! The sample jobs, and how findings are written down in snapshots.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use convoke_job::{Checked, Job, Options, Source, read};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Name and text of every YAML file of a folder, sorted.
pub(crate) fn all(name: &str) -> Vec<(String, String)> {
    let mut files: Vec<_> = std::fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{name}");
    files
}

pub(crate) fn text(path: &str) -> String {
    std::fs::read_to_string(folder(path)).unwrap()
}

pub(crate) fn check(text: &str) -> Checked {
    read(&Source::new("job.yaml", text), &Options::default())
}

#[track_caller]
pub(crate) fn job(text: &str) -> Job {
    let checked = check(text);
    checked.job.unwrap_or_else(|| panic!("{}", findings(text)))
}

/// Every finding of a job: severity, code, path, place, message, help, further places.
pub(crate) fn findings(text: &str) -> String {
    let source = Source::new("job.yaml", text);
    let mut out = String::new();
    for finding in read(&source, &Options::default()).diagnostics {
        let at = finding.labels.first().map(|label| source.position(label.span.start)).unwrap();
        let severity = finding.severity.as_str();
        writeln!(out, "{severity} {} at {} ({}:{})", finding.code, finding.path, at.line, at.column).unwrap();
        writeln!(out, "  {}", finding.message).unwrap();
        writeln!(out, "  help: {}", finding.help.as_deref().unwrap_or("-")).unwrap();
        for label in &finding.labels[1..] {
            let at = source.position(label.span.start);
            writeln!(out, "  {}:{} {}", at.line, at.column, label.text).unwrap();
        }
    }
    if out.is_empty() { "nothing found\n".into() } else { out }
}

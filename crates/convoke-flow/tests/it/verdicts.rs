//! The verdict of real jobs: those of the specification, those that are shipped as examples, and the broken ones.

use std::path::Path;

use convoke_flow::{Repositories, judge, lint, read, times};
use convoke_job::{Options, Source};

/// The verdict, its reasons and findings of every job of a folder, in one text.
fn verdicts(folder: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        path.extension().is_some_and(|end| end == "yaml") && !path.to_string_lossy().ends_with(".lab.yaml")
    });
    paths.sort();
    assert!(!paths.is_empty());
    let mut told = String::new();
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        let source = Source::new(name, std::fs::read_to_string(&path).unwrap());
        let checked = convoke_job::read(&source, &Options::default());
        let Some(job) = checked.job else {
            told.push_str(&format!("{name}: no job\n"));
            continue;
        };
        let flow = read(&job, &source, &Repositories::new());
        let judgement = judge(&flow);
        told.push_str(&format!("{name}: {}\n", judgement.verdict.as_str()));
        for reason in &judgement.reasons {
            told.push_str(&format!("    {}: {}\n", reason.code(), reason.message(&flow)));
        }
        for finding in lint(&flow, &judgement).iter().chain(&times::too_short(&flow, &judgement.played)) {
            told.push_str(&format!("    {}: {}\n", finding.code, finding.message));
        }
    }
    told
}

#[test]
fn of_the_specification() {
    insta::assert_snapshot!("jobs", verdicts("tests/fixtures/jobs"));
}

#[test]
fn of_the_examples() {
    insta::assert_snapshot!("examples", verdicts("../../examples"));
}

/// The findings of a broken job: code, message, lines.
fn broken(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/broken").join(name);
    let source = Source::new(name, std::fs::read_to_string(path).unwrap());
    let checked = convoke_job::read(&source, &Options::default());
    let mut findings = checked.diagnostics;
    if let Some(job) = &checked.job {
        let flow = read(job, &source, &Repositories::new());
        let judgement = judge(&flow);
        findings.extend(judgement.diagnostics(&flow));
        findings.extend(lint(&flow, &judgement));
        findings.extend(times::too_short(&flow, &judgement.played));
    }
    let lines = |finding: &convoke_job::Diagnostic| -> Vec<usize> {
        finding.labels.iter().map(|label| source.position(label.span.start).line).collect()
    };
    findings
        .iter()
        .map(|finding| {
            let severity = finding.severity.as_str();
            format!("{severity} {} at {}: {} {:?}", finding.code, finding.path, finding.message, lines(finding))
        })
        .collect()
}

#[test]
fn of_broken_jobs() {
    insta::assert_debug_snapshot!("never_sent", broken("b21-never-sent.yaml"));
    insta::assert_debug_snapshot!("guest_address", broken("b22-guest-address-mismatch.yaml"));
    insta::assert_debug_snapshot!("start_cycle", broken("b23-start-cycle.yaml"));
}

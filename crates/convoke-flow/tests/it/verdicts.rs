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

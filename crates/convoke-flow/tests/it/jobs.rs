//! The calls of every member of real jobs: the jobs of the specification, and those that are shipped as examples.

use std::path::Path;

use convoke_flow::{Repositories, read};
use convoke_job::{Options, Source};

use crate::show;

/// Every job of a folder.
fn check(folder: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        path.extension().is_some_and(|end| end == "yaml") && !path.to_string_lossy().ends_with(".lab.yaml")
    });
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let source = Source::new(name, std::fs::read_to_string(&path).unwrap());
        let checked = convoke_job::read(&source, &Options::default());
        let Some(job) = checked.job else { panic!("{name}: {:?}", checked.diagnostics) };
        insta::assert_snapshot!(name, show::flow(&read(&job, &source, &Repositories::new())));
    }
}

#[test]
fn of_the_specification() {
    check("tests/fixtures/jobs");
}

#[test]
fn of_the_examples() {
    check("../../examples");
}

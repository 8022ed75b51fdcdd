//! A fuzz target as a function of bytes. Here it is given the kept inputs; `cargo xtask fuzz script` gives it inputs that
//! are led by the coverage of the code (`crates/convoke-flow/fuzz`, which is built from this file).

use convoke_flow::table::{Look, Table, svg, text};
use convoke_flow::{Repositories, judge, lint, read};
use convoke_job::{Options, Source};

use crate::one;

/// Bytes that are no text are none of ours: a job is UTF-8.
pub(crate) fn script(data: &[u8]) {
    let Ok(script) = std::str::from_utf8(data) else { return };
    let source = Source::new("job", one::document_of(script));
    let Some(job) = convoke_job::read(&source, &Options::default()).job else { return };
    let flow = read(&job, &source, &Repositories::new());
    let judgement = judge(&flow);
    for reason in &judgement.reasons {
        assert!(!reason.message(&flow).is_empty(), "a reason has words");
    }
    lint(&flow, &judgement);
    let table = Table::judged("job", &flow, &judgement);
    text(&table, Look { width: 80, unicode: true, colour: false });
    svg(&table);
}

#[cfg(test)]
#[test]
fn kept_inputs_are_read_without_harm() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/script");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{}: no inputs", folder.display());
    for file in files {
        script(&std::fs::read(file).unwrap());
    }
}

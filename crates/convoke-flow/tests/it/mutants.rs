//! Jobs with one call broken, and whether the check finds those that cannot end.
//!
//! Each example and each job of the specification is broken in every way there is. What then cannot end, the oracle says;
//! the tests of the program run some of them, and look where they hang.

use std::collections::BTreeMap;
use std::path::Path;

use convoke_flow::{Repositories, Verdict, judge, read};
use convoke_job::{Job, Options, Source};

use crate::breaking::{jobs, mutants};
use crate::oracle::{Fate, fate};

fn job(source: &Source) -> Option<Job> {
    convoke_job::read(source, &Options::default()).job
}

/// What is counted of one way of breaking jobs.
#[derive(Default)]
struct Score {
    made: usize,
    stuck: usize,
    found: usize,
    ends: usize,
    open: usize,
}

#[test]
fn the_check_finds_every_mutant_that_cannot_end() {
    let mut scores: BTreeMap<&'static str, Score> = BTreeMap::new();
    let mut wrong = Vec::new();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in jobs(&here.join("tests/fixtures/jobs")).into_iter().chain(jobs(&here.join("../../examples"))) {
        let text = std::fs::read_to_string(&path).unwrap();
        let source = Source::new("job", text.as_str());
        let flow = read(&job(&source).unwrap(), &source, &Repositories::new());
        for mutant in mutants(&text, &flow) {
            let source = Source::new("mutant", mutant.text.as_str());
            let Some(job) = job(&source) else { continue };
            let flow = read(&job, &source, &Repositories::new());
            let (fate, judged) = (fate(&flow), judge(&flow));
            let score = scores.entry(mutant.how).or_default();
            score.made += 1;
            score.stuck += usize::from(fate == Fate::Stuck);
            score.ends += usize::from(fate == Fate::Ends);
            score.open += usize::from(matches!(fate, Fate::Depends | Fate::Untold));
            let right = match fate {
                Fate::Stuck => judged.verdict == Verdict::CannotEnd,
                Fate::Ends => judged.verdict == Verdict::CanEnd,
                Fate::Depends => judged.verdict == Verdict::Unknown,
                Fate::Untold => true,
            };
            score.found += usize::from(fate == Fate::Stuck && right);
            if !right {
                let name = path.file_name().unwrap().to_string_lossy();
                wrong.push(format!(
                    "{name}: {}, {}: {fate:?}, said {}",
                    mutant.how,
                    mutant.at,
                    judged.verdict.as_str()
                ));
            }
        }
    }
    let sum = |of: fn(&Score) -> usize| scores.values().map(of).sum::<usize>();
    let mut told = String::new();
    for (how, Score { made, stuck, found, ends, open }) in &scores {
        let line = format!("{how}: {made} made; {found} of {stuck} that cannot end found, {ends} end, {open} open\n");
        told.push_str(&line);
    }
    told.push_str(&format!("in all: {} of {} found\n", sum(|score| score.found), sum(|score| score.stuck)));
    insta::assert_snapshot!("mutants", told);
    assert!(sum(|score| score.stuck) > 100, "the mutants are no good");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

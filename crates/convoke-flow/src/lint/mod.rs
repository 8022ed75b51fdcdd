//! Practices: what a job does that works, or seems to, and that people regret.
//!
//! Each finding is a warning with a page of its own under `docs/codes`. A finding needs certainty about what it speaks
//! of: where a step is not known, nothing is said.

mod again;
mod cache;
mod ends;
mod ids;
mod keys;
mod work;
mod wrapped;

use convoke_job::Diagnostic;

use crate::judge::Judgement;
use crate::model::{Call, Flow, Step};
use crate::walk;

/// Every finding about practices in a judged flow.
pub fn lint(flow: &Flow, judgement: &Judgement<'_>) -> Vec<Diagnostic> {
    let mut findings = wrapped::find(flow, judgement);
    findings.extend(ids::find(flow, judgement));
    findings.extend(keys::find(flow, judgement));
    findings.extend(cache::find(flow, judgement));
    findings.extend(ends::find(flow, judgement));
    findings.extend(again::find(flow, judgement));
    findings.extend(work::find(flow, judgement));
    findings
}

/// The members that were played, one for all that do the same.
fn played<'f>(flow: &'f Flow, judgement: &Judgement<'_>) -> impl Iterator<Item = (usize, &'f [Step])> {
    let by = judgement.played.played_by.clone();
    let members = flow.members.iter().enumerate();
    members.filter(move |(index, _)| by[*index] == *index).map(|(index, member)| (index, &*member.steps))
}

/// All who do the same as `member`.
fn same(judgement: &Judgement<'_>, member: usize) -> Vec<usize> {
    let by = &judgement.played.played_by;
    (0..by.len()).filter(|other| by[*other] == member).collect()
}

/// Every call in these steps, in the order of the text.
fn calls(steps: &[Step]) -> Vec<&Call> {
    let mut calls = Vec::new();
    collect(steps, &mut calls);
    calls
}

fn collect<'a>(steps: &'a [Step], calls: &mut Vec<&'a Call>) {
    for step in steps {
        if let Step::Call(call) = step {
            calls.push(call);
        }
        walk::within(step).into_iter().for_each(|steps| collect(steps, calls));
    }
}

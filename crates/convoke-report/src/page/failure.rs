//! What failed first, and what followed from it.

use convoke_journal::{Failure, ResultValue};

use super::html::{self, instant};
use crate::story::Story;
use crate::story::lane::Case;

/// Failing cases that are listed after the first one.
const LISTED: usize = 30;
/// Members that are named of those that waited in the same call.
const NAMED: usize = 3;

/// The section; nothing when nobody failed.
pub(super) fn section(story: &Story) -> String {
    let mut out = String::new();
    if story.run.ended.is_none() {
        out.push_str("<p class=\"note\">The run was cut off: its journal has no end. This shows what had happened until then.</p>\n");
    }
    let Some(first) = &story.first_failure else {
        out.push_str(&tests(story));
        return out;
    };
    let lane = |member: u32| format!("&amp;m={member}");
    let at = first.at_ns.map(|at| format!(" at {}", instant(at, &lane(first.member)))).unwrap_or_default();
    out.push_str(&format!(
        "<section class=\"first\" aria-label=\"First failure\">\n<h2>First failure: <b>{}</b>{at}</h2>\n{}\n",
        html::text(&story.label(first.member)),
        words(&first.failure)
    ));
    for (title, list) in [("As a consequence", &first.consequences), ("Failures of their own, later", &first.others)] {
        if list.is_empty() {
            continue;
        }
        out.push_str(&format!("<h3>{title}</h3>\n<ul>\n"));
        for (member, failure) in list {
            let at = story.run.member(*member).and_then(|member| member.failed_ns);
            let at = at.map(|at| format!("{} ", instant(at, &lane(*member)))).unwrap_or_default();
            out.push_str(&format!("<li>{at}<b>{}</b> {}</li>\n", html::text(&story.label(*member)), words(failure)));
        }
        out.push_str("</ul>\n");
    }
    out.push_str(&calls(story));
    out.push_str("</section>\n");
    out
}

/// Calls that were refused: who waited in vain, for what, and why it could not come. Members that waited in the same call
/// are said once.
fn calls(story: &Story) -> String {
    let mut failed: Vec<_> = story
        .calls
        .iter()
        .enumerate()
        .filter_map(|(index, call)| Some((call.end.as_ref().filter(|end| !end.ok)?, index, call)))
        .collect();
    failed.sort_by_key(|(end, ..)| end.at_ns);
    if failed.is_empty() {
        return String::new();
    }
    let mut groups: Vec<(String, Vec<_>)> = Vec::new();
    for one in failed {
        let command = one.2.command();
        match groups.iter_mut().find(|(known, _)| *known == command) {
            Some((_, list)) => list.push(one),
            None => groups.push((command, vec![one])),
        }
    }
    let mut out = String::from("<h3>Calls that failed</h3>\n<ul>\n");
    for (command, list) in groups.iter().take(LISTED) {
        let (end, index, _) = list[0];
        let why = end.reason.as_deref().unwrap_or("no reason given");
        // A reason that names the call says it once.
        let what = if why.starts_with(command) { why.to_owned() } else { format!("{command}: {why}") };
        let named: Vec<String> = list.iter().take(NAMED).map(|(.., call)| story.label(call.member)).collect();
        let more = if list.len() > NAMED { format!(" and {} more", list.len() - NAMED) } else { String::new() };
        out.push_str(&format!(
            "<li>{} <b>{}{more}</b> <span class=\"what\">{}</span></li>\n",
            instant(end.at_ns, &format!("&amp;sel=call:{index}")),
            html::text(&named.join(", ")),
            html::text(&what)
        ));
    }
    if groups.len() > LISTED {
        out.push_str(&format!("<li>and {} more</li>\n", groups.len() - LISTED));
    }
    out.push_str("</ul>\n");
    out
}

/// Where no member failed: the failing cases, in order of time.
fn tests(story: &Story) -> String {
    let mut failed: Vec<_> = story
        .lanes
        .iter()
        .flat_map(|lane| lane.cases.iter().map(move |case| (case, lane.sub_id)))
        .filter(|(case, _)| case.record.definition != "lava" && case.record.result == ResultValue::Fail)
        .collect();
    // What a failed call left as a result is said with the calls, unless nothing else failed.
    if failed.iter().any(|(case, _)| !is_call(case)) {
        failed.retain(|(case, _)| !is_call(case));
    }
    failed.sort_by_key(|(case, _)| case.at_ns);
    let Some((first, member)) = failed.first() else { return String::new() };
    let said = |case: &Case, member: u32| {
        let record = &case.record;
        let why = record.extra.get("error_msg").and_then(|why| why.as_str()).map(html::text).unwrap_or_default();
        let why = if why.is_empty() { why } else { format!(" – {why}") };
        let at = instant(case.at_ns, &format!("&amp;m={member}"));
        (
            at,
            format!("<span class=\"what\">{} {}{why}</span>", html::text(&record.definition), html::text(&record.case)),
        )
    };
    let (at, what) = said(first, *member);
    let mut out = format!(
        "<section class=\"first\" aria-label=\"First failing test\">\n<h2>First failing test: <b>{}</b> at {at}: {what}</h2>\n",
        html::text(&story.label(*member))
    );
    if failed.len() > 1 {
        out.push_str("<h3>Later</h3>\n<ul>\n");
        for (case, member) in failed.iter().skip(1).take(LISTED) {
            let (at, what) = said(case, *member);
            out.push_str(&format!("<li>{at} <b>{}</b> {what}</li>\n", html::text(&story.label(*member))));
        }
        if failed.len() > LISTED + 1 {
            out.push_str(&format!("<li>and {} more</li>\n", failed.len() - LISTED - 1));
        }
        out.push_str("</ul>\n");
    }
    out.push_str(&calls(story));
    out.push_str("</section>\n");
    out
}

/// Whether a case stands for a MultiNode call of a test shell (device-side.md §8).
fn is_call(case: &Case) -> bool {
    case.record.case.starts_with("multinode-")
}

fn words(failure: &Failure) -> String {
    format!(
        "<span class=\"what\"><span class=\"class\">{}</span> {}</span>",
        failure.class.as_str(),
        html::text(&failure.message)
    )
}

//! What failed first in one sentence, who waited for it, and what followed from it.

use convoke_journal::model::FirstFailure;
use convoke_journal::{Failure, ResultValue};

use super::html::{self, instant, span};
use crate::story::lane::Case;
use crate::story::{Call, Story};

/// Failing cases, and calls, that are listed after the first one.
const LISTED: usize = 30;
/// Members that are named of those that waited in the same call.
const NAMED: usize = 3;
/// Calls that are named in a sentence.
const WAITS: usize = 4;

/// The section; nothing when nobody failed.
pub(super) fn section(story: &Story) -> String {
    let mut out = String::new();
    if story.run.ended.is_none() {
        out.push_str(&cut(story));
    }
    out.push_str(&match &story.first_failure {
        Some(first) => member(story, first),
        None => tests(story),
    });
    out
}

/// The journal has no end: who waited for whom when it broke off.
fn cut(story: &Story) -> String {
    let open: Vec<&Call> =
        story.calls.iter().filter(|call| call.end.is_none() && !call.waited_for.is_empty()).collect();
    let waits: Vec<String> = alike(&open)
        .into_iter()
        .take(WAITS)
        .map(|calls| {
            let last = calls[calls.len() - 1];
            let whom = named(story, last.last_missing().iter().copied());
            format!("{} for {}, in {}", who(story, &calls), html::text(&whom), link(story, last))
        })
        .collect();
    let waits = match &waits[..] {
        [] => String::new(),
        waits => format!(" Then these waited: {}.", waits.join("; ")),
    };
    format!(
        "<p class=\"note\">The run was cut off at {}: its journal has no end, this is what had happened until then.{waits}</p>\n",
        instant(story.end_ns, "")
    )
}

/// The member that failed first.
fn member(story: &Story, first: &FirstFailure) -> String {
    let lane = |member: u32| format!("&amp;m={member}");
    let at = first.at_ns.map(|at| format!(" at {}", instant(at, &lane(first.member)))).unwrap_or_default();
    let (what, lines) = last_lines(&first.failure.message);
    let mut out = format!(
        "<section class=\"first\" aria-label=\"First failure\">\n<h2>First failure: <b>{}</b>{at}: <span class=\"what\">{}</span> {}</h2>\n",
        html::text(&story.label(first.member)),
        html::text(what),
        class(&first.failure)
    );
    if !lines.is_empty() {
        let lines: Vec<String> = lines.iter().map(|line| html::text(line)).collect();
        out.push_str(&format!(
            "<p class=\"sr\">The last lines of its console:</p><pre class=\"last\">{}</pre>\n",
            lines.join("\n")
        ));
    }
    let failed = failed(story);
    let its = |call: &&Call| call.member == first.member;
    let (own, rest): (Vec<&Call>, Vec<&Call>) = failed.into_iter().partition(its);
    let (waited, rest): (Vec<&Call>, Vec<&Call>) =
        rest.into_iter().partition(|call| story.waited_on(call, first.member));
    out.push_str(&sentence(story, first, &own, &waited));
    for (title, list) in [("As a consequence", &first.consequences), ("Failures of their own, later", &first.others)] {
        if list.is_empty() {
            continue;
        }
        out.push_str(&format!("<h3>{title}</h3>\n<ul>\n"));
        for (member, failure) in list {
            let at = story.run.member(*member).and_then(|member| member.failed_ns);
            let at = at.map(|at| format!("{} ", instant(at, &lane(*member)))).unwrap_or_default();
            out.push_str(&format!(
                "<li>{at}<b>{}</b> <span class=\"what\">{}</span> {}</li>\n",
                html::text(&story.label(*member)),
                html::text(&story.said(&failure.message)),
                class(failure)
            ));
        }
        out.push_str("</ul>\n");
    }
    out.push_str(&calls(story, "Other calls that failed", &rest));
    let told: Vec<&Call> = own.into_iter().chain(waited).collect();
    if !told.is_empty() {
        out.push_str("<details class=\"told\"><summary>What these calls were told</summary>\n");
        out.push_str(&list(story, &told));
        out.push_str("</details>\n");
    }
    out.push_str("</section>\n");
    out
}

/// Whom the member had waited for, and who waited for it.
fn sentence(story: &Story, first: &FirstFailure, own: &[&Call], waited: &[&Call]) -> String {
    let mut parts = Vec::new();
    if let Some(call) = own.iter().max_by_key(|call| call.took_ns(story.end_ns)) {
        let whom = named(story, call.last_missing().iter().copied());
        parts.push(if whom.is_empty() {
            format!("Its {} failed.", link(story, call))
        } else {
            let took = span(call.took_ns(story.end_ns));
            format!("It had waited {took} for <b>{}</b> in {}.", html::text(&whom), link(story, call))
        });
    }
    let groups = alike(waited);
    let mut waits: Vec<String> = groups
        .iter()
        .take(WAITS)
        .map(|calls| {
            let longest = calls.iter().max_by_key(|call| call.took_ns(story.end_ns)).unwrap_or(&calls[0]);
            let most = if calls.len() > 1 { "up to " } else { "" };
            let took = span(longest.took_ns(story.end_ns));
            format!("{} in {} ({most}{took})", who(story, calls), link(story, longest))
        })
        .collect();
    if groups.len() > WAITS {
        waits.push(format!("others in {} more calls", groups.len() - WAITS));
    }
    if !waits.is_empty() {
        let label = html::text(&story.label(first.member));
        parts.push(format!("Who waited for {label}: {}.", waits.join(", ")));
    }
    if parts.is_empty() { String::new() } else { format!("<p class=\"waited\">{}</p>\n", parts.join(" ")) }
}

/// Calls that were refused, in order of time.
fn failed(story: &Story) -> Vec<&Call> {
    let mut failed: Vec<_> =
        story.calls.iter().filter_map(|call| Some((call.end.as_ref().filter(|end| !end.ok)?.at_ns, call))).collect();
    failed.sort_by_key(|(at, _)| *at);
    failed.into_iter().map(|(_, call)| call).collect()
}

/// Calls that are written the same, together; in the order of the first of each.
fn alike<'a>(calls: &[&'a Call]) -> Vec<Vec<&'a Call>> {
    let mut groups: Vec<(String, Vec<&Call>)> = Vec::new();
    for call in calls {
        let command = call.command();
        match groups.iter_mut().find(|(known, _)| *known == command) {
            Some((_, list)) => list.push(call),
            None => groups.push((command, vec![call])),
        }
    }
    groups.into_iter().map(|(_, list)| list).collect()
}

/// A heading with the refused calls: who, what, and why it could not come.
fn calls(story: &Story, title: &str, failed: &[&Call]) -> String {
    if failed.is_empty() { String::new() } else { format!("<h3>{title}</h3>\n{}", list(story, failed)) }
}

fn list(story: &Story, failed: &[&Call]) -> String {
    let groups = alike(failed);
    let mut out = String::from("<ul>\n");
    for calls in groups.iter().take(LISTED) {
        let call = calls[0];
        let command = call.command();
        let end = call.end.as_ref();
        let why = end.and_then(|end| end.reason.as_deref()).unwrap_or("no reason given");
        let why = story.said(why);
        // A reason that names the call says it once.
        let what = if why.starts_with(&command) { why } else { format!("{command}: {why}") };
        out.push_str(&format!(
            "<li>{} {} <span class=\"what\">{}</span></li>\n",
            instant(end.map_or(story.end_ns, |end| end.at_ns), &selection(story, call)),
            who(story, calls),
            html::text(&what)
        ));
    }
    if groups.len() > LISTED {
        out.push_str(&format!("<li>and {} more</li>\n", groups.len() - LISTED));
    }
    out.push_str("</ul>\n");
    out
}

/// The members of these calls.
fn who(story: &Story, calls: &[&Call]) -> String {
    format!("<b>{}</b>", html::text(&named(story, calls.iter().map(|call| call.member))))
}

/// Names of members: not all of many.
fn named(story: &Story, members: impl Iterator<Item = u32>) -> String {
    let mut members: Vec<u32> = members.collect();
    members.sort_unstable();
    members.dedup();
    let names: Vec<String> = members.iter().take(NAMED).map(|member| story.label(*member)).collect();
    let more = if members.len() > NAMED { format!(" and {} more", members.len() - NAMED) } else { String::new() };
    format!("{}{more}", names.join(", "))
}

/// A call as a link to it.
fn link(story: &Story, call: &Call) -> String {
    html::link(call.made_ns, &selection(story, call), &call.command())
}

fn selection(story: &Story, call: &Call) -> String {
    let index = story.calls.iter().position(|other| std::ptr::eq(other, call)).unwrap_or_default();
    format!("&amp;sel=call:{index}")
}

/// Where no member failed: the failing cases, in order of time.
fn tests(story: &Story) -> String {
    let mut bad: Vec<_> = story
        .lanes
        .iter()
        .flat_map(|lane| lane.cases.iter().map(move |case| (case, lane.sub_id)))
        .filter(|(case, _)| case.record.definition != "lava" && case.record.result == ResultValue::Fail)
        .collect();
    bad.sort_by_key(|(case, _)| case.at_ns);
    // What a failed call left as a result is said with the calls; where nothing else failed, the first one is the headline.
    if bad.iter().any(|(case, _)| !is_call(case)) {
        bad.retain(|(case, _)| !is_call(case));
    } else {
        bad.truncate(1);
    }
    let Some((first, member)) = bad.first() else { return String::new() };
    let said = |case: &Case, member: u32| {
        let record = &case.record;
        let why = record.extra.get("error_msg").and_then(|why| why.as_str()).map(|why| story.said(why));
        let why = why.map(|why| format!(" – {}", html::text(&why))).unwrap_or_default();
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
    if bad.len() > 1 {
        out.push_str("<h3>Later</h3>\n<ul>\n");
        for (case, member) in bad.iter().skip(1).take(LISTED) {
            let (at, what) = said(case, *member);
            out.push_str(&format!("<li>{at} <b>{}</b> {what}</li>\n", html::text(&story.label(*member))));
        }
        if bad.len() > LISTED + 1 {
            out.push_str(&format!("<li>and {} more</li>\n", bad.len() - LISTED - 1));
        }
        out.push_str("</ul>\n");
    }
    out.push_str(&calls(story, "Calls that failed", &failed(story)));
    out.push_str("</section>\n");
    out
}

/// Whether a case stands for a MultiNode call of a test shell (device-side.md §8).
fn is_call(case: &Case) -> bool {
    case.record.case.starts_with("multinode-")
}

fn class(failure: &Failure) -> String {
    format!("<span class=\"class\">{} error</span>", failure.class.as_str())
}

/// What a failure says, and the last lines of the console, which a dispatcher puts at its end.
pub(super) fn last_lines(message: &str) -> (&str, Vec<&str>) {
    let said =
        ["; the console's last lines: ", "; its last lines: "].iter().find_map(|words| message.split_once(words));
    match said {
        Some((what, lines)) => (what, lines.split(" | ").collect()),
        None => (message, Vec::new()),
    }
}

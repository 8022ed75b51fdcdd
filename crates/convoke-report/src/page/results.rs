//! Results by suite: one table a suite, a row a case, a column a member.

use std::collections::{BTreeMap, HashSet};

use convoke_journal::ResultValue;
use convoke_journal::model::Counts;

use super::head;
use super::html::{self, span};
use crate::story::{Story, lane::Case};

/// Of suites with more members than this only marks are shown, with details on demand.
const WIDE: usize = 6;
/// Cells in all tables together; beyond, only rows that did not pass.
const CELLS: usize = 12_000;

/// A table with more cells is laid out when it comes near the window.
const FAR: usize = 200;

/// A suite of all members that ran it.
struct Suite<'a> {
    name: &'a str,
    members: Vec<u32>,
    /// Cases by name and how often it came before on the same member, in the order they came first.
    rows: Vec<(&'a str, usize)>,
    cells: BTreeMap<(&'a str, usize, u32), &'a Case>,
}

/// The section.
pub(super) fn section(story: &Story) -> String {
    let suites = suites(story);
    let mut out = String::from("<section id=\"results\" aria-label=\"Results\">\n<h2>Results</h2>\n");
    let tests: Vec<&Suite> = suites.iter().filter(|suite| suite.name != "lava").collect();
    if tests.is_empty() {
        out.push_str("<p class=\"quiet\">No test suite ran.</p>\n");
    }
    let mut room = CELLS;
    for suite in tests {
        out.push_str(&table(story, suite, &mut room));
    }
    // The dispatcher's own results repeat the timeline; they are there for who looks for them.
    for suite in suites.iter().filter(|suite| suite.name == "lava") {
        out.push_str(&table(story, suite, &mut room));
    }
    out.push_str("</section>\n");
    out
}

fn suites(story: &Story) -> Vec<Suite<'_>> {
    let mut suites: Vec<Suite<'_>> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for lane in &story.lanes {
        let mut before: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for case in &lane.cases {
            let (suite, name) = (case.record.definition.as_str(), case.record.case.as_str());
            let place = *places.entry(suite).or_insert_with(|| {
                suites.push(Suite { name: suite, members: Vec::new(), rows: Vec::new(), cells: BTreeMap::new() });
                suites.len() - 1
            });
            let suite_entry = &mut suites[place];
            if suite_entry.members.last() != Some(&lane.sub_id) {
                suite_entry.members.push(lane.sub_id);
            }
            let round = before.entry((suite, name)).or_default();
            suite_entry.cells.insert((name, *round, lane.sub_id), case);
            *round += 1;
        }
    }
    for suite in &mut suites {
        suite.rows = order(story, suite);
    }
    suites
}

/// Rows in the order in which they came on the first member that has them.
fn order<'a>(story: &'a Story, suite: &Suite<'a>) -> Vec<(&'a str, usize)> {
    let mut rows = Vec::new();
    let mut known = HashSet::new();
    for lane in story.lanes.iter().filter(|lane| suite.members.contains(&lane.sub_id)) {
        let mut before: BTreeMap<&str, usize> = BTreeMap::new();
        for case in lane.cases.iter().filter(|case| case.record.definition == suite.name) {
            let round = before.entry(case.record.case.as_str()).or_default();
            if known.insert((case.record.case.as_str(), *round)) {
                rows.push((case.record.case.as_str(), *round));
            }
            *round += 1;
        }
    }
    rows
}

fn table(story: &Story, suite: &Suite<'_>, room: &mut usize) -> String {
    let counts = count(suite.cells.values().map(|case| case.record.result));
    let bad = counts.fail + counts.unknown > 0;
    let open = if suite.name != "lava" && (bad || suite.cells.len() <= 400) { " open" } else { "" };
    let wide = suite.members.len() > WIDE;
    let far = if suite.cells.len() > FAR { " far" } else { "" };
    let members = match &suite.members[..] {
        [only] => html::text(&story.label(*only)),
        more => format!("{} members", more.len()),
    };
    let mut out = format!(
        "<details class=\"suite{far}\"{open}><summary><b>{}</b> <span class=\"quiet\">{members}</span> {}</summary>\n<div class=\"scroll\"><table class=\"cases{}\">\n",
        html::text(suite.name),
        head::counts(counts),
        match suite.members.len() {
            0 | 1 => "",
            _ if wide => " wide",
            _ => " many",
        }
    );
    out.push_str("<thead><tr><th scope=\"col\">case</th>");
    for member in &suite.members {
        let label = html::text(&story.label(*member));
        out.push_str(&format!("<th scope=\"col\"><span>{label}</span></th>"));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    let mut hidden = 0;
    for (name, round) in &suite.rows {
        let cells: Vec<Option<&&Case>> =
            suite.members.iter().map(|member| suite.cells.get(&(*name, *round, *member))).collect();
        let passed = cells.iter().flatten().all(|case| case.record.result == ResultValue::Pass);
        if *room < cells.len() && passed {
            hidden += 1;
            continue;
        }
        *room = room.saturating_sub(cells.len());
        let again = if *round > 0 { format!(" <span class=\"quiet\">({})</span>", round + 1) } else { String::new() };
        out.push_str(&format!("<tr><th scope=\"row\">{}{again}</th>", html::text(name)));
        for (case, member) in cells.into_iter().zip(&suite.members) {
            out.push_str(&match case {
                Some(case) => cell(story, case, *member, wide),
                None => "<td class=\"none\">·</td>".to_owned(),
            });
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    if hidden > 0 {
        out.push_str(&format!(
            "<p class=\"quiet\">{hidden} more cases that passed are not listed here; results.yaml has them all.</p>\n"
        ));
    }
    out.push_str("</details>\n");
    out
}

fn cell(story: &Story, case: &Case, member: u32, wide: bool) -> String {
    let record = &case.record;
    let result = record.result.as_str();
    let mut said = vec![result.to_owned()];
    if let Some(measurement) = &record.measurement {
        said.push(format!("{measurement} {}", record.units.as_deref().unwrap_or_default()).trim_end().to_owned());
    }
    if let Some(duration) = record.duration {
        said.push(span((duration.max(0.0) * 1e9) as u64));
    }
    let error = record.extra.get("error_msg").or(record.extra.get("fail")).and_then(|text| text.as_str());
    let error = error.map(|text| story.said(text));
    let at = format!("#t={:.6}&amp;m={member}", case.at_ns as f64 / 1e9);
    if wide {
        said.extend(error);
        let all = html::text(&said.join(", "));
        return format!(
            "<td><a class=\"mark {result}\" href=\"{at}\" title=\"{all}\"><span class=\"sr\">{result}</span></a></td>"
        );
    }
    let more = if said.len() > 1 {
        format!(" <span class=\"quiet\">{}</span>", html::text(&said[1..].join(" · ")))
    } else {
        String::new()
    };
    let error = error.filter(|_| record.result != ResultValue::Pass);
    let error = error.map(|text| html::text(&text));
    let error = error.map(|text| format!("<small title=\"{text}\">{text}</small>")).unwrap_or_default();
    format!("<td><a class=\"mark {result}\" href=\"{at}\">{result}</a>{more}{error}</td>")
}

fn count(results: impl Iterator<Item = ResultValue>) -> Counts {
    let mut counts = Counts::default();
    for result in results {
        match result {
            ResultValue::Pass => counts.pass += 1,
            ResultValue::Fail => counts.fail += 1,
            ResultValue::Skip => counts.skip += 1,
            ResultValue::Unknown => counts.unknown += 1,
        }
    }
    counts
}

//! The flow: planned, when the journal has a plan, beside what happened.

mod planned;

use std::collections::BTreeMap;

use super::failure::last_lines;
use super::html::{self, clock, span};
use crate::story::{Call, Flow, Story};
use planned::Plan;

/// More columns than this are put together where members of one role did the same.
const COLUMNS: usize = 8;

/// A longer flow is laid out when it comes near the window.
const FAR: usize = 30;

/// The section; nothing when nobody called.
pub(super) fn section(story: &Story) -> String {
    let flow = story.flow();
    let plan = story.planned.as_ref().and_then(Plan::of);
    if flow.rows.is_empty() && plan.is_none() {
        return String::new();
    }
    let far = if flow.rows.len() > FAR { " class=\"far\"" } else { "" };
    let mut out = format!("<section id=\"flow\"{far} aria-label=\"Flow\">\n<h2>Flow</h2>\n<div class=\"flows\">\n");
    if let Some(plan) = &plan {
        out.push_str(&format!("<figure><figcaption>Planned</figcaption>\n{}</figure>\n", plan.table()));
    }
    out.push_str(&format!(
        "<figure><figcaption>What happened</figcaption>\n{}</figure>\n</div>\n</section>\n",
        actual(story, &flow, plan.as_ref())
    ));
    out
}

/// Columns that are shown as one: places in the flow's columns.
fn columns(story: &Story, flow: &Flow) -> Vec<(String, Vec<usize>)> {
    let role = |place: usize| story.run.member(flow.columns[place]).map_or("", |member| member.info.role.as_str());
    let alike = |place: usize| {
        let calls = flow.rows.iter().map(|row| {
            let cell = row[place].iter().map(|call| &story.calls[*call]);
            cell.map(|call| (call.command(), call.end.as_ref().map(|end| end.ok))).collect::<Vec<_>>()
        });
        let failed = story.run.member(flow.columns[place]).is_some_and(|member| member.failure.is_some());
        (role(place).to_owned(), failed, calls.collect::<Vec<_>>())
    };
    let mut groups: Vec<Vec<usize>> = Vec::new();
    if flow.columns.len() > COLUMNS {
        let mut known: BTreeMap<_, usize> = BTreeMap::new();
        for place in 0..flow.columns.len() {
            let at = *known.entry(alike(place)).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            groups[at].push(place);
        }
    } else {
        groups = (0..flow.columns.len()).map(|place| vec![place]).collect();
    }
    groups
        .into_iter()
        .map(|places| {
            let name = match &places[..] {
                [only] => story.label(flow.columns[*only]),
                _ => format!("{} × {}", role(places[0]), places.len()),
            };
            (name, places)
        })
        .collect()
}

fn actual(story: &Story, flow: &Flow, plan: Option<&Plan<'_>>) -> String {
    let columns = columns(story, flow);
    let mut grid = vec![vec![Square::default(); columns.len()]; flow.rows.len()];
    for (column, (_, places)) in columns.iter().enumerate() {
        let mut next = 0;
        for (row, cells) in flow.rows.iter().enumerate() {
            // Of members that did the same, the one that took longest is shown.
            let longest =
                |place: &&usize| cells[**place].iter().map(|call| story.calls[*call].took_ns(story.end_ns)).max();
            let calls = places.iter().max_by_key(longest).map_or(&[][..], |place| &cells[*place]);
            if calls.is_empty() {
                continue;
            }
            // A call that waits stands where its member came to it, and reaches down to where it was over.
            let waits = calls.iter().any(|call| !story.calls[*call].waited_for.is_empty());
            let from = if waits { next } else { row };
            grid[from][column].text = calls.iter().map(|call| cell(story, *call)).collect();
            grid.iter_mut().take(row + 1).skip(from + 1).for_each(|row| row[column].held = true);
            next = row + 1;
        }
        let first = flow.columns[places[0]];
        let made: Vec<&Call> =
            flow.rows.iter().flat_map(|row| &row[places[0]]).map(|call| &story.calls[*call]).collect();
        let missed = plan.map(|plan| plan.missed(first, &made)).unwrap_or_default();
        let missed = missed.into_iter().map(|cell| {
            format!("<span class=\"call missed\">{}<small>not reached</small></span>", html::text(cell.text))
        });
        for text in stopped(story, first, &made).into_iter().chain(missed) {
            while grid.len() <= next {
                grid.push(vec![Square::default(); columns.len()]);
            }
            grid[next][column].text = text;
            next += 1;
        }
    }
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    table(&names, &grid)
}

/// How a member failed elsewhere than in a call, which says so itself.
fn stopped(story: &Story, member: u32, made: &[&Call]) -> Option<String> {
    let member = story.run.member(member)?;
    let (failure, at) = (member.failure.as_ref()?, member.failed_ns?);
    let refused = made.last().is_some_and(|call| call.end.as_ref().is_some_and(|end| !end.ok));
    (!refused).then(|| {
        format!(
            "<a class=\"call bad\" href=\"#t={:.6}&amp;m={}\">failed at {}<small>{}</small></a>",
            at as f64 / 1e9,
            member.info.sub_id,
            clock(at),
            html::text(last_lines(&story.said(&failure.message)).0)
        )
    })
}

/// What stands in a row of a column.
#[derive(Clone, Default)]
struct Square {
    /// Calls, as HTML.
    text: String,
    /// The call above is still open.
    held: bool,
}

fn table(columns: &[&str], grid: &[Vec<Square>]) -> String {
    let mut out = String::from("<div class=\"scroll\"><table class=\"flow\">\n<thead><tr>");
    for name in columns {
        out.push_str(&format!("<th scope=\"col\">{}</th>", html::text(name)));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in grid {
        out.push_str("<tr>");
        for Square { text, held } in row {
            let class = if *held { " class=\"held\"" } else { "" };
            out.push_str(&format!("<td{class}>{text}</td>"));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

fn cell(story: &Story, index: usize) -> String {
    let call = &story.calls[index];
    let took = span(call.took_ns(story.end_ns));
    let whom: Vec<String> = story.waited_for(call).iter().map(|member| story.label(*member)).collect();
    let whom = match whom.len() {
        0 => String::new(),
        1..=3 => format!(" for {}", whom.join(", ")),
        count => format!(" for {} and {} more", whom[..2].join(", "), count - 2),
    };
    let (tone, said) = match &call.end {
        Some(end) if !end.ok => {
            let why = end.reason.as_deref().map_or("no reason given".into(), |why| story.said(why));
            // The cell says which call it is.
            let why = why.split_once(" can no longer be satisfied: ").map_or(&*why, |(_, why)| why);
            let why = why.strip_prefix(&format!("{}: ", call.command())).unwrap_or(why);
            ("bad", format!("failed after {took}: {why}"))
        }
        None => ("bad", format!("never answered{whom}")),
        Some(_) if !call.waited_for.is_empty() => ("wait", format!("waited {took}{whom}")),
        Some(_) => ("", String::new()),
    };
    let data: Vec<String> = call.data.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let data = if data.is_empty() { String::new() } else { format!(" <small>{}</small>", html::text(&data.join(" "))) };
    let said = if said.is_empty() { said } else { format!("<small>{}</small>", html::text(&said)) };
    format!(
        "<a class=\"call {} {tone}\" href=\"#t={:.6}&amp;sel=call:{index}\">{}{data}{said}</a>",
        html::text(&call.call),
        call.made_ns as f64 / 1e9,
        html::text(&call.command())
    )
}

//! The flow: planned, when the journal has a plan, beside what happened.

use std::collections::BTreeMap;

use serde_json::Value;

use super::html::{self, span};
use crate::story::{Flow, Story};

/// More columns than this are put together where members of one role did the same.
const COLUMNS: usize = 8;
/// No planned flow is longer.
const ROWS: usize = 10_000;

/// The section; nothing when nobody called.
pub(super) fn section(story: &Story) -> String {
    let flow = story.flow();
    let planned = story.planned.as_ref().and_then(plan);
    if flow.rows.is_empty() && planned.is_none() {
        return String::new();
    }
    let mut out = String::from("<section id=\"flow\" aria-label=\"Flow\">\n<h2>Flow</h2>\n<div class=\"flows\">\n");
    if let Some(planned) = planned {
        out.push_str(&format!("<figure><figcaption>Planned</figcaption>\n{planned}</figure>\n"));
    }
    out.push_str(&format!(
        "<figure><figcaption>What happened</figcaption>\n{}</figure>\n</div>\n</section>\n",
        actual(story, &flow)
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
        (role(place).to_owned(), calls.collect::<Vec<_>>())
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

fn actual(story: &Story, flow: &Flow) -> String {
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
    }
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    table(&names, &grid)
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
    let whom: Vec<String> = call.last_missing().iter().map(|member| story.label(*member)).collect();
    let whom = match whom.len() {
        0 => String::new(),
        1..=3 => format!(" for {}", whom.join(", ")),
        count => format!(" for {} and {} more", whom[..2].join(", "), count - 2),
    };
    let (tone, said) = match &call.end {
        Some(end) if !end.ok => {
            ("bad", format!("failed after {took}: {}", end.reason.as_deref().unwrap_or("no reason given")))
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

/// The planned flow, as the flow table is in JSON: `columns` with a `label`, the number of `rows`, `cells` with `column`,
/// `row`, `until`, `kind`, `text`, `end`. Anything else is not shown.
fn plan(plan: &Value) -> Option<String> {
    let columns = plan["columns"].as_array().filter(|columns| !columns.is_empty())?;
    let rows = usize::try_from(plan["rows"].as_u64()?).ok().filter(|rows| *rows <= ROWS)?;
    let cells = plan["cells"].as_array()?;
    let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
    let mut grid = vec![vec![Square::default(); columns.len()]; rows];
    for cell in cells {
        let (column, row) = (number(&cell["column"])?, number(&cell["row"])?);
        let until = number(&cell["until"]).unwrap_or(rows.saturating_sub(1));
        let kind = html::text(&cell["kind"].as_str()?.replace('-', "_"));
        let tone = if cell["end"] == "never" { " bad" } else { "" };
        let text = html::text(cell["text"].as_str()?);
        grid.get_mut(row)?.get_mut(column)?.text.push_str(&format!("<span class=\"call {kind}{tone}\">{text}</span>"));
        for held in grid.iter_mut().take(until.saturating_add(1)).skip(row + 1) {
            held.get_mut(column)?.held = true;
        }
    }
    let names: Vec<&str> = columns.iter().map(|column| column["label"].as_str()).collect::<Option<_>>()?;
    Some(table(&names, &grid))
}

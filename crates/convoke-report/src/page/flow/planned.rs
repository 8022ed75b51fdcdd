//! The planned flow, as the flow table is in JSON: `columns` with a `label` and `members`, the number of `rows`, `cells` with
//! `column`, `row`, `until`, `kind`, `text`, `id`, `role`, `end`, `notes` (docs/flow.md). Anything else is not shown.

use serde_json::Value;

use super::Square;
use crate::page::html;
use crate::story::Call;

/// No planned flow is longer.
const ROWS: usize = 10_000;

/// The plan.
pub(super) struct Plan<'a> {
    columns: Vec<(&'a str, Vec<u64>)>,
    rows: usize,
    cells: Vec<Cell<'a>>,
}

/// What stands in it.
pub(super) struct Cell<'a> {
    column: usize,
    row: usize,
    until: usize,
    /// As the journal calls it: `wait_all`.
    kind: String,
    pub(super) text: &'a str,
    id: Option<&'a str>,
    role: Option<&'a str>,
    never: bool,
    /// It was not known whether the call is made.
    hangs: bool,
}

impl<'a> Plan<'a> {
    pub(super) fn of(plan: &'a Value) -> Option<Plan<'a>> {
        let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
        let columns = plan["columns"].as_array().filter(|columns| !columns.is_empty())?.iter();
        let columns: Vec<(&str, Vec<u64>)> = columns
            .map(|column| {
                let members = column["members"].as_array().into_iter().flatten().filter_map(Value::as_u64);
                Some((column["label"].as_str()?, members.collect()))
            })
            .collect::<Option<_>>()?;
        let rows = number(&plan["rows"]).filter(|rows| *rows <= ROWS)?;
        let cells = plan["cells"].as_array()?.iter().map(|cell| {
            let never = cell["end"] == "never";
            Some(Cell {
                column: number(&cell["column"]).filter(|column| *column < columns.len())?,
                row: number(&cell["row"]).filter(|row| *row < rows)?,
                until: number(&cell["until"]).unwrap_or(rows.saturating_sub(1)),
                kind: cell["kind"].as_str()?.replace('-', "_"),
                text: cell["text"].as_str()?,
                id: cell["id"].as_str(),
                role: cell["role"].as_str(),
                never,
                hangs: !never && cell["notes"].as_array().is_some_and(|notes| !notes.is_empty()),
            })
        });
        let cells = cells.collect::<Option<_>>()?;
        Some(Plan { columns, rows, cells })
    }

    /// As a table.
    pub(super) fn table(&self) -> String {
        let mut grid = vec![vec![Square::default(); self.columns.len()]; self.rows];
        for cell in &self.cells {
            let tone = if cell.never { " bad" } else { "" };
            let kind = html::text(&cell.kind);
            let text = html::text(cell.text);
            grid[cell.row][cell.column].text.push_str(&format!("<span class=\"call {kind}{tone}\">{text}</span>"));
            for held in grid.iter_mut().take(cell.until.saturating_add(1)).skip(cell.row + 1) {
                held[cell.column].held = true;
            }
        }
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        super::table(&names, &grid)
    }

    /// What this member was to call and did not, having made these calls: those alone that certainly come.
    pub(super) fn missed(&self, member: u32, made: &[&Call]) -> Vec<&Cell<'a>> {
        let Some(column) = self.columns.iter().position(|(_, members)| members.contains(&u64::from(member))) else {
            return Vec::new();
        };
        let calls = |cell: &&Cell<'_>| matches!(cell.kind.as_str(), "send" | "wait" | "wait_all" | "sync");
        let planned: Vec<&Cell<'_>> = self.cells.iter().filter(|cell| cell.column == column).filter(calls).collect();
        let mut rest = &planned[..];
        for call in made {
            if let Some(at) = rest.iter().position(|cell| is_of(call, cell)) {
                rest = &rest[at + 1..];
            }
        }
        rest.iter().copied().filter(|cell| !cell.hangs).collect()
    }
}

fn is_of(call: &Call, cell: &Cell<'_>) -> bool {
    // Names of members, which are given at the start, stand as `‹client 2›`: any ID may be the one.
    let known = |id: &str| id.contains('‹') || id == call.message_id;
    cell.kind == call.call && (cell.hangs || (cell.id.is_some_and(known) && cell.role == call.role.as_deref()))
}

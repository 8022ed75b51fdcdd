//! The rows of a table, cell by cell, with what connects them. Text and drawing look at the same.

use super::{Cell, End, Kind, Table};

/// What stands at a column in a row: indices into [`Table::cells`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Slot {
    /// Nothing.
    #[default]
    Empty,
    /// The member comes to it.
    Begins(usize),
    /// It waits.
    Waits(usize),
    /// What it waited for is there.
    Over(usize),
    /// It waits, and this is the last row.
    Never(usize),
}

/// What connects the columns of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// A send, its column, and the columns that it reaches.
    Message {
        /// The sender's column.
        from: usize,
        /// Columns that waited for it; whether they need wait no more.
        to: Vec<(usize, bool)>,
    },
    /// A sync that completes, with the columns that take part.
    Sync(Vec<usize>),
}

impl Link {
    /// The outermost columns.
    pub(crate) fn ends(&self) -> (usize, usize) {
        let columns: Vec<usize> = match self {
            Link::Message { from, to } => to.iter().map(|(column, _)| *column).chain([*from]).collect(),
            Link::Sync(columns) => columns.clone(),
        };
        (columns.iter().min().copied().unwrap_or_default(), columns.iter().max().copied().unwrap_or_default())
    }
}

/// The rows of a table.
pub(crate) struct Grid {
    /// By row and column.
    pub(crate) slots: Vec<Vec<Slot>>,
    /// By row.
    pub(crate) links: Vec<Option<Link>>,
}

impl Grid {
    pub(crate) fn of(table: &Table) -> Grid {
        let mut slots = vec![vec![Slot::Empty; table.columns.len()]; table.rows];
        let mut set = |row: usize, column: usize, slot: Slot| {
            let place = slots.get_mut(row).and_then(|row| row.get_mut(column));
            // Where two stand in one place, a call that waits makes room for one that begins.
            if let Some(place) = place.filter(|place| matches!(slot, Slot::Begins(_)) || **place == Slot::Empty) {
                *place = slot;
            }
        };
        for (index, cell) in table.cells.iter().enumerate() {
            let (begin, end) = table.span(cell).into_inner();
            set(begin, cell.column, Slot::Begins(index));
            for row in begin + 1..=end.min(table.rows) {
                let slot = match (row == end, cell.end) {
                    (true, End::Done) => Slot::Over(index),
                    (true, End::Never) => Slot::Never(index),
                    _ => Slot::Waits(index),
                };
                set(row, cell.column, slot);
            }
        }
        Grid { slots, links: links(table) }
    }
}

fn links(table: &Table) -> Vec<Option<Link>> {
    let mut links: Vec<Option<Link>> = vec![None; table.rows];
    for (index, cell) in table.cells.iter().enumerate() {
        if cell.end != End::Done {
            continue;
        }
        match (cell.kind, cell.until) {
            (Kind::Sync, Some(row)) if row < links.len() => match &mut links[row] {
                Some(Link::Sync(columns)) => columns.push(cell.column),
                place => *place = Some(Link::Sync(vec![cell.column])),
            },
            (Kind::Send, _) if links.get(cell.row).is_some_and(Option::is_none) => {
                links[cell.row] = Some(Link::Message { from: cell.column, to: reached(table, index) });
            }
            _ => {}
        }
    }
    for link in &mut links {
        let nobody = |link: &Link| match link {
            Link::Message { to, .. } => to.is_empty(),
            Link::Sync(columns) => columns.len() < 2,
        };
        if link.as_ref().is_some_and(nobody) {
            *link = None;
        }
    }
    links
}

/// The columns that wait for a send while it is made.
fn reached(table: &Table, send: usize) -> Vec<(usize, bool)> {
    let row = table.cells[send].row;
    let waits = |cell: &&Cell| {
        matches!(cell.kind, Kind::Wait | Kind::WaitAll)
            && cell.column != table.cells[send].column
            && table.span(cell).contains(&row)
            && cell.from.contains(&send)
    };
    table.cells.iter().filter(waits).map(|cell| (cell.column, cell.until == Some(row))).collect()
}

/// The row in which a wait that need not wait finds what it waits for: an earlier one.
pub(crate) fn found_in(table: &Table, cell: &Cell) -> Option<usize> {
    let done = cell.end == End::Done && matches!(cell.kind, Kind::Wait | Kind::WaitAll);
    let last = cell.from.iter().filter_map(|from| table.cells.get(*from)).map(|from| from.row).max()?;
    (done && last < cell.row).then_some(last)
}

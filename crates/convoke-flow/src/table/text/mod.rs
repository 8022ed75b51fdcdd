//! The table for a terminal.
//!
//! ```text
//!     │ server ×2           │ client                       │ observer
//!  ───┼─────────────────────┼──────────────────────────────┼─────────────────
//!   1 │ lava-sync start ════╪═ lava-sync start ════════════╪═ lava-sync start
//!   2 │ lava-send ready ────┼▶ lava-wait-all ready server  │ lava-sync fin
//!   3 │ lava-sync fin ══════╪═ lava-sync fin ══════════════╪═ ✓
//! ```
//!
//! Columns that do not fit beside one another follow below, with the same rows.

pub(super) mod canvas;
mod row;
pub(super) mod wrap;

use canvas::{Canvas, Paint};
use row::Rows;
use wrap::{Word, width, words, wrap};

use super::grid::{Grid, Link, Slot, found_in};
use super::times::{between, times};
use super::{About, Cell, End, Kind, Table, Tense};

/// What the terminal can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether it shows more than ASCII.
    pub unicode: bool,
    /// Whether to colour.
    pub colour: bool,
}

/// A column is not made narrower than this, as long as it has that much to say.
const NARROW: usize = 16;
/// Blanks beside the text of a cell, where lines come in and go out.
const PAD: usize = 2;

/// The table as text, with a line end after each line.
pub fn text(table: &Table, look: Look) -> String {
    let marks = Marks::of(look);
    let grid = Grid::of(table);
    let mut out = title(table, look);
    if table.columns.is_empty() || table.rows == 0 {
        out.push_str("nobody calls anything\n");
        return out;
    }
    let table = &if look.unicode { table.clone() } else { plain(table) };
    let cells: Vec<Vec<Word>> = table.cells.iter().map(|cell| content(table, cell, &marks)).collect();
    let natural = natural(table, &cells);
    let gutter = number(table, table.rows - 1).len().max(1) + 2;
    let times = over(table, look);
    let beside = row::width_of(&times) + PAD + 2;
    let whole = gutter + natural.iter().map(|width| width + 2 * PAD + 1).sum::<usize>();
    // Columns are not made narrower for them.
    let times = if whole + beside <= look.width { times } else { Vec::new() };
    for band in bands(&natural, look.width.saturating_sub(gutter)) {
        let widths = fit(&natural[band.clone()], look.width.saturating_sub(gutter));
        let first = band.start;
        let rows = Rows { table, grid: &grid, marks: &marks, cells: &cells, first, widths, gutter, times: &times };
        out.push('\n');
        for line in rows.lines() {
            out.push_str(&line.line(look.colour));
            out.push('\n');
        }
    }
    out.push_str(&below(table, &grid, &marks, look));
    out
}

/// When the event of each row comes, before a run; nothing where that cannot be told of any.
fn over(table: &Table, look: Look) -> Vec<String> {
    let mut over = vec![String::new(); table.rows];
    for cell in &table.cells {
        let row = match cell.kind {
            Kind::Send => Some(cell.row),
            Kind::Sync => cell.until,
            _ => None,
        };
        if let (Some(row), Some(between)) = (row, between(cell)) {
            over[row] = if look.unicode { between } else { between.replace('–', "-") };
        }
    }
    if over.iter().all(String::is_empty) { Vec::new() } else { over }
}

/// A table whose own signs are ASCII; what the job says stays as it is.
fn plain(table: &Table) -> Table {
    let mut table = table.clone();
    for column in &mut table.columns {
        column.label = column.label.replace('×', "x").replace('–', "-");
    }
    for cell in &mut table.cells {
        cell.text = cell.text.replace('‹', "<").replace('›', ">");
    }
    table
}

/// The signs of a table.
pub(super) struct Marks {
    across: char,
    sync: char,
    down: char,
    cross: char,
    sync_cross: char,
    right: char,
    left: char,
    part: (char, char),
    waits: &'static str,
    over: &'static str,
    never: &'static str,
    repeat: &'static str,
    found: &'static str,
}

impl Marks {
    fn of(look: Look) -> Self {
        if look.unicode {
            Marks {
                across: '─',
                sync: '═',
                down: '│',
                cross: '┼',
                sync_cross: '╪',
                right: '▶',
                left: '◀',
                part: ('▷', '◁'),
                waits: "↓",
                over: "✓",
                never: "✗",
                repeat: "↻",
                found: "←",
            }
        } else {
            Marks {
                across: '-',
                sync: '=',
                down: '|',
                cross: '+',
                sync_cross: '+',
                right: '>',
                left: '<',
                part: ('o', 'o'),
                waits: "v",
                over: "ok",
                never: "X",
                repeat: "*",
                found: "<-",
            }
        }
    }

    fn of_note(&self, about: About) -> &'static str {
        match about {
            About::Unknown => "?",
            About::Repeat => self.repeat,
            About::Never => self.never,
        }
    }
}

fn title(table: &Table, look: Look) -> String {
    let what = match table.tense {
        Tense::Planned => "planned flow",
        Tense::Happened => "what happened",
    };
    let verdict = match (table.tense, table.verdict.as_deref()) {
        (Tense::Planned, Some("can-end")) => ": can end",
        (Tense::Planned, Some("cannot-end")) => ": cannot end",
        (Tense::Planned, Some("unknown")) => ": not known whether it can end",
        _ => "",
    };
    let paint = if verdict == ": cannot end" { Paint::Bad } else { Paint::Plain };
    let mut line = Canvas::new(look.width);
    let clean: String = table.job.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let head =
        [Word(clean, Paint::Head), Word(format!("{} {what}{verdict}", if look.unicode { "–" } else { "-" }), paint)];
    let mut x = 0;
    for Word(text, paint) in head {
        line.put(x, &text, paint);
        x += width(&[Word(text, paint)]) + 1;
    }
    line.line(look.colour) + "\n"
}

/// What stands in a cell: the call, its notes, and when it came.
fn content(table: &Table, cell: &Cell, marks: &Marks) -> Vec<Word> {
    let paint = match (cell.end, cell.kind) {
        (End::Never, _) => Paint::Bad,
        (End::NotReached, _) | (_, Kind::Blocks | Kind::Runs) => Paint::Dim,
        (_, Kind::Send) => Paint::Send,
        (_, Kind::Wait | Kind::WaitAll | Kind::Assemble) => Paint::Wait,
        (_, Kind::Sync) => Paint::Sync,
        (_, Kind::Script | Kind::Stopped) => Paint::Odd,
    };
    let mut content: Vec<Word> = words(&cell.text, paint).collect();
    if let Some(action) = &cell.action {
        content.extend(words(&format!("({action})"), Paint::Dim));
    }
    if let Some(row) = found_in(table, cell) {
        content.push(Word(format!("{}{}", marks.found, number(table, row)), Paint::Dim));
    }
    let mut said = false;
    for &note in &cell.notes {
        let Some(about) = table.notes.get(note).map(|note| note.about) else { continue };
        let paint = if about == About::Never { Paint::Bad } else { Paint::Odd };
        content.push(Word(format!("{}{}", marks.of_note(about), note + 1), paint));
        said = true;
    }
    match cell.end {
        End::Never if !said => content.push(Word(marks.never.into(), Paint::Bad)),
        End::Unknown if !said => content.push(Word("?".into(), Paint::Odd)),
        End::NotReached => content.extend(words("(not reached)", Paint::Dim)),
        _ => {}
    }
    content
}

/// How wide the columns would like to be.
fn natural(table: &Table, cells: &[Vec<Word>]) -> Vec<usize> {
    let mut natural: Vec<usize> =
        table.columns.iter().map(|column| width(&[Word(column.label.clone(), Paint::Head)])).collect();
    for (cell, content) in table.cells.iter().zip(cells) {
        let times = times(cell).map_or(0, |times| width(&[Word(times, Paint::Dim)]).min(2 * NARROW));
        if let Some(column) = natural.get_mut(cell.column) {
            *column = (*column).max(width(content)).max(times);
        }
    }
    natural
}

/// The columns that stand beside one another.
fn bands(natural: &[usize], room: usize) -> Vec<std::ops::Range<usize>> {
    let mut bands: Vec<std::ops::Range<usize>> = Vec::new();
    let mut used = 0;
    for (column, width) in natural.iter().enumerate() {
        let least = (*width).min(NARROW) + 2 * PAD + 1;
        match bands.last_mut() {
            Some(band) if used + least <= room => band.end = column + 1,
            _ => {
                bands.push(column..column + 1);
                used = 0;
            }
        }
        used += least;
    }
    bands
}

/// Widths that fit: the widest columns are made narrower.
fn fit(natural: &[usize], room: usize) -> Vec<usize> {
    let mut widths = natural.to_vec();
    let room = room.saturating_sub(widths.len() * (2 * PAD + 1));
    while widths.iter().sum::<usize>() > room {
        let Some(widest) = widths.iter_mut().filter(|width| **width > NARROW).max() else { break };
        *widest -= 1;
    }
    if let [only] = &mut widths[..] {
        *only = (*only).min(room.max(NARROW / 2));
    }
    widths
}

/// The number of a row, empty before the first call.
fn number(table: &Table, row: usize) -> String {
    table.number(row).map(|number| number.to_string()).unwrap_or_default()
}

/// What the signs mean, as far as they occur, and the notes.
fn below(table: &Table, grid: &Grid, marks: &Marks, look: Look) -> String {
    let slots = || grid.slots.iter().flatten();
    let links = || grid.links.iter().flatten();
    let reach = |full: bool| {
        links().any(|link| matches!(link, Link::Message { to, .. } if to.iter().any(|(_, all)| *all == full)))
    };
    let mut signs = Vec::new();
    let mut sign = |used: bool, sign: String, means: &str| {
        if used {
            signs.push(format!("{sign} {means}"));
        }
    };
    sign(reach(true), marks.right.to_string(), "ends the wait");
    sign(reach(false), marks.part.0.to_string(), "is one of those waited for");
    sign(slots().any(|slot| matches!(slot, Slot::Waits(_))), marks.waits.to_owned(), "waits");
    sign(slots().any(|slot| matches!(slot, Slot::Over(_))), marks.over.to_owned(), "waits no more");
    sign(table.cells.iter().any(|cell| found_in(table, cell).is_some()), format!("{}n", marks.found), "sent in row n");
    sign(
        table.cells.iter().any(|cell| cell.end == End::Never),
        marks.never.to_owned(),
        match table.tense {
            Tense::Planned => "never ends",
            Tense::Happened => "failed",
        },
    );
    let mut out = String::new();
    let mut paragraph = |text: &str, paint: Paint| {
        for line in wrap(&words(text, paint).collect::<Vec<_>>(), look.width) {
            let mut canvas = Canvas::new(look.width);
            line.iter().for_each(|(at, word)| canvas.put(*at, &word.0, word.1));
            out.push_str(&canvas.line(look.colour));
            out.push('\n');
        }
    };
    if !signs.is_empty() {
        paragraph("", Paint::Plain);
        paragraph(&signs.join(if look.unicode { " · " } else { "; " }), Paint::Dim);
    }
    if !table.notes.is_empty() {
        paragraph("", Paint::Plain);
    }
    for (index, note) in table.notes.iter().enumerate() {
        let place = note.place.as_ref().map(|place| format!(" ({}:{})", place.file, place.line)).unwrap_or_default();
        paragraph(&format!("{}{} {}{place}", marks.of_note(note.about), index + 1, note.text), Paint::Plain);
    }
    out
}

//! Where everything stands in the picture, in units of a pixel at its natural size.

use unicode_width::UnicodeWidthStr;

use super::super::grid::{Grid, Link, found_in};
use super::super::text::wrap::lines;
use super::super::times::times;
use super::super::{Cell, End, Table};

/// The left and right margin.
pub(super) const LEFT: i32 = 20;
/// Between the lines of a call.
pub(super) const LINE: i32 = 16;
/// Between the small lines below it.
pub(super) const SMALL: i32 = 14;
/// Between the lines of notes.
pub(super) const NOTE: i32 = 18;

/// Characters in a line of a call.
const CALL: usize = 30;
/// Width of a character of a call, of a small line, of a note.
const WIDE: [f64; 3] = [7.6, 6.4, 6.6];
/// Room for the numbers of the rows.
const NUMBERS: i32 = 34;
/// Between the boxes of neighbouring columns.
const BETWEEN: i32 = 44;
/// Between the boxes of neighbouring rows.
const GAP: i32 = 16;

/// A cell's text in lines, and its size.
pub(super) struct Sized {
    pub(super) lines: Vec<String>,
    pub(super) small: Vec<String>,
    pub(super) width: i32,
    pub(super) height: i32,
}

impl Sized {
    pub(super) fn of(table: &Table, cell: &Cell) -> Self {
        let text = lines(&cell.text, CALL);
        let mut small: Vec<String> = cell.action.iter().map(|action| format!("({action})")).collect();
        if let Some(row) = found_in(table, cell).and_then(|row| table.number(row)) {
            small.push(format!("sent in row {row}"));
        }
        if cell.end == End::NotReached {
            small.push("not reached".into());
        }
        small.extend(times(cell).into_iter().flat_map(|times| lines(&times, CALL + 6)));
        let marks = cell.notes.len() * 3 + usize::from(cell.notes.is_empty() && cell.end != End::Done) * 2;
        let wide = |lines: &[String], each: f64, more: usize| {
            lines.iter().map(|line| (line.width() + more) as f64 * each).fold(0.0, f64::max) as i32
        };
        let width = wide(&text, WIDE[0], marks).max(wide(&small, WIDE[1], 0)) + 20;
        let height = 8 + LINE * text.len() as i32 + SMALL * small.len() as i32;
        Sized { lines: text, small, width: width + width % 2, height: height + height % 2 }
    }
}

/// Where everything stands.
pub(super) struct Geometry {
    pub(super) width: i32,
    pub(super) height: i32,
    /// Where the heads of the columns stand.
    pub(super) head: i32,
    /// Where the last row ends.
    pub(super) bottom: i32,
    /// The notes in lines.
    pub(super) notes: Vec<Vec<String>>,
    columns: Vec<i32>,
    rows: Vec<i32>,
}

impl Geometry {
    pub(super) fn of(table: &Table, grid: &Grid, sized: &[Sized]) -> Self {
        let mut widths: Vec<i32> =
            table.columns.iter().map(|column| (column.label.width() as f64 * 8.6) as i32 + 20).collect();
        let mut heights = vec![0; table.rows];
        for (cell, sized) in table.cells.iter().zip(sized) {
            if let (Some(width), Some(height)) = (widths.get_mut(cell.column), heights.get_mut(cell.row)) {
                *width = (*width).max(sized.width);
                *height = (*height).max(sized.height);
            }
        }
        let mut x = LEFT + NUMBERS;
        let columns = widths
            .iter()
            .map(|width| {
                let middle = x + width / 2;
                x += width + BETWEEN;
                middle
            })
            .collect();
        let head = 86;
        let mut y = head + 14;
        let rows = heights
            .iter()
            .zip(&grid.links)
            .map(|(height, link)| {
                let least = if matches!(link, Some(Link::Sync(_))) { 24 } else { 20 };
                let height = (*height).max(least);
                let middle = y + height / 2;
                y += height + GAP;
                middle
            })
            .collect();
        let width = (x - BETWEEN + LEFT).max(360);
        let room = ((f64::from(width - 2 * LEFT - 30)) / WIDE[2]) as usize;
        let notes: Vec<Vec<String>> = table
            .notes
            .iter()
            .map(|note| {
                let place = note.place.as_ref().map(|at| format!(" ({}:{})", at.file, at.line)).unwrap_or_default();
                lines(&format!("{}{place}", note.text), room)
            })
            .collect();
        let below = notes.iter().map(Vec::len).sum::<usize>() as i32 * NOTE;
        let height = y + if below > 0 { below + 26 } else { 8 };
        Geometry { width, height, head, bottom: y, notes, columns, rows }
    }

    /// The middle of a column.
    pub(super) fn middle(&self, column: usize) -> i32 {
        self.columns.get(column).copied().unwrap_or_default()
    }

    /// The middle of a row.
    pub(super) fn row(&self, row: usize) -> i32 {
        self.rows.get(row).copied().unwrap_or_default()
    }
}

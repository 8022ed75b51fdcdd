//! The table as a picture: a self-contained SVG document that looks right on light, dark and paper.
//!
//! Columns are lifelines. A call is a box on its member's line; while it waits a bar goes down from it; a send reaches
//! those that wait for it with an arrow, a completed sync lies across as a band. It can stand alone or within a page:
//! every class and variable begins with `cf-`.

mod geometry;

use std::fmt::Write;

use geometry::{Geometry, LEFT, SMALL, Sized};

use super::grid::{Grid, Link, Slot};
use super::{About, Cell, End, Kind, Table, Tense};

/// The table as a self-contained SVG document.
pub fn svg(table: &Table) -> String {
    let grid = Grid::of(table);
    let sized: Vec<Sized> = table.cells.iter().map(|cell| Sized::of(table, cell)).collect();
    let geometry = Geometry::of(table, &grid, &sized);
    let mut picture = Picture { table, grid: &grid, sized: &sized, geometry: &geometry, out: String::new() };
    picture.draw();
    picture.out
}

const STYLE: &str = include_str!("style.css");

struct Picture<'a> {
    table: &'a Table,
    grid: &'a Grid,
    sized: &'a [Sized],
    geometry: &'a Geometry,
    out: String,
}

/// Writing to a text cannot fail.
macro_rules! put {
    ($picture:expr, $($words:tt)*) => { let _ = writeln!($picture.out, $($words)*); };
}

impl Picture<'_> {
    fn draw(&mut self) {
        let (width, height) = (self.geometry.width, self.geometry.height);
        let (title, what) = (escape(&self.table.job), self.what());
        put!(
            self,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"cf\" role=\"img\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" style=\"max-width:100%;height:auto\">"
        );
        put!(self, "<title>{title}: {what}</title>\n<style>{STYLE}</style>");
        put!(self, "<rect class=\"cf-paper\" width=\"{width}\" height=\"{height}\"/>");
        put!(self, "<text class=\"cf-title\" x=\"{LEFT}\" y=\"28\">{title}</text>");
        let class = if self.table.verdict.as_deref() == Some("cannot-end") { "cf-sub cf-bad-text" } else { "cf-sub" };
        put!(self, "<text class=\"{class}\" x=\"{LEFT}\" y=\"47\">{what}</text>");
        self.heads();
        self.rows();
        for row in 0..self.table.rows {
            if let Some(link) = &self.grid.links[row] {
                self.link(row, link);
            }
        }
        (0..self.table.cells.len()).for_each(|index| self.bar(index));
        (0..self.table.cells.len()).for_each(|index| self.cell(index));
        for row in 0..self.table.rows {
            self.ends(row);
        }
        self.notes();
        self.out.push_str("</svg>\n");
    }

    fn what(&self) -> &'static str {
        match (self.table.tense, self.table.verdict.as_deref()) {
            (Tense::Happened, _) => "what happened",
            (Tense::Planned, Some("can-end")) => "planned flow: can end",
            (Tense::Planned, Some("cannot-end")) => "planned flow: cannot end",
            (Tense::Planned, Some("unknown")) => "planned flow: not known whether it can end",
            (Tense::Planned, _) => "planned flow",
        }
    }

    fn heads(&mut self) {
        let (top, bottom) = (self.geometry.head, self.geometry.bottom);
        for (index, column) in self.table.columns.iter().enumerate() {
            let x = self.geometry.middle(index);
            put!(self, "<line class=\"cf-life\" x1=\"{x}\" y1=\"{}\" x2=\"{x}\" y2=\"{bottom}\"/>", top + 8);
            put!(self, "<text class=\"cf-head\" x=\"{x}\" y=\"{top}\">{}</text>", escape(&column.label));
        }
    }

    fn rows(&mut self) {
        for row in 0..self.table.rows {
            let y = self.geometry.row(row);
            if let Some(number) = self.table.number(row) {
                put!(self, "<text class=\"cf-number\" x=\"{}\" y=\"{}\">{number}</text>", LEFT + 16, y + 4);
            }
        }
    }

    /// The line of a send or the band of a sync, below everything else.
    fn link(&mut self, row: usize, link: &Link) {
        let y = self.geometry.row(row);
        let (first, last) = link.ends();
        let (x1, x2) = (self.geometry.middle(first), self.geometry.middle(last));
        match link {
            Link::Sync(_) => {
                put!(
                    self,
                    "<rect class=\"cf-band\" x=\"{x1}\" y=\"{}\" width=\"{}\" height=\"4\" rx=\"2\"/>",
                    y - 2,
                    x2 - x1
                );
            }
            Link::Message { .. } => {
                put!(self, "<line class=\"cf-way\" x1=\"{x1}\" y1=\"{y}\" x2=\"{x2}\" y2=\"{y}\"/>");
            }
        }
    }

    /// How long a call waits.
    fn bar(&mut self, index: usize) {
        let cell = &self.table.cells[index];
        let (begin, end) = self.table.span(cell).into_inner();
        if end == begin {
            return;
        }
        let (x, top) = (self.geometry.middle(cell.column), self.geometry.row(begin));
        let class = match (cell.end, cell.kind) {
            (End::Never, _) => "cf-bar cf-bar-bad",
            (_, Kind::Sync) => "cf-bar cf-bar-sync",
            _ => "cf-bar",
        };
        let height = self.geometry.row(end) - top;
        put!(self, "<rect class=\"{class}\" x=\"{}\" y=\"{top}\" width=\"8\" height=\"{height}\" rx=\"4\"/>", x - 4);
    }

    fn cell(&mut self, index: usize) {
        let (cell, sized) = (&self.table.cells[index], &self.sized[index]);
        let (x, y) = (self.geometry.middle(cell.column), self.geometry.row(cell.row));
        let (width, height) = (sized.width, sized.height);
        let class = match (cell.end, cell.kind) {
            (End::Never, _) => "cf-never",
            (End::NotReached, _) => "cf-missed",
            (_, Kind::Blocks | Kind::Runs) => "cf-blocks",
            (_, Kind::Script | Kind::Stopped) => "cf-script",
            (_, Kind::Send) => "cf-send",
            (_, Kind::Sync) => "cf-sync",
            (_, Kind::Wait | Kind::WaitAll | Kind::Assemble) => "cf-wait",
        };
        put!(self, "<g class=\"{class}\"><title>{}</title>", escape(&self.hint(cell)));
        put!(
            self,
            "<rect class=\"cf-box\" x=\"{}\" y=\"{}\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>",
            x - width / 2,
            y - height / 2
        );
        let mut line = y - height / 2 + 15;
        for (number, text) in sized.lines.iter().enumerate() {
            let marks = if number + 1 == sized.lines.len() { self.marks(cell) } else { String::new() };
            put!(self, "<text class=\"cf-call\" x=\"{x}\" y=\"{line}\">{}{marks}</text>", escape(text));
            line += geometry::LINE;
        }
        for text in &sized.small {
            put!(self, "<text class=\"cf-small\" x=\"{x}\" y=\"{}\">{}</text>", line - 2, escape(text));
            line += SMALL;
        }
        self.out.push_str("</g>\n");
    }

    /// The signs of the notes of a cell.
    fn marks(&self, cell: &Cell) -> String {
        let mut marks = String::new();
        for note in &cell.notes {
            let Some(about) = self.table.notes.get(*note).map(|note| note.about) else { continue };
            let _ = write!(marks, "<tspan class=\"{}\"> {}</tspan>", class_of(about), sign_of(about, *note));
        }
        match cell.end {
            End::Never if cell.notes.is_empty() => marks.push_str("<tspan class=\"cf-bad-text\"> ✗</tspan>"),
            End::Unknown if cell.notes.is_empty() => marks.push_str("<tspan class=\"cf-odd-text\"> ?</tspan>"),
            _ => {}
        }
        marks
    }

    /// What the pointer shows of a cell.
    fn hint(&self, cell: &Cell) -> String {
        let mut hint = cell.text.clone();
        if let Some(place) = &cell.place {
            let _ = write!(hint, "\n{}:{}", place.file, place.line);
        }
        if let Some(limit) = cell.limit_s.filter(|_| cell.kind != Kind::Send) {
            let _ = write!(hint, "\nmay wait {}", super::times::seconds(limit));
        }
        if let (Some(earliest), Some(latest)) = (cell.earliest_s, cell.latest_s) {
            let (earliest, latest) = (super::times::clock(earliest), super::times::clock(latest));
            let what = if cell.kind == Kind::Send { "sent" } else { "over" };
            let _ = write!(hint, "\n{what} at the earliest {earliest}, at most {latest} after the group is complete");
        }
        for note in cell.notes.iter().filter_map(|note| self.table.notes.get(*note)) {
            let _ = write!(hint, "\n{}", note.text);
        }
        hint
    }

    /// Where lines come in: arrow heads, and dots on what has been waiting.
    fn ends(&mut self, row: usize) {
        let y = self.geometry.row(row);
        let half = |picture: &Self, column: usize| match picture.grid.slots[row].get(column) {
            Some(Slot::Begins(index)) => picture.sized[*index].width / 2,
            _ => 5,
        };
        match self.grid.links[row].clone() {
            Some(Link::Sync(columns)) => {
                for column in columns {
                    let x = self.geometry.middle(column);
                    if !matches!(self.grid.slots[row].get(column), Some(Slot::Begins(_))) {
                        put!(self, "<circle class=\"cf-joint cf-joint-sync\" cx=\"{x}\" cy=\"{y}\" r=\"6\"/>");
                    }
                }
            }
            Some(Link::Message { from, to }) => {
                for (column, all) in to {
                    let (side, half) = (if from < column { -1 } else { 1 }, half(self, column));
                    let tip = self.geometry.middle(column) + side * half;
                    let back = tip + side * 9;
                    let class = if all { "cf-tip" } else { "cf-tip cf-tip-part" };
                    put!(self, "<path class=\"{class}\" d=\"M{tip} {y}L{back} {}L{back} {}Z\"/>", y - 5, y + 5);
                }
            }
            None => {}
        }
        for column in 0..self.table.columns.len() {
            if let Slot::Never(_) = self.grid.slots[row][column] {
                let x = self.geometry.middle(column);
                put!(self, "<text class=\"cf-cross cf-bad-text\" x=\"{x}\" y=\"{}\">✗</text>", y + 7);
            }
        }
    }

    fn notes(&mut self) {
        let mut y = self.geometry.bottom + 26;
        for (index, lines) in self.geometry.notes.iter().enumerate() {
            let Some(about) = self.table.notes.get(index).map(|note| note.about) else { continue };
            let (class, sign) = (class_of(about), sign_of(about, index));
            put!(self, "<text class=\"cf-note {class}\" x=\"{LEFT}\" y=\"{y}\">{sign}</text>");
            for line in lines {
                put!(self, "<text class=\"cf-note\" x=\"{}\" y=\"{y}\">{}</text>", LEFT + 30, escape(line));
                y += geometry::NOTE;
            }
        }
    }
}

fn class_of(about: About) -> &'static str {
    if about == About::Never { "cf-bad-text" } else { "cf-odd-text" }
}

fn sign_of(about: About, index: usize) -> String {
    let sign = match about {
        About::Unknown => '?',
        About::Repeat => '↻',
        About::Never => '✗',
    };
    format!("{sign}{}", index + 1)
}

/// Text for XML; characters that XML does not have are shown as `�`.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push('\n'),
            control if control.is_control() || matches!(control, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

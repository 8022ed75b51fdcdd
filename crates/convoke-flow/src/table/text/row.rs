//! The lines of the rows, with what connects their cells.

use super::canvas::{Canvas, Paint};
use super::wrap::{Word, words, wrap};
use super::{Grid, Link, Marks, PAD, Slot, Table, number, times};

/// Some columns of a table, and where they stand.
pub(super) struct Rows<'a> {
    pub(super) table: &'a Table,
    pub(super) grid: &'a Grid,
    pub(super) marks: &'a Marks,
    /// What stands in each cell of the table.
    pub(super) cells: &'a [Vec<Word>],
    /// The first column of the table that is drawn here.
    pub(super) first: usize,
    /// How wide the columns are.
    pub(super) widths: Vec<usize>,
    /// How wide the numbers are.
    pub(super) gutter: usize,
    /// What stands on the right of each row; may be empty.
    pub(super) times: &'a [String],
}

/// A line of words, each with its place.
type Line = Vec<(usize, Word)>;

/// Over the times of the rows.
const HEAD: &str = "earliest, latest";

/// How wide they are.
pub(super) fn width_of(times: &[String]) -> usize {
    times.iter().map(|time| time.chars().count()).max().map_or(0, |width| width.max(HEAD.len()))
}

impl Rows<'_> {
    pub(super) fn lines(&self) -> Vec<Canvas> {
        let mut out = Vec::new();
        let heads: Vec<Vec<Line>> = self
            .widths
            .iter()
            .enumerate()
            .map(|(index, width)| {
                let label = self.table.columns.get(self.first + index).map_or("", |column| &column.label);
                wrap(&words(label, Paint::Head).collect::<Vec<_>>(), *width)
            })
            .collect();
        self.draw("", &heads, None, HEAD, &mut out);
        let width = self.width() + self.room();
        let mut rule = Canvas::new(width);
        (1..width).for_each(|x| rule.set(x, self.marks.across, Paint::Dim));
        let columns = self.widths.len() + usize::from(!self.times.is_empty());
        (0..columns).for_each(|index| rule.set(self.border(index), self.marks.cross, Paint::Dim));
        out.push(rule);
        for row in 0..self.table.rows {
            let contents: Vec<Vec<Line>> = (0..self.widths.len()).map(|index| self.content(row, index)).collect();
            let time = self.times.get(row).map_or("", String::as_str);
            self.draw(&number(self.table, row), &contents, self.grid.links[row].as_ref(), time, &mut out);
        }
        out
    }

    /// The lines of one cell.
    fn content(&self, row: usize, index: usize) -> Vec<Line> {
        let sign = |text: &str, paint| vec![vec![(0, Word(text.to_owned(), paint))]];
        match self.grid.slots[row][self.first + index] {
            Slot::Empty => vec![Vec::new()],
            Slot::Waits(_) => sign(self.marks.waits, Paint::Dim),
            Slot::Over(_) => sign(self.marks.over, Paint::Dim),
            Slot::Never(_) => sign(self.marks.never, Paint::Bad),
            Slot::Begins(cell) => {
                let mut lines = wrap(&self.cells[cell], self.widths[index]);
                if let Some(times) = times(&self.table.cells[cell]) {
                    lines.extend(wrap(&words(&times, Paint::Dim).collect::<Vec<_>>(), self.widths[index]));
                }
                lines
            }
        }
    }

    fn width(&self) -> usize {
        self.border(self.widths.len())
    }

    /// What the times on the right take.
    fn room(&self) -> usize {
        if self.times.is_empty() { 0 } else { PAD + 1 + width_of(self.times) }
    }

    /// Where the line on the left of a column stands.
    fn border(&self, index: usize) -> usize {
        self.gutter + self.widths[..index].iter().map(|width| width + 2 * PAD + 1).sum::<usize>()
    }

    /// Draws the lines of one row.
    fn draw(&self, number: &str, contents: &[Vec<Line>], link: Option<&Link>, time: &str, out: &mut Vec<Canvas>) {
        let height = contents.iter().map(Vec::len).max().unwrap_or(1);
        let room = self.room();
        for line in 0..height {
            let mut canvas = Canvas::new(self.width() + room);
            if room > 0 {
                canvas.set(self.width(), self.marks.down, Paint::Dim);
                canvas.put(self.width() + 1 + PAD, if line == 0 { time } else { "" }, Paint::Dim);
            }
            if line == 0 {
                canvas.put(self.gutter.saturating_sub(number.len() + 1), number, Paint::Dim);
            }
            for (index, content) in contents.iter().enumerate() {
                let border = self.border(index);
                canvas.set(border, self.marks.down, Paint::Dim);
                for (at, word) in content.get(line).into_iter().flatten() {
                    canvas.put(border + 1 + PAD + at, &word.0, word.1);
                }
            }
            if let (0, Some(link)) = (line, link) {
                self.connect(&mut canvas, contents, link);
            }
            out.push(canvas);
        }
    }

    /// Draws the line of a link through the first line of a row: behind what stands there.
    fn connect(&self, canvas: &mut Canvas, contents: &[Vec<Line>], link: &Link) {
        let (leftmost, rightmost) = link.ends();
        let (line, cross, paint) = match link {
            Link::Message { .. } => (self.marks.across, self.marks.cross, Paint::Send),
            Link::Sync(_) => (self.marks.sync, self.marks.sync_cross, Paint::Sync),
        };
        for (index, content) in contents.iter().enumerate() {
            let column = self.first + index;
            if column < leftmost || column > rightmost {
                continue;
            }
            let (border, end) = (self.border(index), self.border(index + 1));
            let text = content.first().and_then(|line| line.last()).map(|(at, word)| {
                let width = super::width(std::slice::from_ref(word));
                border + 1 + PAD..border + 1 + PAD + at + width
            });
            let (comes, goes) = (column > leftmost, column < rightmost);
            if comes {
                canvas.set(border, cross, paint);
            }
            for x in border + 1..end {
                let drawn = match &text {
                    None => comes && goes,
                    Some(text) if x + 1 < text.start => comes,
                    Some(text) if x > text.end => goes,
                    // A blank stands on both sides of what is written.
                    Some(_) => false,
                };
                if drawn {
                    canvas.set(x, line, paint);
                }
            }
            let Link::Message { from, to } = link else { continue };
            let Some((_, all)) = to.iter().find(|(to, _)| *to == column) else { continue };
            if *from < column {
                canvas.set(border + 1, if *all { self.marks.right } else { self.marks.part.0 }, paint);
            } else {
                let x = text.map_or(border + 1 + PAD, |text| text.end + 1);
                canvas.set(x, if *all { self.marks.left } else { self.marks.part.1 }, paint);
            }
        }
    }
}

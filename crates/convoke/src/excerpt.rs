//! What of a document is drawn with a finding: the lines around its labels, and of a long line only what is near a label.
//!
//! Invariants: no line is much wider than the room it has, whatever the document is like; no control character of the
//! document reaches the terminal; line and column are those of the document.

use std::collections::BTreeMap;
use std::ops::Range;

use convoke_job::{Label, Source};
use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// Lines kept before and after a label's.
const NEAR: usize = 2;

/// A part of a document. Lines between its labels that are not drawn are empty.
#[derive(Debug)]
pub(crate) struct Excerpt {
    name: String,
    text: String,
    /// The labels in `text`, in their order.
    pub(crate) labels: Vec<Range<usize>>,
    /// Line and column of the first label in the document, and the line `text` begins with, all from 0.
    column: usize,
    first_line: usize,
}

impl Excerpt {
    /// The part of `source` that `labels` are in, no line much wider than `room` columns.
    pub(crate) fn new(source: &Source, labels: &[Label], room: usize) -> Excerpt {
        let whole = source.text();
        // Of a label over several lines the first one is shown.
        let spans: Vec<Range<usize>> = labels
            .iter()
            .map(|label| {
                let start = whole.floor_char_boundary(label.span.start);
                let end = whole.ceil_char_boundary(label.span.end).min(line_end(whole, start));
                start..end.max(start)
            })
            .collect();
        let lines: Vec<usize> = spans.iter().map(|span| source.position(span.start).line.saturating_sub(1)).collect();
        let mut excerpt = Excerpt {
            name: source.name().to_owned(),
            text: String::new(),
            labels: Vec::new(),
            column: spans.first().map_or(0, |span| source.position(span.start).column.saturating_sub(1)),
            first_line: 0,
        };
        let (Some(first), Some(last)) = (lines.iter().min(), lines.iter().max()) else { return excerpt };
        excerpt.first_line = first.saturating_sub(NEAR);
        let mut start = spans.iter().map(|span| span.start).min().unwrap_or(0);
        start = line_start(whole, start);
        for _ in excerpt.first_line..*first {
            start = line_start(whole, start.saturating_sub(1));
        }
        let sorted = |mut points: Vec<usize>| {
            points.sort_unstable();
            points.dedup();
            points
        };
        let points = sorted(spans.iter().flat_map(|span| [span.start, span.end]).collect());
        let starts = sorted(spans.iter().map(|span| span.start).collect());
        let mut places = BTreeMap::new();
        for number in excerpt.first_line..=last + NEAR {
            let end = line_end(whole, start);
            if lines.iter().any(|line| line.abs_diff(number) <= NEAR) {
                let within = |points: &[usize]| {
                    points.partition_point(|point| *point < start)..points.partition_point(|point| *point <= end)
                };
                let windows = windows(whole, start..end, &starts[within(&starts)], room);
                excerpt.line(whole, start..end, &windows, &points[within(&points)], &mut places);
            }
            if end == whole.len() {
                break;
            }
            excerpt.text.push('\n');
            start = end + 1;
        }
        let place = |point: &usize| places.get(point).copied().unwrap_or(excerpt.text.len());
        excerpt.labels = spans.iter().map(|span| place(&span.start)..place(&span.end)).collect();
        excerpt
    }

    /// Adds what `windows` show of a line. `points` in it are looked up later, so their places are noted.
    fn line(
        &mut self,
        whole: &str,
        line: Range<usize>,
        windows: &[Range<usize>],
        points: &[usize],
        places: &mut BTreeMap<usize, usize>,
    ) {
        let mut last = line.start;
        for window in windows {
            if window.start > last {
                self.text.push('…');
            }
            let mut at = window.start;
            for point in points.iter().copied().filter(|point| *point <= window.end) {
                if point > at {
                    self.push(&whole[at..point]);
                    at = point;
                }
                places.entry(point).or_insert(self.text.len());
            }
            self.push(&whole[at..window.end]);
            last = window.end;
        }
        for point in points {
            places.entry(*point).or_insert(self.text.len());
        }
        if last < line.end {
            self.text.push('…');
        }
    }

    fn push(&mut self, text: &str) {
        let safe = |c: char| if c.is_control() && c != '\t' && c != '\r' { '\u{fffd}' } else { c };
        self.text.extend(text.chars().map(safe));
    }
}

/// What is kept of a line: all of it when there is room, else a part around each label's start, in order and not
/// overlapping.
fn windows(whole: &str, line: Range<usize>, starts: &[usize], room: usize) -> Vec<Range<usize>> {
    let fits =
        line.len() <= room || (line.len() <= 4 * room && console::measure_text_width(&whole[line.clone()]) <= room);
    if fits {
        return Vec::from([line]);
    }
    // Two columns say that something is left out.
    let share = (room / starts.len().max(1)).saturating_sub(2).max(30);
    let mut windows: Vec<Range<usize>> = Vec::new();
    let beginning = [line.start];
    for point in if starts.is_empty() { &beginning } else { starts } {
        let start = whole.floor_char_boundary(point.saturating_sub(share / 3).max(line.start));
        // A beginning that is not used is given to what follows.
        let end = whole.floor_char_boundary((point.saturating_sub(share / 3).max(line.start) + share).min(line.end));
        match windows.last_mut() {
            Some(before) if before.end >= start => before.end = end.max(before.end),
            _ => windows.push(start..end.max(start)),
        }
    }
    windows
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |newline| at + newline)
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let inner = self.text.as_str().read_span(span, before, after)?;
        // Without context it is the place of the first label that is asked for.
        let column = if before == 0 && after == 0 { self.column } else { inner.column() };
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            inner.data(),
            *inner.span(),
            inner.line() + self.first_line,
            column,
            inner.line_count(),
        )))
    }
}

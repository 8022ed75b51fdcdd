//! When a call came and how long it waited, in a few words.

use super::{Came, Cell, End, Kind};

/// `at 3.2 s`, `at 3.2 s, waited 4.1 s for client`, `at 3.2 to 3.4 s, failed after 30.0 s`; nothing before a run.
pub(crate) fn times(cell: &Cell) -> Option<String> {
    let first = cell.came.iter().map(|came| came.at_s).min_by(f64::total_cmp)?;
    let last = cell.came.iter().map(|came| came.at_s).max_by(f64::total_cmp)?;
    let mut text = match (seconds(first), seconds(last)) {
        (first, last) if first == last => format!("at {first}"),
        (first, last) => format!("at {first} to {last}"),
    };
    match (cell.end, longest(&cell.came)) {
        _ if cell.kind == Kind::Stopped => {}
        (End::Never, Some((waited, _))) => text.push_str(&format!(", failed after {}", seconds(waited))),
        (End::Unknown, None) => text.push_str(", not answered"),
        (_, Some((waited, came))) if waits(waited, came) => {
            let most = if cell.came.len() > 1 { "up to " } else { "" };
            text.push_str(&format!(", waited {most}{}{}", seconds(waited), for_whom(came)));
        }
        _ => {}
    }
    Some(text)
}

/// Whether it is worth a word that somebody waited.
fn waits(waited: f64, came: &Came) -> bool {
    waited >= 0.1 || (!came.waited_for.is_empty() && waited >= 0.001)
}

fn longest(came: &[Came]) -> Option<(f64, &Came)> {
    came.iter().filter_map(|came| Some((came.waited_s?, came))).max_by(|(a, _), (b, _)| a.total_cmp(b))
}

fn for_whom(came: &Came) -> String {
    match &came.waited_for[..] {
        [] => String::new(),
        [one] => format!(" for {one}"),
        [one, two] => format!(" for {one} and {two}"),
        more => format!(" for {} and {} more", more[0], more.len() - 1),
    }
}

/// `350 ms`, `4.2 s`, `3 min 05 s`, `1 h 02 min`, with blanks at which no line is broken.
pub(crate) fn seconds(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    let whole = seconds as u64;
    match whole {
        0 => format!("{}\u{a0}ms", (seconds * 1000.0) as u64),
        1..=59 => format!("{}.{}\u{a0}s", whole, (seconds * 10.0) as u64 % 10),
        60..=3599 => format!("{}\u{a0}min\u{a0}{:02}\u{a0}s", whole / 60, whole % 60),
        _ => format!("{}\u{a0}h\u{a0}{:02}\u{a0}min", whole / 3600, whole / 60 % 60),
    }
}

/// When a call is over before a run: `0:30 – 1:05:00`, at the earliest and at most; nothing where no limit ends it.
pub(crate) fn between(cell: &Cell) -> Option<String> {
    Some(format!("{} – {}", clock(cell.earliest_s?), clock(cell.latest_s?)))
}

/// `0:07`, `12:00`, `1:05:00`.
pub(crate) fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    match whole {
        0..=3599 => format!("{}:{:02}", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60),
    }
}

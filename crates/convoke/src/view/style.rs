//! Colours, times and safe text for the terminal.
//!
//! Invariant: no control character of a device reaches the terminal.

use std::borrow::Cow;

use console::Style;
use convoke_journal::{ResultValue, RunModel};

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paint(pub(crate) bool);

impl Paint {
    /// Colours on a terminal that has them, unless `NO_COLOR` is set; or as the command line says.
    pub(crate) fn for_stdout() -> Self {
        Paint(console::colors_enabled())
    }

    fn style(self, style: Style, text: &str) -> String {
        style.force_styling(self.0).apply_to(text).to_string()
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.style(Style::new().dim(), text)
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.style(Style::new().bold(), text)
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.style(Style::new().green(), text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.style(Style::new().red().bold(), text)
    }

    pub(crate) fn odd(self, text: &str) -> String {
        self.style(Style::new().yellow(), text)
    }

    /// Where the next letter will stand.
    pub(crate) fn cursor(self) -> String {
        if self.0 { self.style(Style::new().reverse(), " ") } else { "_".into() }
    }

    /// A member keeps its colour.
    pub(crate) fn member(self, sub_id: u32, text: &str) -> String {
        let colours = [Style::new().cyan(), Style::new().magenta(), Style::new().blue(), Style::new().green()];
        let colour = colours[sub_id as usize % colours.len()].clone();
        self.style(colour, text)
    }

    pub(crate) fn result(self, value: ResultValue, text: &str) -> String {
        match value {
            ResultValue::Pass => self.good(text),
            ResultValue::Fail => self.bad(text),
            ResultValue::Skip | ResultValue::Unknown => self.odd(text),
        }
    }
}

/// Whether the terminal can move its cursor.
pub(crate) fn can_draw() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term != "dumb" && !term.is_empty())
}

/// Whether the locale says that the terminal shows ASCII only. One that says nothing is taken for UTF-8, as containers have
/// none.
pub(crate) fn is_ascii() -> bool {
    let named = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(|name| std::env::var(name).ok());
    let locale = named.into_iter().find(|locale| !locale.is_empty());
    locale.is_some_and(|locale| !["utf-8", "utf8"].iter().any(|name| locale.to_lowercase().contains(name)))
}

/// Text of the same width in ASCII.
pub(crate) fn to_ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '─' | '–' => out.push('-'),
            '…' => out.push('~'),
            '·' | '•' => out.push('*'),
            _ if character.is_ascii() => out.push(character),
            _ => {
                let width = console::measure_text_width(character.encode_utf8(&mut [0; 4]));
                out.extend(std::iter::repeat_n('?', width));
            }
        }
    }
    out
}

/// Text from a device for a terminal: escape sequences are left out, of a line that was drawn over itself (a progress
/// bar) the last state counts, other control characters are shown as `^X`.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let plain = console::strip_ansi_codes(text);
    let last = plain.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
    let mut out = String::with_capacity(last.len());
    for character in last.chars() {
        match character {
            '\t' => out.push_str("    "),
            '\n' => out.push_str("\\n"),
            '\0'..='\x1f' => out.extend(['^', char::from(b'@' + character as u8)]),
            '\x7f'..='\u{9f}' => out.push('\u{fffd}'),
            _ => out.push(character),
        }
    }
    Cow::Owned(out)
}

/// A text of the group, in which members have the names of the MultiNode API (`1002 (client)`), with their labels instead.
pub(crate) fn named<'a>(model: &RunModel, text: &'a str) -> Cow<'a, str> {
    let mut out = Cow::Borrowed(text);
    for member in model.members.iter().filter(|member| !member.info.role.is_empty()) {
        let name = format!("{} ({})", member.info.name, member.info.role);
        if out.contains(&name) {
            out = Cow::Owned(out.replace(&name, &member.label));
        }
    }
    out
}

/// `00:07.125` since the start, `1:02:07.125` after an hour.
pub(crate) fn clock(ns: u64) -> String {
    let millis = ns / 1_000_000;
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}.{millis:03}")
    } else {
        format!("{minutes:02}:{seconds:02}.{millis:03}")
    }
}

/// A duration for people: `350 ms`, `4.2 s`, `3 min 05 s`, `1 h 02 min`.
pub(crate) fn duration(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    match seconds {
        0 => format!("{} ms", ns / 1_000_000),
        1..=59 => format!("{}.{} s", seconds, ns / 100_000_000 % 10),
        60..=3599 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// `text` filled up with blanks to a width of columns.
pub(crate) fn pad(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(console::measure_text_width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// `text` cut to a width of columns.
pub(crate) fn cut(text: &str, width: usize) -> String {
    console::truncate_str(text, width, "…").into_owned()
}

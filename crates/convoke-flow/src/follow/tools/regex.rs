//! `grep`, and the regular expressions of the tools.

use super::super::state::Status;
use super::{Options, Printed};

/// A pattern of `grep`.
pub(crate) struct Grep {
    pattern: String,
    quiet: bool,
    inverted: bool,
    count: bool,
    only: bool,
    most: usize,
}

pub(super) fn options<'a>(program: &str, words: &[&'a str]) -> Option<(Options, Vec<&'a str>)> {
    let mut grep =
        Grep { pattern: String::new(), quiet: false, inverted: false, count: false, only: false, most: usize::MAX };
    let (mut extended, mut fixed, mut word, mut line, mut case) =
        (program == "egrep", program == "fgrep", false, false, true);
    let mut pattern = None;
    let mut files = Vec::new();
    let mut rest = words.iter().copied();
    while let Some(text) = rest.next() {
        match text.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            Some("e") => pattern = Some(rest.next()?),
            Some("m") => grep.most = rest.next()?.parse().ok()?,
            Some(letters) if letters.starts_with('m') => grep.most = letters[1..].parse().ok()?,
            Some(letters) => {
                for letter in letters.chars() {
                    match letter {
                        'q' => grep.quiet = true,
                        'v' => grep.inverted = true,
                        'c' => grep.count = true,
                        'o' => grep.only = true,
                        'E' | 'P' => extended = true,
                        'F' => fixed = true,
                        'w' => word = true,
                        'x' => line = true,
                        'i' => case = false,
                        's' | 'h' | 'a' | 'n' if letter != 'n' => {}
                        _ => return None,
                    }
                }
            }
            None if pattern.is_none() => pattern = Some(text),
            None => files.push(text),
        }
    }
    let pattern = pattern?;
    let mut regex = if fixed {
        pattern
            .chars()
            .flat_map(|c| if c.is_alphanumeric() || c as u32 > 127 { vec![c] } else { vec!['\\', c] })
            .collect()
    } else if extended {
        pattern.to_owned()
    } else {
        basic(pattern)
    };
    if word {
        regex = format!(r"(?<!\w)(?:{regex})(?!\w)");
    }
    if line {
        regex = format!("^(?:{regex})$");
    }
    if !case {
        regex = format!("(?i){regex}");
    }
    grep.pattern = regex;
    Some((Options::Grep(Box::new(grep)), files))
}

impl Grep {
    pub(super) fn apply(&self, text: &str) -> Printed {
        let regex = convoke_job::pattern::compile(&self.pattern).ok()?;
        let mut out = String::new();
        let mut found = 0_usize;
        for line in text.lines() {
            if found >= self.most {
                break;
            }
            if regex.is_match(line).ok()? == self.inverted {
                continue;
            }
            found += 1;
            if self.only {
                for part in regex.find_iter(line) {
                    out.push_str(part.ok()?.as_str());
                    out.push('\n');
                }
            } else {
                out.push_str(line);
                out.push('\n');
            }
        }
        if self.count {
            out = format!("{found}\n");
        }
        if self.quiet {
            out.clear();
        }
        Some((out.into(), Status::of(found > 0)))
    }
}

/// A basic regular expression in the extended form: what is special with a backslash there is special without one here.
pub(super) fn basic(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    let mut in_set = false;
    while let Some(c) = chars.next() {
        match c {
            '[' if !in_set => {
                in_set = true;
                out.push('[');
                let mut rest = chars.clone();
                let mut first = rest.next();
                if first == Some('^') {
                    out.push('^');
                    chars.next();
                    first = rest.next();
                }
                if first == Some(']') {
                    out.push_str("\\]");
                    chars.next();
                }
            }
            ']' => {
                in_set = false;
                out.push(']');
            }
            '\\' if !in_set => match chars.next() {
                Some(c @ ('(' | ')' | '{' | '}' | '|' | '+' | '?')) => out.push(c),
                Some(c) => out.extend(['\\', c]),
                None => out.push_str("\\\\"),
            },
            '(' | ')' | '{' | '}' | '|' | '+' | '?' if !in_set => out.extend(['\\', c]),
            '*' if out.is_empty() => out.push_str("\\*"),
            c => out.push(c),
        }
    }
    out
}

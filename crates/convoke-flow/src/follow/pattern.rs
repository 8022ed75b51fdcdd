//! Patterns of the shell, matched against texts.

use std::rc::Rc;

use convoke_job::Span;

use super::Follower;
use super::value::{Value, by_name, has_symbol, same};
use crate::model::Unknown;

impl Follower<'_> {
    /// Whether a text matches a pattern, when that can be told.
    pub(super) fn matches(&self, subject: &Value, pattern: &Value, span: Span) -> Result<bool, Rc<Unknown>> {
        let pattern = match pattern {
            Value::Known(pattern) if pattern.as_ref() == "*" => return Ok(true),
            Value::Known(pattern) => pattern,
            Value::Unknown(unknown) => return Err(Rc::clone(unknown)),
        };
        match subject {
            Value::Unknown(unknown) => Err(Rc::clone(unknown)),
            Value::Known(text) if matches(text, pattern) => Ok(true),
            Value::Known(text) if has_symbol(text) || has_symbol(pattern) => {
                // A name may match whatever is written; it is no other name.
                let decided = same(text, pattern).filter(|_| !has_glob(pattern));
                decided.map_or_else(|| Err(Rc::new(self.unknown(by_name(), span))), Ok)
            }
            Value::Known(_) => Ok(false),
        }
    }
}

/// Whether a text has characters that make it a pattern of file names.
pub(super) fn has_glob(text: &str) -> bool {
    text.contains(['*', '?']) || text.split_once('[').is_some_and(|(_, rest)| rest.contains(']'))
}

/// The pattern that matches a text and nothing else.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// One element of a pattern.
enum Element {
    One(char),
    Any,
    Many,
    Set { negated: bool, ranges: Vec<(char, char)> },
}

fn elements(pattern: &str) -> Vec<Element> {
    let mut out = Vec::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        out.push(match c {
            '*' => Element::Many,
            '?' => Element::Any,
            '\\' => {
                let next = rest[1..].chars().next();
                length += next.map_or(0, char::len_utf8);
                Element::One(next.unwrap_or('\\'))
            }
            '[' => match set(rest) {
                Some((element, taken)) => {
                    length = taken;
                    element
                }
                None => Element::One('['),
            },
            c => Element::One(c),
        });
        rest = &rest[length..];
    }
    out
}

/// `[…]` at the beginning of a text, and how long it is.
fn set(text: &str) -> Option<(Element, usize)> {
    const CLASSES: [(&str, &[(char, char)]); 8] = [
        ("[:alpha:]", &[('a', 'z'), ('A', 'Z')]),
        ("[:digit:]", &[('0', '9')]),
        ("[:alnum:]", &[('a', 'z'), ('A', 'Z'), ('0', '9')]),
        ("[:lower:]", &[('a', 'z')]),
        ("[:upper:]", &[('A', 'Z')]),
        ("[:space:]", &[(' ', ' '), ('\t', '\r')]),
        ("[:blank:]", &[(' ', ' '), ('\t', '\t')]),
        ("[:xdigit:]", &[('0', '9'), ('a', 'f'), ('A', 'F')]),
    ];
    let mut rest = &text[1..];
    let negated = rest.starts_with(['!', '^']);
    if negated {
        rest = &rest[1..];
    }
    let mut ranges = Vec::new();
    let mut first = true;
    loop {
        if let Some((name, class)) = CLASSES.iter().find(|(name, _)| rest.starts_with(name)) {
            ranges.extend_from_slice(class);
            rest = &rest[name.len()..];
            first = false;
            continue;
        }
        let mut chars = rest.chars();
        let c = chars.next()?;
        if c == ']' && !first {
            let length = text.len() - rest.len() + 1;
            return Some((Element::Set { negated, ranges }, length));
        }
        let c = if c == '\\' { chars.next()? } else { c };
        rest = chars.as_str();
        let to = rest.strip_prefix('-').and_then(|after| after.chars().next()).filter(|to| *to != ']');
        match to {
            Some(to) => {
                ranges.push((c, to));
                rest = &rest[1 + to.len_utf8()..];
            }
            None => ranges.push((c, c)),
        }
        first = false;
    }
}

fn fits(element: &Element, c: char) -> bool {
    match element {
        Element::One(one) => *one == c,
        Element::Any => true,
        Element::Many => false,
        Element::Set { negated, ranges } => ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *negated,
    }
}

/// Whether all of a text matches.
pub(super) fn matches(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    matches_all(&text, &elements(pattern))
}

fn matches_all(text: &[char], pattern: &[Element]) -> bool {
    let (mut at, mut element) = (0, 0);
    // Where to go on when this attempt fails: the last `*`, and how much it takes.
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(element) {
            Some(Element::Many) => {
                star = Some((element, at));
                element += 1;
            }
            Some(one) if fits(one, text[at]) => {
                at += 1;
                element += 1;
            }
            _ => match &mut star {
                Some((after, taken)) => {
                    *taken += 1;
                    at = *taken;
                    element = *after + 1;
                }
                None => return false,
            },
        }
    }
    pattern[element..].iter().all(|element| matches!(element, Element::Many))
}

/// `${text%pattern}` and its kin.
pub(super) fn trim(text: &str, pattern: &str, suffix: bool, longest: bool) -> String {
    const MOST: usize = 4000;
    let chars: Vec<char> = text.chars().take(MOST).collect();
    let elements = elements(pattern);
    let mut lengths: Vec<usize> = (0..=chars.len()).collect();
    if longest {
        lengths.reverse();
    }
    for length in lengths {
        let (part, kept) = if suffix {
            let (kept, part) = chars.split_at(chars.len() - length);
            (part, kept)
        } else {
            chars.split_at(length)
        };
        if matches_all(part, &elements) {
            return kept.iter().collect();
        }
    }
    text.to_owned()
}

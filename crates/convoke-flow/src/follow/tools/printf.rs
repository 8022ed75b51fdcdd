//! `printf`, as far as all shells print alike.

use std::rc::Rc;

use super::super::expand::Field;
use super::super::value::Value;
use super::{MOST_BYTES, unescaped};

/// `printf`; none for a format that is not understood.
pub(in crate::follow) fn printf(arguments: &[Field]) -> Option<Value> {
    let mut values = Vec::with_capacity(arguments.len());
    for field in arguments {
        match &field.value {
            Value::Known(text) => values.push(Rc::clone(text)),
            Value::Unknown(unknown) => return Some(Value::Unknown(Rc::clone(unknown))),
        }
    }
    let Some((format, mut rest)) = values.split_first().map(|(format, rest)| (format, rest.iter())) else {
        return Some(Value::empty());
    };
    let mut out = String::new();
    loop {
        let before = rest.len();
        let mut chars = format.chars();
        let mut text = String::new();
        while let Some(c) = chars.next() {
            if c != '%' {
                text.push(c);
                continue;
            }
            out.push_str(&unescaped(&std::mem::take(&mut text)));
            let mut flags = String::new();
            let kind = loop {
                match chars.next() {
                    Some(c @ ('0'..='9' | '-' | '.' | ' ' | '+')) => flags.push(c),
                    other => break other,
                }
            };
            match kind {
                Some('%') => out.push('%'),
                Some(kind @ ('s' | 'd' | 'i' | 'u' | 'b' | 'c' | 'x' | 'X' | 'o')) => {
                    let value = rest.next().map(|value| value.to_string()).unwrap_or_default();
                    out.push_str(&padded(&converted(kind, &value, &flags)?, &flags));
                }
                _ => return None,
            }
        }
        out.push_str(&unescaped(&text));
        // The format is used again as long as there are arguments, and it takes any.
        if rest.len() == 0 || rest.len() == before || out.len() > MOST_BYTES {
            return Some(out.into());
        }
    }
}

/// One argument of `printf` before it is padded.
fn converted(kind: char, value: &str, flags: &str) -> Option<String> {
    let precision = flags.split_once('.').map(|(_, digits)| digits.parse::<usize>().unwrap_or(0));
    let number = || if value.is_empty() { Some(0) } else { decimal(value) };
    Some(match (kind, precision) {
        ('s', None) => value.to_owned(),
        ('s', Some(most)) => value.chars().take(most).collect(),
        ('b', None) => unescaped(value),
        ('c', None) => value.chars().take(1).collect(),
        ('d' | 'i' | 'u', None) => number()?.to_string(),
        ('x', None) => format!("{:x}", number()?),
        ('X', None) => format!("{:X}", number()?),
        ('o', None) => format!("{:o}", number()?),
        _ => return None,
    })
}

/// A number as shells read it, as long as all read it alike.
fn decimal(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = digits == "0" || !digits.starts_with('0');
    if is_plain && digits.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn padded(value: &str, flags: &str) -> String {
    let width: usize =
        flags.trim_start_matches(['-', '0', '+', ' ']).split('.').next().unwrap_or_default().parse().unwrap_or(0);
    let missing = width.min(1000).saturating_sub(value.chars().count());
    if flags.starts_with('-') {
        format!("{value}{}", " ".repeat(missing))
    } else if flags.starts_with('0') {
        format!("{}{value}", "0".repeat(missing))
    } else {
        format!("{}{value}", " ".repeat(missing))
    }
}

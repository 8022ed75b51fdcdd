//! The v2 document as YAML text: blocks with their source above them, short things on one line.
//!
//! A string stands plain only where no reader of YAML 1.1 could take it for anything else.

use serde_json::{Map, Value};

use crate::legacy::assemble::Assembled;
use crate::source::Source;

/// Up to here a mapping or list stays on its line.
const WIDEST: usize = 100;

/// The whole text.
pub(crate) fn document(source: &Source, assembled: &Assembled, assumptions: &[String]) -> String {
    let mut out = String::new();
    comment(&mut out, 0, &format!("Converted from the 2014 JSON of {}.", source.name()));
    if !assumptions.is_empty() {
        comment(&mut out, 0, "Assumed:");
        for assumption in assumptions {
            comment(&mut out, 0, &format!("- {assumption}"));
        }
    }
    for (key, value) in &assembled.head {
        entry(&mut out, 0, key, value);
    }
    if let Some(multinode) = &assembled.multinode {
        out.push_str("protocols:\n  lava-multinode:\n");
        for (key, value) in multinode {
            entry(&mut out, 4, key, value);
        }
        out.push_str("    roles:\n");
        for (name, keys, origin) in &assembled.roles {
            comment(&mut out, 6, origin);
            entry(&mut out, 6, name, &Value::Object(keys.clone()));
        }
    }
    if assembled.blocks.is_empty() {
        out.push_str("actions: []\n");
        return out;
    }
    out.push_str("actions:\n");
    for block in &assembled.blocks {
        comment(&mut out, 0, &block.origin);
        out.push_str(&format!("- {}:\n", block.kind));
        mapping(&mut out, 4, &block.body);
    }
    out
}

/// A comment never breaks out of its line, whatever the name of the file.
fn comment(out: &mut String, indent: usize, text: &str) {
    let text: String = text.chars().map(|c| if c.is_control() || breaks(c) { ' ' } else { c }).collect();
    out.push_str(&format!("{}# {text}\n", " ".repeat(indent)));
}

fn mapping(out: &mut String, indent: usize, map: &Map<String, Value>) {
    for (key, value) in map {
        entry(out, indent, key, value);
    }
}

fn entry(out: &mut String, indent: usize, key: &str, value: &Value) {
    let head = format!("{}{}:", " ".repeat(indent), scalar(key));
    let line = flow(value);
    if fits(value, indent + head.len() + line.len()) {
        out.push_str(&format!("{head} {line}\n"));
        return;
    }
    out.push_str(&format!("{head}\n"));
    match value {
        Value::Object(map) => mapping(out, indent + 2, map),
        Value::Array(items) => items.iter().for_each(|value| item(out, indent, value)),
        _ => {}
    }
}

fn item(out: &mut String, indent: usize, value: &Value) {
    let line = flow(value);
    if fits(value, indent + 2 + line.len()) {
        out.push_str(&format!("{}- {line}\n", " ".repeat(indent)));
        return;
    }
    match value {
        Value::Object(map) => {
            let mut lines = String::new();
            mapping(&mut lines, indent + 2, map);
            lines.replace_range(indent..indent + 1, "-");
            out.push_str(&lines);
        }
        Value::Array(items) => {
            // A list in a list too long for its line: still on one line, which is legal at any length.
            let _ = items;
            out.push_str(&format!("{}- {line}\n", " ".repeat(indent)));
        }
        _ => {}
    }
}

/// Scalars and empty things always; lists of mappings never; the rest by length.
fn fits(value: &Value, width: usize) -> bool {
    match value {
        Value::Object(map) => map.is_empty() || width <= WIDEST && !map.values().any(long_form),
        Value::Array(items) => items.is_empty() || !long_form(value) && width <= WIDEST,
        _ => true,
    }
}

fn long_form(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| item.is_object() || item.is_array()),
        Value::Object(map) => map.values().any(long_form),
        _ => false,
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries: Vec<String> =
                map.iter().map(|(key, value)| format!("{}: {}", scalar(key), flow(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// A string as YAML: plain, in single quotes when it has a backslash or a quote, else in double quotes.
pub(crate) fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let printable = !text.chars().any(|c| c.is_control() || breaks(c));
    if printable && (text.contains('\\') || text.contains('"')) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() || breaks(c) => quoted.push_str(&format!("\\u{:04x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Characters that end a line, or that no YAML may contain as they are.
fn breaks(c: char) -> bool {
    matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Words and URLs that begin with a letter or a slash, hold nothing that means something in YAML, and are no boolean or
/// null.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 11] = ["y", "n", "yes", "no", "true", "false", "on", "off", "null", "nan", "inf"];
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    first
        && !text.ends_with(' ')
        && text.replacen("://", "//", 1).chars().all(|c| c.is_ascii_alphanumeric() || "_-./+ ".contains(c))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

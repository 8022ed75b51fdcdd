//! What LAVA adds to Jinja2, and what of Python's strings and mappings templates use.

use minijinja::value::{Rest, Value};
use minijinja::{Environment, Error, ErrorKind, State};

use super::python;

pub(super) fn add(environment: &mut Environment<'static>) {
    // Two of LAVA's templates have a variable of this name, and test whether it is set.
    environment.remove_global("debug");
    environment.set_unknown_method_callback(method);
    environment.add_filter("string", |value: &Value| text(value));
    environment.add_filter("shlex_quote", |value: &Value| shell_quoted(&text(value)));
    environment.add_filter("yaml_quote", |value: &Value| yaml_quoted(&text(value)));
    environment.add_filter("qemu_guest_fs_interface", guest_interface);
}

fn text(value: &Value) -> String {
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = python::text(value, &mut text);
    text
}

/// The interface of the disk with the test overlay: the one that was asked for, else what the architecture has.
fn guest_interface(architecture: &Value, Rest(wanted): Rest<Value>) -> String {
    let wanted = wanted.first().map(text).unwrap_or_default();
    let architecture = text(architecture);
    let is_pc = ["x86", "i386", "amd64"].iter().any(|name| architecture.contains(name));
    match wanted.as_str() {
        "" | "None" => if is_pc { "ide" } else { "virtio" }.to_owned(),
        wanted => wanted.to_owned(),
    }
}

/// One word for a shell.
fn shell_quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "@%+=:,./-_".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r#"'"'"'"#))
}

/// A scalar of YAML on one line, in double quotes.
fn yaml_quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{85}' | '\u{a0}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                quoted.push_str(&format!("\\u{:04X}", u32::from(letter)));
            }
            letter if letter.is_control() => quoted.push_str(&format!("\\x{:02X}", u32::from(letter))),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// Methods of Python's values.
fn method(state: &mut State, value: &Value, name: &str, arguments: &[Value]) -> Result<Value, Error> {
    match (value.as_str(), name, arguments) {
        (Some(text), "zfill", [width]) => {
            let width = usize::try_from(width.clone()).unwrap_or(0).min(1000);
            let (sign, digits) = match text.strip_prefix(['-', '+']) {
                Some(digits) => text.split_at(text.len() - digits.len()),
                None => ("", text),
            };
            let zeros = width.saturating_sub(text.chars().count());
            Ok(Value::from(format!("{sign}{}{digits}", "0".repeat(zeros))))
        }
        (None, "append" | "extend" | "insert" | "update" | "pop" | "remove", _) => {
            let why = format!("a list or mapping cannot be changed with .{name}(); make a new one: `set x = x + [y]`");
            Err(Error::new(ErrorKind::UnknownMethod, why))
        }
        _ => minijinja_contrib::pycompat::unknown_method_callback(state, value, name, arguments),
    }
}

//! Values as Python prints them: what stands in a list or a mapping is printed as its source, anything else as its text.
//!
//! Templates print whole lists into YAML, so this decides what a device's configuration says.

use std::fmt::{self, Write};

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Output, State, Value};
use serde_json::Map;

/// A job's values as those of a template.
pub(super) fn mapping(values: &Map<String, serde_json::Value>) -> Value {
    Value::from_pairs(values.iter().map(|(key, value)| (key.as_str(), of_json(value))))
}

fn of_json(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(value) => Value::from(*value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) => Value::from(number),
            (None, None) => Value::from(number.as_f64().unwrap_or_default()),
        },
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(items) => items.iter().map(of_json).collect(),
        serde_json::Value::Object(values) => mapping(values),
    }
}

/// Prints a value into the output.
pub(super) fn format(output: &mut Output, _: &mut State, value: &Value) -> Result<(), Error> {
    text(value, output).map_err(|_| Error::new(ErrorKind::WriteFailure, "too much is printed"))
}

/// `str(value)`.
pub(super) fn text(value: &Value, to: &mut impl Write) -> fmt::Result {
    match value.kind() {
        ValueKind::Seq | ValueKind::Map | ValueKind::Number => source(value, to),
        _ => write!(to, "{value}"),
    }
}

/// `repr(value)`.
fn source(value: &Value, to: &mut impl Write) -> fmt::Result {
    match value.kind() {
        ValueKind::Undefined => to.write_str("Undefined"),
        ValueKind::String => quoted(value.as_str().unwrap_or_default(), to),
        ValueKind::Number if !value.is_integer() => match f64::try_from(value.clone()) {
            Ok(number) => float(number, to),
            Err(_) => write!(to, "{value}"),
        },
        ValueKind::Seq => {
            let (open, close) = if value.is_tuple() { ('(', ')') } else { ('[', ']') };
            to.write_char(open)?;
            let mut number = 0;
            for item in value.try_iter().into_iter().flatten() {
                if number > 0 {
                    to.write_str(", ")?;
                }
                number += 1;
                source(&item, to)?;
            }
            if value.is_tuple() && number == 1 {
                to.write_char(',')?;
            }
            to.write_char(close)
        }
        // Namespaces and the like are mappings too, and print as themselves.
        ValueKind::Map => {
            to.write_char('{')?;
            for (place, key) in value.try_iter().into_iter().flatten().enumerate() {
                if place > 0 {
                    to.write_str(", ")?;
                }
                source(&key, to)?;
                to.write_str(": ")?;
                source(&value.get_item(&key).unwrap_or_default(), to)?;
            }
            to.write_char('}')
        }
        _ => write!(to, "{value}"),
    }
}

/// In single quotes, unless it has some and no double ones.
fn quoted(text: &str, to: &mut impl Write) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    to.write_char(quote)?;
    for letter in text.chars() {
        match letter {
            '\\' => to.write_str("\\\\")?,
            '\n' => to.write_str("\\n")?,
            '\r' => to.write_str("\\r")?,
            '\t' => to.write_str("\\t")?,
            letter if letter == quote => write!(to, "\\{letter}")?,
            letter if letter.is_control() => write!(to, "\\x{:02x}", u32::from(letter))?,
            letter => to.write_char(letter)?,
        }
    }
    to.write_char(quote)
}

/// The shortest digits that mean the same number, with an exponent where Python has one.
fn float(number: f64, to: &mut impl Write) -> fmt::Result {
    if number.is_nan() {
        return to.write_str("nan");
    }
    if number.is_infinite() {
        return to.write_str(if number > 0.0 { "inf" } else { "-inf" });
    }
    if number == 0.0 || (1e-4..1e16).contains(&number.abs()) {
        return write!(to, "{number:?}");
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    write!(to, "{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

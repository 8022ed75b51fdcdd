//! Lines of the log: what a person reads, and what `log.yaml` keeps (device-side.md §10).

use serde_json::{Map, Value};

use crate::event::{LogLevel, ResultRecord};

/// A longer line of `log.yaml` is replaced.
pub const LINE_LIMIT: usize = 100_000;

/// One line of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// Wall-clock time.
    pub at: jiff::Timestamp,
    /// Nanoseconds since the run started.
    pub elapsed_ns: u64,
    /// `sub_id`; `None` for a line of the group.
    pub member: Option<u32>,
    /// For a line from the device: the namespace of the further connection that it came from; `None` for its console.
    pub connection: Option<String>,
    /// What it says.
    pub content: Content,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A text with its level.
    Text(LogLevel, String),
    /// What was typed, with its line end.
    Input(String),
    /// A line from the console without line end, escape sequences and all.
    Target {
        /// The line.
        text: String,
        /// It has no end yet, and nothing came for two seconds. The whole line follows when its end comes.
        partial: bool,
    },
    /// A result.
    Result {
        /// As recorded.
        record: Box<ResultRecord>,
        /// Number of the line in the member's log with its STARTTC, from 0.
        starttc: Option<u64>,
        /// The same for its ENDTC.
        endtc: Option<u64>,
    },
}

impl LogLine {
    /// The level's word: `debug`, …, `target`, `feedback`, `input`, `results`.
    pub fn level(&self) -> &'static str {
        match &self.content {
            Content::Text(level, _) => level.as_str(),
            Content::Input(_) => "input",
            Content::Target { .. } if self.connection.is_some() => "feedback",
            Content::Target { .. } => "target",
            Content::Result { .. } => "results",
        }
    }

    /// The line in LAVA's form without line end: a YAML flow map that is JSON too. `member` adds who it is about, for a
    /// log of several members.
    pub fn to_lava(&self, member: Option<&str>) -> String {
        let line = self.dump(member, None);
        // A line can only be too long in characters when it is too long in bytes.
        if line.len() > LINE_LIMIT && line.chars().count() > LINE_LIMIT {
            return self.dump(member, Some("<line way too long ...>"));
        }
        line
    }

    fn dump(&self, member: Option<&str>, instead: Option<&str>) -> String {
        let mut out = format!("{{\"dt\": \"{}\", \"lvl\": \"{}\"", micros(self.at), self.level());
        if let Some(member) = member {
            out.push_str(", \"member\": ");
            quote(member, &mut out);
        }
        out.push_str(", \"msg\": ");
        match (&self.content, instead) {
            (_, Some(text)) => quote(text, &mut out),
            (Content::Text(_, text) | Content::Input(text), None) => quote(text, &mut out),
            (Content::Target { text, .. }, None) if text.contains('\x1b') => {
                quote(&text.replace('\x1b', ""), &mut out);
            }
            (Content::Target { text, .. }, None) => quote(text, &mut out),
            (Content::Result { record, starttc, endtc }, None) => {
                flow(&Value::Object(result_map(record, *starttc, *endtc)), &mut out);
            }
        }
        if let Some(connection) = &self.connection {
            out.push_str(", \"ns\": ");
            quote(connection, &mut out);
        }
        if let Content::Target { partial: true, .. } = self.content {
            out.push_str(", \"partial\": true");
        }
        out.push('}');
        out
    }
}

/// `2026-11-21T19:31:03.646690+00:00`
pub(crate) fn micros(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string()
}

/// A result as LAVA's `msg`.
pub(crate) fn result_map(record: &ResultRecord, starttc: Option<u64>, endtc: Option<u64>) -> Map<String, Value> {
    let mut map = record.extra.clone();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            map.insert(key.into(), value);
        }
    };
    put("definition", Some(record.definition.clone().into()));
    put("case", Some(record.case.clone().into()));
    put("result", Some(record.result.as_str().into()));
    put("measurement", record.measurement.as_deref().map(number));
    put("units", record.units.clone().map(Value::from));
    put("set", record.set.clone().map(Value::from));
    put("reference", record.reference.clone().map(Value::from));
    // LAVA writes durations as text with two places.
    put("duration", record.duration.map(|seconds| format!("{seconds:.2}").into()));
    put("level", record.level.clone().map(Value::from));
    put("namespace", record.namespace.clone().map(Value::from));
    put("starttc", starttc.map(Value::from));
    put("endtc", endtc.map(Value::from));
    map
}

/// A measurement as a number where JSON has one, else as its text.
pub(crate) fn number(text: &str) -> Value {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => match serde_json::from_str::<serde_json::Number>(text) {
            Ok(number) => Value::Number(number),
            Err(_) => Value::from(value),
        },
        _ => Value::from(text),
    }
}

/// A JSON value as a YAML flow value: keys in alphabetical order, one blank after `:` and `,`.
fn flow(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => quote(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                flow(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (index, (key, item)) in entries.into_iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                quote(key, out);
                out.push_str(": ");
                flow(item, out);
            }
            out.push('}');
        }
        Value::Number(number) => out.push_str(&plain_number(number)),
        Value::Null | Value::Bool(_) => out.push_str(&value.to_string()),
    }
}

/// A number as JSON and YAML 1.1 read it: with an exponent it needs a dot and a sign.
pub(crate) fn plain_number(number: &serde_json::Number) -> String {
    let text = number.to_string();
    match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let dot = if mantissa.contains('.') { "" } else { ".0" };
            let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
            format!("{mantissa}{dot}e{sign}{exponent}")
        }
        None => text,
    }
}

/// Appends `text` in double quotes, so that YAML 1.1 and JSON readers agree on it.
pub(crate) fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // What YAML does not call printable, and the line ends that only YAML 1.1 knows.
            '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

//! JSON that comes back as it was sent: the order of keys and the digits of numbers are kept (coordinator-protocol.md
//! §1 rule 7). Written, it is ASCII only and spelt as Python spells it (rules 5 and 8).
//!
//! Reading never recurses deeper than [`MAX_DEPTH`]. What Python writes but JSON does not know (`NaN`), lone surrogates
//! and deeper nesting are [`JsonError::Unusable`]: the sender is told no, where broken text has no answer.

use std::collections::HashMap;
use std::fmt::Write;

use serde_json::Value;

/// Nesting that is still read.
const MAX_DEPTH: usize = 512;

/// Keys of one object that are compared one by one before an index is made of them.
const FEW_KEYS: usize = 16;

/// One JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it was written.
    Number(String),
    /// A text.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object, keys in the order sent; of duplicate keys the last value, at the place of the first.
    Object(Vec<(String, Json)>),
}

/// Why bytes are no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text ends too early; more bytes could make a value of it.
    #[error("the text ends in the middle of a value")]
    Incomplete,
    /// No bytes added at the end make a value of it.
    #[error("the text is not JSON")]
    Malformed,
    /// Well enough formed to be answered, but not something that is kept: `NaN`, a lone surrogate, deep nesting.
    #[error("the text holds NaN, a lone surrogate or too deep nesting")]
    Unusable,
}

impl Json {
    /// Reads one value; blanks around it are allowed, anything else behind it is not.
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) if error.error_len().is_some() => return Err(JsonError::Malformed),
            // The end of a character is missing: what comes before it may be broken already.
            Err(error) => {
                let start = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
                return match Self::parse_text(start) {
                    Err(error) => Err(error),
                    Ok(_) => Err(JsonError::Malformed),
                };
            }
        };
        Self::parse_text(text)
    }

    fn parse_text(text: &str) -> Result<Self, JsonError> {
        let mut parser = Parser { text, bytes: text.as_bytes(), at: 0 };
        parser.blanks();
        let value = parser.value(0)?;
        parser.blanks();
        if parser.at == parser.bytes.len() { Ok(value) } else { Err(JsonError::Malformed) }
    }

    /// The value under a key of an object.
    pub fn get(&self, key: &str) -> Option<&Json> {
        let Json::Object(members) = self else { return None };
        members.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The value as a text, when it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Json::Text(text) = self { Some(text) } else { None }
    }

    /// The text of the value: ASCII only, with Python's spelling.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Number(digits) => out.push_str(digits),
            Json::Text(text) => write_text(text, out),
            Json::List(items) => {
                out.push('[');
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        out.push_str(", ");
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (place, (name, value)) in members.iter().enumerate() {
                    if place > 0 {
                        out.push_str(", ");
                    }
                    write_text(name, out);
                    out.push_str(": ");
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// The value in serde's form; numbers beyond 64 bits lose digits there.
    pub fn to_value(&self) -> Value {
        match self {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            // A number that serde cannot hold, such as 1e999, is kept as its text.
            Json::Number(digits) => serde_json::from_str(digits).unwrap_or_else(|_| Value::String(digits.clone())),
            Json::Text(text) => Value::String(text.clone()),
            Json::List(items) => Value::Array(items.iter().map(Json::to_value).collect()),
            Json::Object(members) => {
                Value::Object(members.iter().map(|(name, value)| (name.clone(), value.to_value())).collect())
            }
        }
    }
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(number) => Json::Number(number.to_string()),
            Value::String(text) => Json::Text(text.clone()),
            Value::Array(items) => Json::List(items.iter().map(Json::from).collect()),
            Value::Object(members) => {
                Json::Object(members.iter().map(|(name, value)| (name.clone(), Json::from(value))).collect())
            }
        }
    }
}

/// Writes a text with its quotes: ASCII, everything else as `\uXXXX`, above U+FFFF as two of them.
pub(crate) fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='\u{7f}' => out.push(character),
            _ => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    // Writing to a String does not fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Result<u8, JsonError> {
        self.bytes.get(self.at).copied().ok_or(JsonError::Incomplete)
    }

    fn blanks(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, JsonError> {
        if depth > MAX_DEPTH {
            return Err(JsonError::Unusable);
        }
        match self.peek()? {
            b'{' => self.object(depth),
            b'[' => self.list(depth),
            b'"' => Ok(Json::Text(self.string()?)),
            b't' => self.word("true", Ok(Json::Bool(true))),
            b'f' => self.word("false", Ok(Json::Bool(false))),
            b'n' => self.word("null", Ok(Json::Null)),
            b'N' => self.word("NaN", Err(JsonError::Unusable)),
            b'I' => self.word("Infinity", Err(JsonError::Unusable)),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(JsonError::Malformed),
        }
    }

    fn word(&mut self, word: &str, value: Result<Json, JsonError>) -> Result<Json, JsonError> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            value
        } else if word.as_bytes().starts_with(rest) {
            Err(JsonError::Incomplete)
        } else {
            Err(JsonError::Malformed)
        }
    }

    fn number(&mut self) -> Result<Json, JsonError> {
        let start = self.at;
        if self.peek()? == b'-' {
            self.at += 1;
            if self.peek()? == b'I' {
                return self.word("Infinity", Err(JsonError::Unusable));
            }
        }
        if self.peek()? == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek()?, b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Json::Number(self.text[start..self.at].to_owned()))
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), JsonError> {
        if !self.peek()?.is_ascii_digit() {
            return Err(JsonError::Malformed);
        }
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek()?, b'"' | b'\\' | 0..=0x1f) {
                self.at += 1;
            }
            out.push_str(&self.text[start..self.at]);
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Ok(out);
                }
                b'\\' => {
                    self.at += 1;
                    let character = self.escape()?;
                    out.push(character);
                }
                _ => return Err(JsonError::Malformed),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let letter = self.peek()?;
        self.at += 1;
        Ok(match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.unit()?;
                if !(0xd800..0xe000).contains(&first) {
                    return char::from_u32(first).ok_or(JsonError::Unusable);
                }
                if first >= 0xdc00 {
                    return Err(JsonError::Unusable);
                }
                if self.peek()? != b'\\' {
                    return Err(JsonError::Unusable);
                }
                self.at += 1;
                if self.peek()? != b'u' {
                    return Err(JsonError::Unusable);
                }
                self.at += 1;
                let second = self.unit()?;
                if !(0xdc00..0xe000).contains(&second) {
                    return Err(JsonError::Unusable);
                }
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                char::from_u32(code).ok_or(JsonError::Unusable)?
            }
            _ => return Err(JsonError::Malformed),
        })
    }

    fn unit(&mut self) -> Result<u32, JsonError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = char::from(self.peek()?).to_digit(16).ok_or(JsonError::Malformed)?;
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn list(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(Json::List(items));
        }
        loop {
            self.blanks();
            items.push(self.value(depth + 1)?);
            self.blanks();
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(Json::List(items));
                }
                _ => return Err(JsonError::Malformed),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.at += 1;
        let mut members = Members::default();
        self.blanks();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(Json::Object(members.list));
        }
        loop {
            self.blanks();
            if self.peek()? != b'"' {
                return Err(JsonError::Malformed);
            }
            let name = self.string()?;
            self.blanks();
            if self.peek()? != b':' {
                return Err(JsonError::Malformed);
            }
            self.at += 1;
            self.blanks();
            let value = self.value(depth + 1)?;
            members.insert(name, value);
            self.blanks();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(Json::Object(members.list));
                }
                _ => return Err(JsonError::Malformed),
            }
        }
    }
}

/// The members of an object that is being read; an index is made only of many.
#[derive(Default)]
struct Members {
    list: Vec<(String, Json)>,
    index: HashMap<String, usize>,
}

impl Members {
    fn insert(&mut self, name: String, value: Json) {
        if self.list.len() == FEW_KEYS && self.index.is_empty() {
            self.index = self.list.iter().enumerate().map(|(place, (name, _))| (name.clone(), place)).collect();
        }
        let known = if self.list.len() < FEW_KEYS {
            self.list.iter().position(|(known, _)| *known == name)
        } else {
            self.index.get(&name).copied()
        };
        match known {
            Some(place) => self.list[place].1 = value,
            None => {
                if self.list.len() >= FEW_KEYS {
                    self.index.insert(name.clone(), self.list.len());
                }
                self.list.push((name, value));
            }
        }
    }
}

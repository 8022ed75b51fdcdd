//! Strings, numbers and words.

use super::{CODE, Read, Reader};
use crate::diagnostic::Diagnostic;
use crate::node::NodeKind;
use crate::source::Span;

impl Reader<'_> {
    pub(super) fn string(&mut self) -> Read<String> {
        let open = self.bump();
        let mut text = String::new();
        loop {
            match self.peek() {
                Some('"') => {
                    self.bump();
                    return Ok(text);
                }
                Some('\\') => text.push(self.escape()?),
                Some('\n' | '\r') | None => {
                    let span = Span::new(open, self.at);
                    let error = Diagnostic::error(CODE, "", span, "the string does not end in its line");
                    return Err(error.help("close it with \"; write a line break as \\n").into());
                }
                Some(found) if found < ' ' => {
                    let message = format!("a control character ({:#04x}) in a string", found as u32);
                    return Err(self.error(message).help("write it as \\t or \\u00xx").into());
                }
                Some(found) => {
                    self.bump();
                    text.push(found);
                }
            }
        }
    }

    fn escape(&mut self) -> Read<char> {
        let start = self.bump();
        let letter = self.peek();
        let plain = match letter {
            Some(same @ ('"' | '\\' | '/')) => same,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                self.bump();
                return self.code_unit(start);
            }
            _ => {
                let error = Diagnostic::error(CODE, "", Span::new(start, self.at + 1), "an unknown escape in a string");
                return Err(error.help("write a backslash itself as \\\\").into());
            }
        };
        self.bump();
        Ok(plain)
    }

    /// The character of `\uXXXX`, or of two of them that make a pair.
    fn code_unit(&mut self, start: usize) -> Read<char> {
        let mut units = vec![self.hex(start)?];
        if (0xd800..0xdc00).contains(&units[0]) && self.text[self.at..].starts_with("\\u") {
            self.at += 2;
            units.push(self.hex(start)?);
        }
        match char::decode_utf16(units).next() {
            Some(Ok(found)) => Ok(found),
            _ => Err(Diagnostic::error(CODE, "", Span::new(start, self.at), "half of a surrogate pair").into()),
        }
    }

    fn hex(&mut self, start: usize) -> Read<u16> {
        let digits = self.text.get(self.at..self.at + 4).filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|digits| u16::from_str_radix(digits, 16).ok()) {
            Some(unit) => {
                self.at += 4;
                Ok(unit)
            }
            None => {
                Err(Diagnostic::error(CODE, "", Span::new(start, self.at), "\\u needs four hexadecimal digits").into())
            }
        }
    }

    pub(super) fn number(&mut self) -> Read<NodeKind> {
        let rest = &self.text[self.at..];
        let length = rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let (text, span) = (&rest[..length], Span::new(self.at, self.at + length));
        // A number of JSON is what serde_json takes for one: no leading zeros, digits around the point.
        if serde_json::from_str::<serde_json::Number>(text).is_err() {
            let error = Diagnostic::error(CODE, "", span, format!("{text} is not a number"));
            return Err(error.help("write numbers in decimal without leading zeros; quote anything else").into());
        }
        self.at += length;
        Ok(match text.parse::<i128>() {
            Ok(whole) => NodeKind::Int(whole),
            Err(_) => NodeKind::Float(text.parse().unwrap_or(f64::INFINITY)),
        })
    }

    pub(super) fn word(&mut self) -> Read<NodeKind> {
        let rest = &self.text[self.at..];
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let word = &rest[..length];
        let kind = match word {
            "true" => NodeKind::Bool(true),
            "false" => NodeKind::Bool(false),
            "null" => NodeKind::Null,
            _ => {
                let error =
                    Diagnostic::error(CODE, "", Span::new(self.at, self.at + length), format!("unknown word {word}"));
                let help = match word.to_lowercase().as_str() {
                    lower @ ("true" | "false") => format!("write {lower}"),
                    "none" => "write null".to_owned(),
                    _ => "put strings in double quotes".to_owned(),
                };
                return Err(error.help(help).into());
            }
        };
        self.at += length;
        Ok(kind)
    }
}

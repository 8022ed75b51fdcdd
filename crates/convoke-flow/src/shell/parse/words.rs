//! Words: text, quotes, and where expansions begin.

use super::{Parser, Result, ends_word};
use crate::shell::ast::{Piece, Word};

impl Parser<'_, '_> {
    /// A word, when one comes next.
    pub(super) fn word(&mut self) -> Result<Option<Word>> {
        let start = self.at;
        let mut pieces = Vec::new();
        loop {
            match self.peek() {
                None => break,
                Some(b'<' | b'>') if self.at == start && self.peek_at(1) == Some(b'(') => {
                    self.at += 2;
                    pieces.push(Piece::Process(self.closed_list()?));
                }
                Some(byte) if ends_word(byte) => break,
                Some(_) => self.piece(&mut pieces)?,
            }
        }
        if self.at == start {
            return Ok(None);
        }
        Ok(Some(Word { pieces, span: self.span_from(start) }))
    }

    /// The operand of `=~`: blanks end it, parentheses and bars do not.
    pub(super) fn regex(&mut self) -> Result<Option<Word>> {
        let start = self.at;
        let mut pieces = Vec::new();
        let mut open = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' if open == 0 => break,
                b'\n' => break,
                b'(' => open += 1,
                b')' => open = open.saturating_sub(1),
                _ => {}
            }
            if ends_word(byte) {
                self.at += 1;
                push(&mut pieces, &char::from(byte).to_string());
            } else {
                self.piece(&mut pieces)?;
            }
        }
        Ok((self.at > start).then(|| Word { pieces, span: self.span_from(start) }))
    }

    /// One piece of an unquoted word.
    pub(super) fn piece(&mut self, pieces: &mut Vec<Piece>) -> Result<()> {
        match self.peek() {
            Some(b'\\') => {
                self.at += 1;
                if self.take("\n") || self.take("\r\n") {
                    return Ok(());
                }
                let text = self.character().unwrap_or("\\").to_owned();
                pieces.push(Piece::Quoted(text));
            }
            Some(b'\'') => {
                self.at += 1;
                let text = self.until_quote()?;
                pieces.push(Piece::Quoted(text));
            }
            Some(b'"') => {
                self.at += 1;
                let inner = self.deeper(Self::double_quoted)?;
                pieces.push(Piece::Double(inner));
            }
            Some(b'$') => self.dollar(pieces, false)?,
            Some(b'`') => pieces.push(self.backquoted(false)?),
            Some(b'{') => match self.braces() {
                Some(length) => {
                    let (start, text) = (self.at, self.rest()[..length].to_owned());
                    self.at += length;
                    pieces.push(Piece::Braces(text, self.span_from(start)));
                }
                None => {
                    self.at += 1;
                    push(pieces, "{");
                }
            },
            _ => {
                let text = self.character().unwrap_or_default().to_owned();
                push(pieces, &text);
            }
        }
        Ok(())
    }

    /// How long a brace expansion is that comes next: `{1..5}`, `{a,b}`, without anything expanded in it.
    fn braces(&self) -> Option<usize> {
        let end = self.rest().find(['}', ' ', '\t', '\n', '\'', '"', '$', '`', ';', '|', '&', '(', ')'])?;
        let inner = self.rest()[1..].get(..end.checked_sub(1)?)?;
        (self.rest().as_bytes()[end] == b'}' && (inner.contains("..") || inner.contains(','))).then_some(end + 1)
    }

    /// The rest of a text in single quotes.
    fn until_quote(&mut self) -> Result<String> {
        match self.rest().find('\'') {
            Some(length) => {
                let text = self.rest()[..length].to_owned();
                self.at += length + 1;
                Ok(text)
            }
            None => {
                self.at -= 1;
                self.error("a `'` is not closed")
            }
        }
    }

    /// The rest of a text in double quotes.
    pub(super) fn double_quoted(&mut self) -> Result<Vec<Piece>> {
        let start = self.at - 1;
        let mut pieces = Vec::new();
        loop {
            match self.peek() {
                None => {
                    self.at = start;
                    return self.error("a `\"` is not closed");
                }
                Some(b'"') => {
                    self.at += 1;
                    return Ok(pieces);
                }
                Some(_) => self.quoted_piece(&mut pieces, b"\"")?,
            }
        }
    }

    /// One piece where only `$`, `` ` `` and `\` mean something; `escapable` are further characters that `\` quotes.
    pub(super) fn quoted_piece(&mut self, pieces: &mut Vec<Piece>, escapable: &[u8]) -> Result<()> {
        match self.peek() {
            Some(b'\\') => {
                self.at += 1;
                match self.peek() {
                    Some(b'\n') => self.at += 1,
                    Some(byte) if matches!(byte, b'$' | b'`' | b'\\') || escapable.contains(&byte) => {
                        self.at += 1;
                        push(pieces, &char::from(byte).to_string());
                    }
                    _ => push(pieces, "\\"),
                }
            }
            Some(b'$') => self.dollar(pieces, true)?,
            Some(b'`') => {
                let piece = self.backquoted(escapable.contains(&b'"'))?;
                pieces.push(piece);
            }
            _ => {
                let text = self.character().unwrap_or_default().to_owned();
                push(pieces, &text);
            }
        }
        Ok(())
    }

    /// The character of the digits that come next, of which there may be `most`.
    fn coded(&mut self, radix: u32, most: usize) -> Option<char> {
        let digits: String = self.rest().chars().take(most).take_while(|c| c.is_digit(radix)).collect();
        self.at += digits.len();
        u32::from_str_radix(&digits, radix).ok().and_then(char::from_u32)
    }

    /// `$'…'` of bash.
    pub(super) fn ansi_quoted(&mut self) -> Result<String> {
        let mut text = String::new();
        loop {
            let Some(c) = self.character().and_then(|text| text.chars().next()) else {
                return self.error("a `'` is not closed");
            };
            match c {
                '\'' => return Ok(text),
                '\\' => match self.character().and_then(|text| text.chars().next()) {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some('e' | 'E') => text.push('\u{1b}'),
                    Some('x') => text.extend(self.coded(16, 2)),
                    Some('u') => text.extend(self.coded(16, 4)),
                    Some('U') => text.extend(self.coded(16, 8)),
                    Some('0'..='7') => {
                        self.at -= 1;
                        text.extend(self.coded(8, 3));
                    }
                    Some(c @ ('\\' | '\'' | '"' | '?')) => text.push(c),
                    Some(c) => text.extend(['\\', c]),
                    None => {}
                },
                c => text.push(c),
            }
        }
    }
}

/// Adds text, to the last piece if that is text too.
pub(super) fn push(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Text(last)) => last.push_str(text),
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

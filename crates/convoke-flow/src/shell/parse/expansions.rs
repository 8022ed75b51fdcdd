//! What begins with `$` or a back quote.

use super::words::push;
use super::{Parser, Result, is_name, is_name_start};
use crate::shell::ast::{Index, List, Operation, Parameter, Piece, Word};

impl Parser<'_, '_> {
    /// A `$` and what belongs to it.
    pub(super) fn dollar(&mut self, pieces: &mut Vec<Piece>, quoted: bool) -> Result<()> {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            Some(b'(') if self.is_arithmetic() => {
                self.at += 2;
                let word = self.deeper(Self::arithmetic)?;
                pieces.push(Piece::Arithmetic(word));
            }
            Some(b'(') => {
                self.at += 1;
                let list = self.closed_list()?;
                pieces.push(Piece::Substitution(list, self.span_from(start)));
            }
            Some(b'{') => {
                self.at += 1;
                let parameter = self.deeper(|parser| parser.braced(start, quoted))?;
                pieces.push(Piece::Parameter(Box::new(parameter)));
            }
            Some(b'\'') if !quoted => {
                self.at += 1;
                let text = self.ansi_quoted()?;
                pieces.push(Piece::Quoted(text));
            }
            Some(b'"') if !quoted => {
                self.at += 1;
                let inner = self.deeper(Self::double_quoted)?;
                pieces.push(Piece::Double(inner));
            }
            Some(_) => match self.name_length() {
                0 => push(pieces, "$"),
                length => {
                    let name = self.rest()[..length].to_owned();
                    self.at += length;
                    let span = self.span_from(start);
                    let parameter = Parameter { name, index: None, operation: Operation::Value, span };
                    pieces.push(Piece::Parameter(Box::new(parameter)));
                }
            },
            None => push(pieces, "$"),
        }
        Ok(())
    }

    /// How long the name of a parameter is that comes next without braces.
    fn name_length(&self) -> usize {
        match self.peek() {
            Some(byte) if is_name_start(byte) => self.rest().bytes().take_while(|byte| is_name(*byte)).count(),
            Some(b'0'..=b'9' | b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!') => 1,
            _ => 0,
        }
    }

    /// The list up to the parenthesis that closes it.
    pub(super) fn closed_list(&mut self) -> Result<List> {
        let list = self.list()?;
        self.lines()?;
        if !self.take(")") {
            return self.error(format!("`)` is expected, found {}", self.found()));
        }
        Ok(list)
    }

    /// The rest of `${…}`.
    fn braced(&mut self, start: usize, quoted: bool) -> Result<Parameter> {
        // `${#}` and `${#-…}` are about the number of arguments, every other `${#` about a length.
        let length = self.peek() == Some(b'#')
            && self.peek_at(1).is_some_and(|byte| is_name(byte) || matches!(byte, b'@' | b'*'));
        let indirect = self.peek() == Some(b'!') && self.peek_at(1).is_some_and(is_name_start);
        if length || indirect {
            self.at += 1;
        }
        let count = match self.peek() {
            Some(b'0'..=b'9') => self.rest().bytes().take_while(u8::is_ascii_digit).count(),
            _ => self.name_length(),
        };
        if count == 0 {
            return self.error("the name of a parameter is expected after `${`");
        }
        let name = self.rest()[..count].to_owned();
        self.at += count;
        let mut index = None;
        if self.take("[") {
            index = Some(if self.take("@]") || self.take("*]") {
                Index::All
            } else {
                let word = self.pieces_until(b']', quoted)?;
                Index::One(word)
            });
        }
        let operation = if indirect {
            Operation::Other(self.pieces_until(b'}', quoted)?)
        } else if self.take("}") {
            if length { Operation::Length } else { Operation::Value }
        } else {
            self.operation(quoted)?
        };
        Ok(Parameter { name, index, operation, span: self.span_from(start) })
    }

    fn operation(&mut self, quoted: bool) -> Result<Operation> {
        let colon = self.peek() == Some(b':') && matches!(self.peek_at(1), Some(b'-' | b'=' | b'?' | b'+'));
        if colon {
            self.at += 1;
        }
        Ok(match self.peek() {
            Some(kind @ (b'-' | b'=' | b'?' | b'+')) => {
                self.at += 1;
                Operation::Default { kind, colon, word: self.pieces_until(b'}', quoted)? }
            }
            Some(sign @ (b'%' | b'#')) => {
                self.at += 1;
                let longest = self.peek() == Some(sign);
                if longest {
                    self.at += 1;
                }
                // A pattern is quoted for itself, also within double quotes.
                Operation::Trim { suffix: sign == b'%', longest, pattern: self.pieces_until(b'}', false)? }
            }
            _ => Operation::Other(self.pieces_until(b'}', quoted)?),
        })
    }

    /// Pieces up to a closing character, which is taken.
    fn pieces_until(&mut self, close: u8, quoted: bool) -> Result<Word> {
        let start = self.at;
        let mut pieces = Vec::new();
        loop {
            match self.peek() {
                None => {
                    self.at = start;
                    return self.error(format!("`{}` is expected", char::from(close)));
                }
                Some(byte) if byte == close => {
                    let span = self.span_from(start);
                    self.at += 1;
                    return Ok(Word { pieces, span });
                }
                Some(b'"') if quoted => {
                    self.at += 1;
                    let inner = self.deeper(Self::double_quoted)?;
                    pieces.push(Piece::Double(inner));
                }
                Some(_) if quoted => self.quoted_piece(&mut pieces, b"}\"")?,
                Some(_) => self.piece(&mut pieces)?,
            }
        }
    }

    /// Whether what comes next, `((…`, is closed by `))`; else it is a command in a subshell. Looked at without reading
    /// it: trying both at every level of nesting would take for ever.
    pub(super) fn is_arithmetic(&self) -> bool {
        let Some(rest) = self.rest().strip_prefix("((") else { return false };
        let mut open = 2_usize;
        let mut bytes = rest.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' => {
                    bytes.next();
                }
                b'\'' if !bytes.any(|byte| byte == b'\'') => return false,
                b'(' => open += 1,
                b')' => {
                    open -= 1;
                    if open == 1 {
                        return bytes.next() == Some(b')');
                    }
                }
                _ => {}
            }
        }
        // Never closed: an error either way.
        true
    }

    /// An arithmetic expression up to `))`.
    pub(super) fn arithmetic(&mut self) -> Result<Word> {
        self.arithmetic_until("))")
    }

    /// An arithmetic expression up to `close`, which is taken.
    pub(super) fn arithmetic_until(&mut self, close: &str) -> Result<Word> {
        let start = self.at;
        let mut pieces = Vec::new();
        let mut open = 0_usize;
        loop {
            if open == 0 && self.is_next(close) {
                let span = self.span_from(start);
                self.at += close.len();
                return Ok(Word { pieces, span });
            }
            match self.peek() {
                None => return self.error(format!("`{close}` is expected, found the end of the script")),
                Some(b'(') => open += 1,
                Some(b')') if open == 0 => return self.error(format!("`{close}` is expected, found `)`")),
                Some(b')') => open -= 1,
                Some(_) => {
                    self.quoted_piece(&mut pieces, b"\"")?;
                    continue;
                }
            }
            let text = self.character().unwrap_or_default().to_owned();
            push(&mut pieces, &text);
        }
    }

    /// A command in back quotes: its text is unescaped, within double quotes these too, then read as a script of its own.
    pub(super) fn backquoted(&mut self, quoted: bool) -> Result<Piece> {
        let start = self.at;
        self.at += 1;
        let (mut text, mut table) = (String::new(), Vec::new());
        loop {
            let at = self.at;
            match self.peek() {
                None => {
                    self.at = start;
                    return self.error("a back quote is not closed");
                }
                Some(b'`') => {
                    table.push(self.origin(at));
                    self.at += 1;
                    break;
                }
                Some(b'\\') if matches!(self.peek_at(1), Some(b'`' | b'\\' | b'$')) => self.at += 1,
                Some(b'\\') if quoted && self.peek_at(1) == Some(b'"') => self.at += 1,
                Some(_) => {}
            }
            let character = self.character().unwrap_or_default().to_owned();
            for _ in 0..character.len() {
                table.push(self.origin(at));
            }
            text.push_str(&character);
        }
        let span = self.span_from(start);
        let list = self.within(&text, table, |inner| {
            let mut list = List::default();
            inner.items(&mut list)?;
            inner.end()?;
            Ok(list)
        })?;
        Ok(Piece::Substitution(list, span))
    }
}

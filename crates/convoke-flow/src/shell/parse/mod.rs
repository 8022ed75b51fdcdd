//! From text to a tree: a recursive descent over the characters, because where a word ends depends on what it stands in.
//!
//! No text makes it panic, and nesting is bounded: deeper scripts cannot be read. What was read before a mistake is kept,
//! as a shell runs it before it meets the mistake.

mod commands;
mod compound;
mod documents;
mod expansions;
mod words;

use convoke_job::Span;

use super::ast::{List, ParseError, Script, Word};
use documents::Pending;

/// Levels of nesting, of whatever kind.
const MOST_LEVELS: usize = 32;

type Result<T> = std::result::Result<T, ParseError>;

/// Reads a script.
pub(crate) fn script(text: &str) -> Script {
    let mut documents = Vec::new();
    let mut parser =
        Parser { text, at: 0, origin: Origin::Shift(0), level: 0, pending: Vec::new(), documents: &mut documents };
    let mut list = List::default();
    let error = parser.items(&mut list).and_then(|()| parser.end()).err();
    drop(parser);
    Script { list, documents, error }
}

/// One text being read; texts within it that have to be unescaped first have a parser of their own.
struct Parser<'a, 'd> {
    text: &'a str,
    at: usize,
    origin: Origin,
    level: usize,
    /// Here-documents whose text begins on the next line.
    pending: Vec<Pending>,
    documents: &'d mut Vec<Word>,
}

/// Where the bytes of a parser's text stand in the script.
enum Origin {
    /// That much further on.
    Shift(usize),
    /// Each for itself, and the end.
    Table(Vec<usize>),
}

impl Parser<'_, '_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn is_next(&self, text: &str) -> bool {
        self.rest().starts_with(text)
    }

    /// Takes `text`, if it comes next.
    fn take(&mut self, text: &str) -> bool {
        let found = self.is_next(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// The next character, as text.
    fn character(&mut self) -> Option<&str> {
        let length = self.rest().chars().next()?.len_utf8();
        self.at += length;
        Some(&self.text[self.at - length..self.at])
    }

    fn origin(&self, at: usize) -> usize {
        match &self.origin {
            Origin::Shift(by) => at + by,
            Origin::Table(table) => table.get(at).or(table.last()).copied().unwrap_or_default(),
        }
    }

    fn span_from(&self, start: usize) -> Span {
        Span::new(self.origin(start), self.origin(self.at))
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T> {
        let end = self.at + self.rest().chars().next().map_or(0, char::len_utf8);
        Err(ParseError { span: Span::new(self.origin(self.at), self.origin(end)), message: message.into() })
    }

    /// What comes next, for a message.
    fn found(&self) -> String {
        match self.peek() {
            None => "the end of the script".into(),
            Some(b'\n') => "the end of the line".into(),
            Some(_) => {
                let word: String = self.rest().chars().take_while(|c| !c.is_whitespace()).take(20).collect();
                format!("`{word}`")
            }
        }
    }

    /// Goes one level deeper for as long as `parse` runs.
    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.level >= MOST_LEVELS {
            return self.error("the script is nested too deeply");
        }
        self.level += 1;
        let parsed = parse(self);
        self.level -= 1;
        parsed
    }

    /// Reads a text within the script that had to be unescaped first; `table` says where its bytes stand, and its end.
    fn within<T>(
        &mut self,
        text: &str,
        table: Vec<usize>,
        parse: impl FnOnce(&mut Parser<'_, '_>) -> Result<T>,
    ) -> Result<T> {
        let level = self.level + 1;
        self.deeper(|outer| {
            let origin = Origin::Table(table);
            parse(&mut Parser { text, at: 0, origin, level, pending: Vec::new(), documents: outer.documents })
        })
    }

    /// Blanks, continued lines and a comment, up to the end of the line.
    fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'\\') if self.peek_at(1) == Some(b'\n') => self.at += 2,
                Some(b'\\') if self.is_next("\\\r\n") => self.at += 3,
                Some(b'#') => {
                    self.at += self.rest().find('\n').unwrap_or(self.rest().len());
                    return;
                }
                _ => return,
            }
        }
    }

    /// Blanks and line ends.
    fn lines(&mut self) -> Result<()> {
        loop {
            self.blanks();
            if self.peek() != Some(b'\n') {
                return Ok(());
            }
            self.line_end()?;
        }
    }

    /// A line end, and the here-documents that begin after it.
    fn line_end(&mut self) -> Result<()> {
        self.at += 1;
        self.read_documents()
    }

    /// There is nothing left; a document without its line begins, and ends, here.
    fn end(&mut self) -> Result<()> {
        if self.peek().is_some() {
            return self.error(format!("unexpected {}", self.found()));
        }
        self.read_documents()
    }
}

/// Whether a byte ends a word.
fn ends_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'|' | b'&' | b';' | b'<' | b'>' | b'(' | b')')
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

//! Here-documents: announced in a command, read after the end of its line.

use super::{Parser, Result};
use crate::shell::ast::{Piece, Word};

/// A document whose text is still to come.
pub(super) struct Pending {
    number: usize,
    delimiter: String,
    /// Nothing is expanded in it.
    quoted: bool,
    /// `<<-`: tabs at the beginning of lines are no part of it.
    tabs: bool,
}

impl Parser<'_, '_> {
    /// The delimiter after `<<`; the number of the document.
    pub(super) fn document(&mut self, tabs: bool) -> Result<usize> {
        let Some(word) = self.word()? else {
            return self.error(format!("a word is expected after `<<`, found {}", self.found()));
        };
        let mut delimiter = String::new();
        let mut quoted = false;
        for piece in &word.pieces {
            match piece {
                Piece::Text(text) | Piece::Braces(text, _) => delimiter.push_str(text),
                Piece::Quoted(text) => {
                    quoted = true;
                    delimiter.push_str(text);
                }
                Piece::Double(inner) => {
                    quoted = true;
                    for piece in inner {
                        let (Piece::Text(text) | Piece::Quoted(text)) = piece else {
                            return self.error("the delimiter of a here-document cannot be read");
                        };
                        delimiter.push_str(text);
                    }
                }
                _ => return self.error("the delimiter of a here-document cannot be read"),
            }
        }
        let number = self.documents.len();
        self.documents.push(Word::default());
        self.pending.push(Pending { number, delimiter, quoted, tabs });
        Ok(number)
    }

    /// Reads the documents that begin here.
    pub(super) fn read_documents(&mut self) -> Result<()> {
        for pending in std::mem::take(&mut self.pending) {
            let word = self.read_document(&pending)?;
            if let Some(place) = self.documents.get_mut(pending.number) {
                *place = word;
            }
        }
        Ok(())
    }

    fn read_document(&mut self, pending: &Pending) -> Result<Word> {
        let start = self.at;
        let (mut text, mut table) = (String::new(), Vec::new());
        loop {
            let line_start = self.at;
            let length = self.rest().find('\n').map_or(self.rest().len(), |end| end + 1);
            if length == 0 {
                break;
            }
            let line = &self.text[line_start..line_start + length];
            let kept = if pending.tabs { line.trim_start_matches('\t') } else { line };
            let skipped = line.len() - kept.len();
            let ends = kept.trim_end_matches(['\n', '\r']) == pending.delimiter;
            if !ends {
                text.push_str(kept);
                table.extend((0..kept.len()).map(|byte| self.origin(line_start + skipped + byte)));
            }
            self.at += length;
            if ends {
                break;
            }
        }
        table.push(self.origin(self.at));
        let span = self.span_from(start);
        if pending.quoted {
            return Ok(Word { pieces: vec![Piece::Quoted(text)], span });
        }
        let pieces = self.within(&text, table, |inner| {
            let mut pieces = Vec::new();
            while inner.peek().is_some() {
                inner.quoted_piece(&mut pieces, b"")?;
            }
            Ok(pieces)
        })?;
        Ok(Word { pieces: vec![Piece::Double(pieces)], span })
    }
}

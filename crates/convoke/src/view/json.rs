//! `--format json`: the journal's events, one JSON object a line, as in `journal.jsonl`.

use std::io::{self, Write};

use convoke_journal::{Event, View};

use super::Out;

/// The view.
pub(crate) struct Json<W>(Out<W>);

impl<W: Write> Json<W> {
    pub(crate) fn new(to: W) -> Self {
        Json(Out::new(to))
    }
}

impl<W: Write + Send> View for Json<W> {
    fn event(&mut self, event: &Event) {
        // The journal writes the same event the same way; were it impossible, the journal would have said so.
        if let Ok(mut line) = serde_json::to_vec(event) {
            line.push(b'\n');
            self.0.write(&line);
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.outcome()
    }
}

//! Reading a journal back, event by event, in bounded memory.
//!
//! Tolerated, and counted: a torn last line (its writer was killed), events and values that only a newer writer knows.
//! Refused with a clear message: a newer version of the format, a file that is no journal, a damaged line in the middle.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::event::{Body, Event, VERSION};

/// No line of a journal is longer; a longer one is no journal.
const LINE_LIMIT: u64 = 64 * 1024 * 1024;

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be opened or read.
    #[error("{}: {error}", path.display())]
    Io {
        /// The journal.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A newer program wrote it.
    #[error(
        "{}: the journal has format version {found}, this program reads up to {VERSION}; use the program that wrote it ({program}) or a newer one",
        path.display()
    )]
    Newer {
        /// The journal.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// What wrote it.
        program: String,
    },
    /// A line in the middle is no event.
    #[error("{}:{line}: not an event of a journal: {why}", path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Why.
        why: String,
    },
}

/// An open journal; an iterator over its events.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    line: Vec<u8>,
    number: u64,
    skipped: u64,
    torn: bool,
    done: bool,
}

impl Reader {
    /// Opens a journal: the file itself, or the folder of a run with `journal.jsonl` in it.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let path = if path.is_dir() { path.join(crate::writer::FILE_NAME) } else { path.to_owned() };
        let file = File::open(&path).map_err(|error| ReadError::Io { path: path.clone(), error })?;
        let file = BufReader::with_capacity(64 * 1024, file);
        Ok(Reader { path, file, line: Vec::new(), number: 0, skipped: 0, torn: false, done: false })
    }

    /// Whether the last line was cut off, known at the end: the writer was killed, what it wrote before is whole.
    pub fn torn(&self) -> bool {
        self.torn
    }

    /// Events left out so far because only a newer writer knows them.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    fn damaged(&self, why: impl Into<String>) -> ReadError {
        ReadError::Damaged { path: self.path.clone(), line: self.number, why: why.into() }
    }

    fn read(&mut self) -> Result<Option<Event>, ReadError> {
        loop {
            self.line.clear();
            let read = self.file.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut self.line);
            let count = read.map_err(|error| ReadError::Io { path: self.path.clone(), error })?;
            if count == 0 {
                if self.number == 0 {
                    self.number = 1;
                    return Err(self.damaged("the journal is empty, nothing of the run was recorded"));
                }
                return Ok(None);
            }
            self.number += 1;
            if self.line.last() != Some(&b'\n') {
                if count as u64 == LINE_LIMIT {
                    return Err(self.damaged("the line is too long"));
                }
                self.torn = true;
                if self.number == 1 {
                    return Err(self.damaged("the journal has no whole line, nothing of the run was recorded"));
                }
                return Ok(None);
            }
            if self.number == 1 {
                self.check_version()?;
            }
            if let Some(event) = console(&self.line) {
                return Ok(Some(event));
            }
            match serde_json::from_slice::<Event>(&self.line) {
                Ok(Event { body: Body::Unknown, .. }) => self.skipped += 1,
                Ok(event) => return Ok(Some(event)),
                Err(error) => match serde_json::from_slice::<serde_json::Value>(&self.line) {
                    // An event with values this program does not know, or without some that it expects.
                    Ok(value) if value["event"].is_string() => self.skipped += 1,
                    _ => return Err(self.damaged(error.to_string())),
                },
            }
        }
    }

    /// The first event says which format the journal has.
    fn check_version(&self) -> Result<(), ReadError> {
        let first: serde_json::Value =
            serde_json::from_slice(&self.line).map_err(|error| self.damaged(error.to_string()))?;
        if first["event"] != "run-started" {
            return Err(self.damaged("a journal begins with run-started"));
        }
        let found = first["version"].as_u64().unwrap_or(u64::MAX);
        if found > u64::from(VERSION) {
            let program = first["program"].as_str().unwrap_or("unknown").to_owned();
            return Err(ReadError::Newer { path: self.path.clone(), found, program });
        }
        Ok(())
    }
}

/// What a console says, read without the detour that a flattened, tagged enum takes: nearly all lines of a large journal are
/// such. Of anything else, also of a field that is not known here, `None`.
fn console(line: &[u8]) -> Option<Event> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Console<'a> {
        seq: u64,
        at: jiff::Timestamp,
        elapsed_ns: u64,
        member: Option<u32>,
        event: &'a str,
        text: Option<String>,
        base64: Option<String>,
        connection: Option<String>,
    }
    const NAME: &[u8] = b"\"event\":\"console\"";
    // It stands near the beginning, where this program writes it; elsewhere the event is read as all are.
    let start = &line[..line.len().min(200)];
    memchr::memmem::find(start, NAME)?;
    let Console { seq, at, elapsed_ns, member, event, text, base64, connection } = serde_json::from_slice(line).ok()?;
    let body = Body::Console { text, base64, connection };
    (event == "console").then_some(Event { seq, at, elapsed_ns, member, body })
}

impl Iterator for Reader {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.read().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_console_says_is_read_the_same_on_both_ways() {
        let head = r#""seq":7,"at":"2026-11-22T06:24:22.5Z","elapsed_ns":12"#;
        let quick = [
            r#","member":3,"event":"console","text":"a \u001b[31mred\u001b[0m \"line\" \u00e9 é\r\n"}"#,
            r#","member":3,"event":"console","base64":"/w==","connection":"aux"}"#,
            r#","event":"console"}"#,
            r#","member":null,"event":"console","text":null}"#,
        ];
        for rest in quick {
            let line = format!("{{{head}{rest}\n");
            let event = console(line.as_bytes()).expect(rest);
            assert_eq!(event, serde_json::from_str(&line).expect(rest));
        }
        let slow = [
            r#","member":3,"event":"log","level":"info","text":"\"event\":\"console\""}"#,
            r#","member":3,"event":"console","text":"from a newer writer","colour":1}"#,
            r#","member":3,"event":"canceling","why":"","x":{"event":"console"}}"#,
            r#","member":3,"event":"console","text":4}"#,
            r#","member":3,"event":"console","text":"torn"#,
        ];
        for rest in slow {
            assert_eq!(console(format!("{{{head}{rest}\n").as_bytes()), None, "{rest}");
        }
    }
}

//! One file from a server into a file of ours, continued where it breaks off.
//!
//! ```text
//!             ┌────────────── broke off: with a validator, from there; else from the start ◄┐
//!             ▼                                                                             │
//!   ask ──► 200, 206 ──► the reader's thread ──► pieces ──► hash, write ── fewer than said ─┤
//!    │                                                                      silent too long ┘
//!    ├────► 304: what we have is still right
//!    └────► anything else: refused
//! ```
//!
//! A piece is only added to what came before when the server vouches that it is the same file: by a strong ETag or the
//! time it was modified, in `If-Range`. Otherwise all begins anew. It is given up when three tries in a row have not come
//! further than the best before them.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::checksum::{Algorithm, Hasher, Sums};
use crate::error::Error;
use crate::http::{self, Request, Response};
use crate::order::{Phase, Progress};
use crate::overlay::tree::FromStart;
use crate::place::shown;
use crate::resource::Resource;
use crate::work::Bench;

/// How a server tells one version of a file from another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) etag: Option<String>,
    pub(crate) modified: Option<String>,
}

impl Version {
    fn of(response: &Response) -> Version {
        let text = |name| response.header(name).map(str::to_owned);
        Version { etag: text("etag"), modified: text("last-modified") }
    }

    /// What vouches for the bytes themselves; a weak ETag does not.
    fn strong(&self) -> Option<&str> {
        match self.etag.as_deref() {
            Some(etag) if !etag.starts_with("W/") => Some(etag),
            Some(_) => None,
            None => self.modified.as_deref(),
        }
    }

    /// Conditions under which the file is to be sent: that it is another one.
    pub(crate) fn unless(&self) -> Vec<(&'static str, String)> {
        let mut conditions = Vec::new();
        conditions.extend(self.etag.clone().map(|etag| ("if-none-match", etag)));
        conditions.extend(self.modified.clone().map(|modified| ("if-modified-since", modified)));
        conditions
    }
}

/// What came of it.
pub(crate) enum Got {
    /// The file is whole.
    Whole {
        version: Version,
        sums: Sums,
        /// Whether some of it came from an earlier request.
        continued: bool,
    },
    /// The condition was not met: what we have is right.
    Unchanged,
}

/// Tries in a row that may bring nothing new.
const BARREN: u32 = 3;
const PIECE: usize = 256 * 1024;

/// One download.
pub(crate) struct Download<'a> {
    pub(crate) bench: &'a Bench<'a>,
    pub(crate) resource: &'a Resource,
    /// Where it goes; what is in it already is of `version`.
    pub(crate) file: &'a File,
    pub(crate) version: Version,
    /// Under which it is sent at all.
    pub(crate) conditions: Vec<(&'static str, String)>,
    /// Called when a first piece of a version is about to be written.
    pub(crate) begun: &'a dyn Fn(&Version) -> Result<(), Error>,
}

/// How a try ended.
enum Try {
    Whole,
    Unchanged,
    BrokeOff(Error),
}

impl Download<'_> {
    /// Downloads it.
    pub(crate) fn run(mut self) -> Result<Got, Error> {
        let mut state = State { done: 0, hasher: self.hasher(), total: None, continued: false };
        let kept = self.file.metadata().map_err(|error| self.disk(&error))?.len();
        if kept > 0 && self.version.strong().is_some() {
            state.take_up(self.file, kept).map_err(|error| self.disk(&error))?;
        }
        let (mut best, mut barren) = (state.done, 0);
        loop {
            match self.attempt(&mut state)? {
                Try::Whole => {
                    let Download { version, .. } = self;
                    return Ok(Got::Whole { version, sums: state.hasher.finish(), continued: state.continued });
                }
                Try::Unchanged => return Ok(Got::Unchanged),
                Try::BrokeOff(error) => {
                    barren = if state.done > best { 0 } else { barren + 1 };
                    best = best.max(state.done);
                    if barren == BARREN {
                        return Err(error);
                    }
                }
            }
        }
    }

    fn attempt(&mut self, state: &mut State) -> Result<Try, Error> {
        let url = &self.resource.url;
        let place = shown(url);
        let mut conditions = Vec::new();
        match self.version.strong().filter(|_| state.done > 0) {
            Some(version) => {
                conditions.push(("range", format!("bytes={}-", state.done)));
                conditions.push(("if-range", version.to_owned()));
            }
            None => conditions.clone_from(&self.conditions),
        }
        let patience = self.bench.order.patience;
        let asked = http::request(&Request { url, headers: &self.resource.headers, conditions: &conditions, patience });
        let response = match asked {
            // What came before may still be continued; a server that never answered is not asked again.
            Err(error) if state.done > 0 => return Ok(Try::BrokeOff(error)),
            asked => asked?,
        };
        match response.status {
            304 if !self.conditions.is_empty() => return Ok(Try::Unchanged),
            206 if range_start(&response) == Some(state.done) && state.done > 0 => state.continued = true,
            206 | 416 if state.done > 0 => {
                // Not what was asked for: all anew, without a range.
                self.restart(state)?;
                return Ok(Try::BrokeOff(Error::lab(format!("{place}: the server cannot continue a download"))));
            }
            200 => {}
            status => return Err(http::refused(&place, status)),
        }
        let length = response.header("content-length").and_then(|length| length.parse::<u64>().ok());
        let coded = response.header("content-encoding").map(str::to_ascii_lowercase);
        let gzip = match coded.as_deref() {
            None | Some("" | "identity") => false,
            // The file itself is packed and the server says so in the wrong place.
            Some("gzip" | "x-gzip") if packed_name(self.resource.file_name()) => false,
            Some("gzip" | "x-gzip") => true,
            Some(other) => {
                return Err(Error::lab(format!("{place}: the server packs it with {other}, which was not asked for")));
            }
        };
        if response.status == 200 {
            self.restart(state)?;
            // What is kept is the file without its coding, and ranges of that cannot be asked for.
            self.version = if gzip { Version::default() } else { Version::of(&response) };
            (self.begun)(&self.version)?;
        }
        state.total = length.filter(|_| !gzip).map(|length| state.done + length);
        let body: Box<dyn Read + Send> =
            if gzip { Box::new(flate2::read::MultiGzDecoder::new(response.body)) } else { response.body };
        self.receive(body, patience, state, &place)
    }

    /// Takes the body in. It is read on a thread of its own, for nothing else notices a server that falls silent; the
    /// thread then stays where it is until the process ends, which is soon.
    fn receive(
        &self,
        mut body: Box<dyn Read + Send>,
        patience: Duration,
        state: &mut State,
        place: &str,
    ) -> Result<Try, Error> {
        let (sender, pieces) = mpsc::sync_channel::<std::io::Result<Vec<u8>>>(8);
        let reader = move || {
            loop {
                let mut piece = vec![0; PIECE];
                let read = match body.read(&mut piece) {
                    Ok(length) => {
                        piece.truncate(length);
                        Ok(piece)
                    }
                    Err(error) => Err(error),
                };
                let last = read.as_ref().map_or(true, Vec::is_empty);
                if sender.send(read).is_err() || last {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("download".into()).spawn(reader).map_err(|error| self.disk(&error))?;
        loop {
            let said = || state.total.map_or_else(String::new, |total| format!(" of {total}"));
            match pieces.recv_timeout(patience) {
                Ok(Ok(piece)) if piece.is_empty() => {
                    if state.total.is_some_and(|total| state.done < total) {
                        let message = format!("{place} broke off after {}{} bytes", state.done, said());
                        return Ok(Try::BrokeOff(Error::lab(message)));
                    }
                    return Ok(Try::Whole);
                }
                Ok(Ok(piece)) => {
                    let mut file = self.file;
                    file.write_all(&piece).map_err(|error| self.disk(&error))?;
                    state.hasher.update(&piece);
                    state.done += piece.len() as u64;
                    (self.bench.tell)(Progress { phase: Phase::Download, done: state.done, total: state.total });
                }
                Ok(Err(error)) => {
                    let message = format!("{place} broke off after {}{} bytes: {error}", state.done, said());
                    return Ok(Try::BrokeOff(Error::lab(message)));
                }
                Err(RecvTimeoutError::Timeout) => {
                    let (done, silent) = (state.done, patience.as_secs_f32());
                    let message =
                        format!("{place}: the server fell silent after {done}{} bytes for {silent} s", said());
                    return Ok(Try::BrokeOff(Error::lab(message)));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(Error::bug("the reader of a download has ended")),
            }
        }
    }

    fn restart(&self, state: &mut State) -> Result<(), Error> {
        rustix::fs::ftruncate(self.file, 0).map_err(|error| self.disk(&error.into()))?;
        let mut file = self.file;
        file.seek(SeekFrom::Start(0)).map_err(|error| self.disk(&error))?;
        *state = State { done: 0, hasher: self.hasher(), total: None, continued: false };
        Ok(())
    }

    fn hasher(&self) -> Hasher {
        let wanted = self.resource.checksums.iter().map(|sum| sum.algorithm);
        // Content is named by it.
        Hasher::new(wanted.chain([Algorithm::Sha256]))
    }

    fn disk(&self, error: &std::io::Error) -> Error {
        Error::disk(&format!("keep {}", shown(&self.resource.url)), error)
    }
}

struct State {
    done: u64,
    hasher: Hasher,
    total: Option<u64>,
    continued: bool,
}

impl State {
    /// Goes on behind what the file has.
    fn take_up(&mut self, mut file: &File, kept: u64) -> std::io::Result<()> {
        let mut reader = FromStart::new(file).take(kept);
        let mut buffer = vec![0; PIECE];
        loop {
            let length = reader.read(&mut buffer)?;
            if length == 0 {
                break;
            }
            self.hasher.update(&buffer[..length]);
            self.done += length as u64;
        }
        file.seek(SeekFrom::Start(self.done))?;
        self.continued = true;
        Ok(())
    }
}

/// `bytes 100-199/200` → 100
fn range_start(response: &Response) -> Option<u64> {
    let range = response.header("content-range")?.strip_prefix("bytes")?.trim_start();
    range.split_once('-')?.0.trim().parse().ok()
}

fn packed_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [".gz", ".tgz", ".gzip"].iter().any(|ending| name.ends_with(ending))
}

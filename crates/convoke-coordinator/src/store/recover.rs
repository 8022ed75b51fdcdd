//! Bringing a log in order at start, whatever state it was left in.
//!
//! | found | done |
//! |---|---|
//! | a segment that was being rewritten | removed; the old one is still there |
//! | the last segment without a header | removed: it was begun and never used |
//! | the last segment with a torn tail | cut: what was acknowledged stands before |
//! | anything else | the segment is put aside as it is, and what is whole of it is written anew |
//!
//! What is done is said in notes. What cannot be done, because the disk is full for instance, is said too and not
//! needed: reading skips damage, and lines are added to a segment in order or to a new one. Only a log of a newer
//! program is refused, and a folder that cannot be read.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::index::Index;
use super::probe::Probe;
use super::replay::{Found, Replay, replay};
use super::segment::{self, SegmentNumber, UNFINISHED, failure};
use super::{Loaded, StoreError};

/// A log in order.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) index: Index,
    /// What it holds.
    pub(crate) loaded: Loaded,
    /// The segment to go on with and its length, when there is one that can be gone on with.
    pub(crate) last: Option<(SegmentNumber, u64)>,
    /// The number of a segment that would come after all.
    pub(crate) next: SegmentNumber,
    /// What was done, for people.
    pub(crate) notes: Vec<String>,
}

/// Reads the log in `dir` and mends it.
pub(crate) fn recover(dir: &Path, probe: &Probe) -> Result<Recovered, StoreError> {
    remove_unfinished(dir)?;
    let mut notes = Vec::new();
    let mut found = replay(dir)?;
    if mend(dir, &found, probe, &mut notes) {
        found = replay(dir)?;
    }
    let next = found.segments.last().map_or(SegmentNumber(1), |last| last.number.next());
    let last = found.segments.last().filter(|last| last.whole).map(|last| (last.number, last.length));
    let (index, loaded) = found.into_parts();
    Ok(Recovered { index, loaded, last, next, notes })
}

fn remove_unfinished(dir: &Path) -> Result<(), StoreError> {
    let failed = |error| failure(dir, "cannot list the state directory", &error);
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.to_string_lossy().ends_with(&format!(".log{UNFINISHED}")) {
            // If it stays, the next rewriting truncates it.
            let _ = fs::remove_file(path);
        }
    }
    Ok(())
}

/// Mends what is wrong; returns whether anything was changed.
fn mend(dir: &Path, found: &Replay, probe: &Probe, notes: &mut Vec<String>) -> bool {
    let superseded: Vec<u64> = found.superseded().collect();
    let with_superseded: Vec<SegmentNumber> = superseded.iter().flat_map(|n| found.index.segments_of(*n)).collect();
    let mut left_out: BTreeMap<&str, usize> = BTreeMap::new();
    let header = segment::header().len() as u64;
    let mut changed = false;
    for (place, segment) in found.segments.iter().enumerate() {
        for (_, _, group) in &segment.left_out {
            *left_out.entry(group.as_str()).or_default() += 1;
        }
        let is_last = place + 1 == found.segments.len();
        let lines_stay = segment.left_out.is_empty() && !with_superseded.contains(&segment.number);
        if segment.whole && lines_stay {
            continue;
        }
        let path = segment.number.path(dir);
        let done = match segment.torn_at {
            _ if is_last && !segment.whole && segment.lines == 0 && segment.length <= header => fs::remove_file(&path)
                .and_then(|()| segment::sync_dir(dir))
                .map(|()| format!("{}: removed, it was begun and never used", path.display())),
            Some(at) if is_last && lines_stay => cut(&path, at).map(|()| {
                format!("{}: cut {} bytes of an unfinished record at its end", path.display(), segment.length - at)
            }),
            _ => put_aside(dir, segment, &superseded, probe).map(|aside| {
                let path = path.display();
                match segment.damaged {
                    0 => format!("{path}: holds records that do not count any more, put aside as {}", aside.display()),
                    bytes => format!("{path}: {bytes} damaged bytes, put aside as {}", aside.display()),
                }
            }),
        };
        match done {
            Ok(note) => {
                notes.push(note);
                changed = true;
            }
            Err(error) => notes.push(format!("{}: damaged, and cannot be mended now: {error}", path.display())),
        }
    }
    let words = |(group, records): (&str, usize)| {
        format!(
            "{group}: a record of this group is lost, so {records} after it are left out: the group goes back to before it"
        )
    };
    notes.extend(left_out.into_iter().map(words));
    changed
}

fn cut(path: &Path, at: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(at)?;
    file.sync_data()
}

/// Keeps a second name for the segment as it is, then replaces it by what counts of it.
fn put_aside(dir: &Path, found: &Found, superseded: &[u64], probe: &Probe) -> io::Result<PathBuf> {
    let path = found.number.path(dir);
    let aside = (1_u32..)
        .map(|count| dir.join(format!("{:08}.damaged-{count}", found.number.0)))
        .find(|aside| !aside.exists())
        .unwrap_or_else(|| dir.join("damaged"));
    let content = segment::read(&path).map_err(io::Error::other)?;
    let counts = |located: &&segment::Located| {
        !superseded.contains(&located.line.n) && !found.left_out.iter().any(|(place, ..)| *place == located.place)
    };
    let frames: Vec<_> = content.lines.iter().filter(counts).map(|located| located.place.clone()).collect();
    fs::hard_link(&path, &aside)?;
    segment::rewrite(dir, found.number, &content.bytes, &frames, probe).inspect_err(|_| {
        // It is still what it was, under its own name.
        let _ = fs::remove_file(&aside);
    })?;
    Ok(aside)
}

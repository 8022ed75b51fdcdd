//! A file of the log: its name, its header, its lines, and how it is rewritten.
//!
//! A segment is a header and then lines, each a frame (`frame.rs`). A group has a number of its own, never used for
//! two groups whose lines are kept at the same time, and its records are numbered from 0. A line without a record ends
//! the group. So what a line means does not depend on where it stands, but for the order of the records.
//!
//! ```text
//! {"convoke_log":2,"program":"convoke-coordinator 0.1.0"}
//! {"n":17,"s":0,"group":"82e8…","record":{"at":…,"entry":{"created":{"size":2}}}}
//! {"n":17,"s":1,"group":"82e8…","record":{"at":…,"entry":{"input":{"input":"register",…}}}}
//! {"n":17,"s":2,"group":"82e8…"}
//! ```
//!
//! A segment is only appended to, or replaced as a whole: written beside it under a name that is removed at start,
//! synced, renamed, and its folder synced.
//!
//! **Room.** The open segment is as long from its beginning as it is to become, and zero where nothing stands yet: a
//! sync then has only data to write and nothing about the file, which is many times quicker. No line ends with a zero,
//! so a reader takes zeros at the end for what they are. Without space for the room the segment grows with its lines.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use convoke_group::GroupName;
use serde::{Deserialize, Serialize};

use super::frame::{self, HEAD, Piece};
use super::probe::{Probe, Step};
use super::{Record, StoreError};

/// The version of the format this program writes, and the highest it reads. 1 had no closed groups.
const VERSION: u64 = 2;

/// What the name of a segment that is being written ends with.
pub(crate) const UNFINISHED: &str = ".new";

/// The number of a segment; segments are read in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SegmentNumber(pub(crate) u64);

impl SegmentNumber {
    pub(crate) fn path(self, dir: &Path) -> PathBuf {
        dir.join(format!("{:08}.log", self.0))
    }

    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }

    fn of(name: &str) -> Option<Self> {
        let digits = name.strip_suffix(".log")?;
        let is_ours = digits.len() >= 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_ours.then(|| digits.parse().ok()).flatten().map(Self)
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    convoke_log: u64,
    program: String,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Line {
    /// The number of the group.
    pub(crate) n: u64,
    /// The number of the record within the group.
    pub(crate) s: u64,
    /// The group's name.
    pub(crate) group: GroupName,
    /// The record; none ends the group.
    #[serde(default)]
    pub(crate) record: Option<Record>,
}

/// A line and where it stands.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) place: Range<usize>,
    pub(crate) line: Line,
}

/// A segment as read.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    pub(crate) lines: Vec<Located>,
    /// Whether it opens with its header.
    pub(crate) headed: bool,
    /// What is no line.
    pub(crate) damage: Vec<Range<usize>>,
}

impl Content {
    /// Where a torn tail begins, when that is all that is wrong.
    pub(crate) fn torn_at(&self) -> Option<usize> {
        match self.damage.as_slice() {
            [tail] if tail.end == self.bytes.len() && self.headed => Some(tail.start),
            _ => None,
        }
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.headed && self.damage.is_empty()
    }
}

/// The segments of a folder, in order.
pub(crate) fn list(dir: &Path) -> Result<Vec<SegmentNumber>, StoreError> {
    let failed = |error| failure(dir, "cannot list the state directory", &error);
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        numbers.extend(entry.map_err(failed)?.file_name().to_str().and_then(SegmentNumber::of));
    }
    numbers.sort();
    Ok(numbers)
}

/// Reads a segment. Damage is no error.
pub(crate) fn read(path: &Path) -> Result<Content, StoreError> {
    let mut bytes = fs::read(path).map_err(|error| failure(path, "cannot read the state", &error))?;
    while bytes.ends_with(&[0; 4096]) {
        bytes.truncate(bytes.len() - 4096);
    }
    bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
    let mut content = Content::default();
    for (place, piece) in frame::pieces(&bytes).into_iter().enumerate() {
        let range = match piece {
            Piece::Frame(range) => range,
            Piece::Damage(range) => {
                content.damage.push(range);
                continue;
            }
        };
        let text = &bytes[range.start + HEAD..range.end];
        if place == 0
            && let Ok(header) = serde_json::from_slice::<Header>(text)
        {
            if header.convoke_log > VERSION {
                return Err(StoreError::Newer { path: path.to_owned(), found: header.convoke_log, known: VERSION });
            }
            content.headed = true;
            continue;
        }
        match serde_json::from_slice(text) {
            Ok(line) => content.lines.push(Located { place: range, line }),
            Err(_) => content.damage.push(range),
        }
    }
    content.bytes = bytes;
    Ok(content)
}

/// The frame every segment opens with.
pub(crate) fn header() -> Vec<u8> {
    let program = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned();
    let mut out = Vec::new();
    // Two plain fields always have a text.
    let text = serde_json::to_vec(&Header { convoke_log: VERSION, program }).unwrap_or_default();
    frame::push(&mut out, &[&text]);
    out
}

/// Makes a new segment with room for so many bytes, durably, and returns it open for writing with its length.
pub(crate) fn create(dir: &Path, number: SegmentNumber, room: u64, probe: &Probe) -> io::Result<(File, u64)> {
    let path = number.path(dir);
    let made = (|| {
        probe.at(Step::Create)?;
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
        let header = header();
        file.write_all(&header)?;
        file.sync_data()?;
        sync_dir(dir)?;
        make_room(&file, header.len() as u64, room);
        Ok((file, header.len() as u64))
    })();
    if made.is_err() {
        // What is left of it, if anything, holds no line and is removed at the next start.
        let _ = fs::remove_file(&path);
    }
    made
}

/// Fills a segment up to `room` bytes with zeros, behind the `good` ones that it has. Without space for all of them it
/// stays as it is.
pub(crate) fn make_room(file: &File, good: u64, room: u64) {
    let fill = || {
        let zeros = vec![0; 1 << 20];
        let mut at = file.metadata()?.len().max(good);
        while at < room {
            let count = usize::try_from(room - at).unwrap_or(usize::MAX).min(zeros.len());
            file.write_all_at(&zeros[..count], at)?;
            at += count as u64;
        }
        file.sync_data()
    };
    if fill().is_err() {
        // Zeros that stay do no harm.
        let _ = file.set_len(good);
    }
}

/// Replaces a segment by its header and `frames` of its `bytes`; returns its new length. Until it returns, the old one or
/// the new one is there, whenever the process ends.
pub(crate) fn rewrite(
    dir: &Path,
    number: SegmentNumber,
    bytes: &[u8],
    frames: &[Range<usize>],
    probe: &Probe,
) -> io::Result<u64> {
    let path = number.path(dir);
    let mut beside = path.clone().into_os_string();
    beside.push(UNFINISHED);
    let written = (|| {
        probe.at(Step::RewriteBegin)?;
        let mut out = header();
        for range in frames {
            out.extend_from_slice(&bytes[range.clone()]);
        }
        let mut file = File::create(&beside)?;
        file.write_all(&out)?;
        probe.at(Step::RewriteSync)?;
        file.sync_data()?;
        probe.at(Step::RewriteRename)?;
        fs::rename(&beside, &path)?;
        probe.at(Step::RewriteSyncDir)?;
        sync_dir(dir)?;
        Ok(out.len() as u64)
    })();
    if written.is_err() {
        // Removed at the next start, if not now.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Removes a segment, durably.
pub(crate) fn remove(dir: &Path, number: SegmentNumber, probe: &Probe) -> io::Result<()> {
    probe.at(Step::Remove)?;
    match fs::remove_file(number.path(dir)) {
        // Removed the last time, when the folder could not be synced.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        removed => removed?,
    }
    probe.at(Step::RemoveSyncDir)?;
    sync_dir(dir)
}

pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// An error of the system as the store tells it.
pub(crate) fn failure(path: &Path, action: &'static str, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { path: path.to_owned() },
        _ => StoreError::Io { path: path.to_owned(), action, why: error.to_string() },
    }
}

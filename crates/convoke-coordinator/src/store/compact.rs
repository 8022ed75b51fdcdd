//! Taking finished groups out of a closed segment, beside the writer's own work.

use std::path::Path;

use super::StoreError;
use super::index::Needed;
use super::probe::Probe;
use super::segment::{self, SegmentNumber, failure};

/// What came of a compaction.
#[derive(Debug)]
pub(crate) struct Compacted {
    pub(crate) number: SegmentNumber,
    pub(crate) needed: Needed,
    /// The segment's new length; none when it was removed.
    pub(crate) result: Result<Option<u64>, StoreError>,
}

/// Rewrites a segment with what is needed of it, or removes it when nothing is.
pub(crate) fn compact(dir: &Path, number: SegmentNumber, needed: Needed, probe: &Probe) -> Compacted {
    let path = number.path(dir);
    let failed = |error| failure(&path, "cannot compact the state", &error);
    let result = if needed.is_empty() {
        segment::remove(dir, number, probe).map(|()| None).map_err(failed)
    } else {
        segment::read(&path).and_then(|content| {
            let lines = content.lines.iter().filter(|located| needed.keeps(&located.line));
            let frames: Vec<_> = lines.map(|located| located.place.clone()).collect();
            segment::rewrite(dir, number, &content.bytes, &frames, probe).map(Some).map_err(failed)
        })
    };
    Compacted { number, needed, result }
}

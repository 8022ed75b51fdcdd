//! Reading a whole log: every group with its records, and what is wrong with each segment. Changes nothing.
//!
//! A record counts when it is the next of its group. One behind a hole does not: a group that has forgotten an arrival
//! could let a barrier go early, so a group goes back to where its records are whole. Other groups are not concerned.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use convoke_group::GroupName;

use super::index::Index;
use super::segment::{self, SegmentNumber};
use super::{Loaded, Record, StoreError};

/// A log as read.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    pub(crate) index: Index,
    pub(crate) segments: Vec<Found>,
    /// The groups that have not ended, by their numbers.
    groups: BTreeMap<u64, (GroupName, Vec<Record>)>,
}

/// A segment as found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) number: SegmentNumber,
    pub(crate) length: u64,
    /// Whether nothing is damaged.
    pub(crate) whole: bool,
    /// Where a torn tail begins, when that is all that is wrong.
    pub(crate) torn_at: Option<u64>,
    /// Bytes that are no line.
    pub(crate) damaged: usize,
    /// Lines that are whole.
    pub(crate) lines: usize,
    /// Lines of groups that have not ended which do not count, and the numbers and names of their groups.
    pub(crate) left_out: Vec<(Range<usize>, u64, GroupName)>,
}

impl Replay {
    /// What stands where, and the groups with their records, in the order in which they were begun.
    pub(crate) fn into_parts(self) -> (Index, Loaded) {
        let Self { index, groups, .. } = self;
        let is_open = |n: u64, name: &GroupName| index.open(name).is_some_and(|(open, _)| open == n);
        let loaded = groups.into_iter().filter(|(n, (name, _))| is_open(*n, name)).map(|(_, group)| group).collect();
        (index, loaded)
    }

    /// Groups that were followed by another of the same name although nothing says that they ended.
    pub(crate) fn superseded(&self) -> impl Iterator<Item = u64> {
        let is_open = |n: u64, name: &GroupName| self.index.open(name).is_some_and(|(open, _)| open == n);
        self.groups.iter().filter(move |(n, (name, _))| !is_open(**n, name)).map(|(n, _)| *n)
    }
}

/// Reads the log in `dir`.
pub(crate) fn replay(dir: &Path) -> Result<Replay, StoreError> {
    let mut replay = Replay::default();
    for number in segment::list(dir)? {
        let content = segment::read(&number.path(dir))?;
        replay.index.add_segment(number, 0);
        let mut found = Found {
            number,
            length: content.bytes.len() as u64,
            whole: content.is_whole(),
            torn_at: content.torn_at().map(|at| at as u64),
            damaged: content.damage.iter().map(ExactSizeIterator::len).sum(),
            lines: content.lines.len(),
            left_out: Vec::new(),
        };
        let mut in_lines = 0;
        for located in content.lines {
            let line = located.line;
            let bytes = located.place.len() as u64;
            in_lines += bytes;
            let Some(record) = line.record else {
                replay.index.end(number, &line.group, line.n, bytes);
                replay.groups.remove(&line.n);
                continue;
            };
            if replay.index.record(number, &line.group, line.n, line.s, bytes) {
                replay.groups.entry(line.n).or_insert_with(|| (line.group, Vec::new())).1.push(record);
            } else {
                found.left_out.push((located.place, line.n, line.group));
            }
        }
        replay.index.add_segment(number, found.length.max(in_lines));
        replay.segments.push(found);
    }
    let Replay { index, segments, .. } = &mut replay;
    for found in segments {
        // Of a group that ended the first lines may have been compacted away already.
        found.left_out.retain(|(_, n, _)| !index.has_ended(*n));
    }
    Ok(replay)
}

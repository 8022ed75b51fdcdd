//! What stands where in the log: which groups are open, and how much of each segment is still needed. Pure.
//!
//! A line of an ended group is garbage. The line that ends a group is needed as long as another segment holds lines of
//! the group, which would otherwise come back to life.

use std::collections::{BTreeMap, HashMap, HashSet};

use convoke_group::GroupName;

use super::segment::{Line, SegmentNumber};

/// The state of the log.
#[derive(Debug, Default)]
pub(crate) struct Index {
    next_group: u64,
    open: HashMap<GroupName, u64>,
    groups: HashMap<u64, Kept>,
    segments: BTreeMap<SegmentNumber, u64>,
}

/// What is kept of a group.
#[derive(Debug, Default)]
struct Kept {
    /// How many records it has.
    records: u64,
    /// Bytes of its records by segment.
    spans: BTreeMap<SegmentNumber, u64>,
    /// The line that ended it, when it has ended.
    end: Option<(SegmentNumber, u64)>,
}

impl Kept {
    /// Whether the end is needed for lines outside its own segment.
    fn end_is_needed(&self, own: SegmentNumber) -> bool {
        self.spans.keys().any(|segment| *segment != own)
    }
}

/// What a segment's rewriting has to keep, fixed when it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needed {
    /// Groups whose records stay.
    pub(crate) records: HashSet<u64>,
    /// Groups whose end stays.
    pub(crate) ends: HashSet<u64>,
}

impl Needed {
    pub(crate) fn keeps(&self, line: &Line) -> bool {
        if line.record.is_some() { self.records.contains(&line.n) } else { self.ends.contains(&line.n) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.ends.is_empty()
    }
}

impl Index {
    /// The number of the next group to be begun.
    pub(crate) fn next_group(&self) -> u64 {
        self.next_group
    }

    /// The number of an open group, and that of its next record.
    pub(crate) fn open(&self, group: &GroupName) -> Option<(u64, u64)> {
        let n = *self.open.get(group)?;
        Some((n, self.groups.get(&n)?.records))
    }

    /// A segment is there, with nothing but its header in it.
    pub(crate) fn add_segment(&mut self, segment: SegmentNumber, bytes: u64) {
        self.segments.insert(segment, bytes);
    }

    /// Takes a record in: whether it counts. It does not when one before it is missing.
    pub(crate) fn record(&mut self, segment: SegmentNumber, group: &GroupName, n: u64, s: u64, bytes: u64) -> bool {
        *self.segments.entry(segment).or_default() += bytes;
        self.next_group = self.next_group.max(n + 1);
        let kept = self.groups.entry(n).or_default();
        *kept.spans.entry(segment).or_default() += bytes;
        if kept.end.is_some() || kept.records != s {
            return false;
        }
        kept.records += 1;
        if s == 0 {
            self.open.insert(group.clone(), n);
        }
        true
    }

    /// Takes the end of a group in.
    pub(crate) fn end(&mut self, segment: SegmentNumber, group: &GroupName, n: u64, bytes: u64) {
        *self.segments.entry(segment).or_default() += bytes;
        self.next_group = self.next_group.max(n + 1);
        self.groups.entry(n).or_default().end = Some((segment, bytes));
        if self.open.get(group) == Some(&n) {
            self.open.remove(group);
        }
    }

    /// The first segment before `active` of which more than half is garbage, leaving out those to `skip`. A segment of
    /// which anything is needed needs its `header` too.
    pub(crate) fn most_is_garbage(
        &self,
        active: SegmentNumber,
        skip: &HashSet<SegmentNumber>,
        header: u64,
    ) -> Option<SegmentNumber> {
        let mut needed: HashMap<SegmentNumber, u64> = HashMap::new();
        for kept in self.groups.values() {
            match kept.end {
                None => kept.spans.iter().for_each(|(segment, bytes)| *needed.entry(*segment).or_default() += bytes),
                Some((own, bytes)) if kept.end_is_needed(own) => *needed.entry(own).or_default() += bytes,
                Some(_) => {}
            }
        }
        let closed = self.segments.range(..active).filter(|(segment, _)| !skip.contains(segment));
        let is_garbage = |(segment, bytes): &(&SegmentNumber, &u64)| {
            needed.get(segment).is_none_or(|needed| (needed + header) * 2 < **bytes)
        };
        closed.into_iter().find(is_garbage).map(|(segment, _)| *segment)
    }

    /// Whether the end of a group is known.
    pub(crate) fn has_ended(&self, n: u64) -> bool {
        self.groups.get(&n).is_some_and(|kept| kept.end.is_some())
    }

    /// The segments in which records of a group stand.
    pub(crate) fn segments_of(&self, n: u64) -> impl Iterator<Item = SegmentNumber> {
        self.groups.get(&n).into_iter().flat_map(|kept| kept.spans.keys().copied())
    }

    /// Bytes of the records of a group, which become garbage when it ends.
    pub(crate) fn bytes_of(&self, n: u64) -> u64 {
        self.groups.get(&n).map_or(0, |kept| kept.spans.values().sum())
    }

    /// What has to be kept of a segment.
    pub(crate) fn needed(&self, segment: SegmentNumber) -> Needed {
        let mut needed = Needed::default();
        for (n, kept) in &self.groups {
            match kept.end {
                None if kept.spans.contains_key(&segment) => drop(needed.records.insert(*n)),
                Some((own, _)) if own == segment && kept.end_is_needed(own) => drop(needed.ends.insert(*n)),
                _ => {}
            }
        }
        needed
    }

    /// A segment now holds only what was `needed`, in `bytes`; none when it was removed.
    pub(crate) fn rewritten(&mut self, segment: SegmentNumber, needed: &Needed, bytes: Option<u64>) {
        match bytes {
            Some(bytes) => self.segments.insert(segment, bytes),
            None => self.segments.remove(&segment),
        };
        self.groups.retain(|n, kept| {
            if !needed.records.contains(n) {
                kept.spans.remove(&segment);
            }
            // Without lines of it anywhere its end means nothing any more, and is garbage where it still stands.
            kept.end.is_none() || !kept.spans.is_empty()
        });
    }
}

//! A kill between any two steps, and a file that ends anywhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use proptest::collection::vec;
use proptest::prelude::*;

use super::support::{Op, copy, expected, folder, group, load, open, record, run, start, wait};
use crate::store::Store;
use crate::store::probe::{Probe, Step};

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![5 => (0..4_u8).prop_map(Op::Append), 1 => (0..4_u8).prop_map(Op::Forget)]
}

/// The log as it was when one step was about to be done.
struct Snapshot {
    step: Step,
    dir: PathBuf,
    /// Operations that had been acknowledged, and that had been queued.
    acknowledged: usize,
    queued: usize,
    /// Bytes of the open segment, without its room, before the commit under way.
    length: u64,
}

/// Does `ops`, several at once, and copies the log before every `every`-th step.
fn snapshots(top: &Path, ops: &[Op], at_once: usize, every: usize) -> Vec<Snapshot> {
    let dir = top.join("state");
    let taken = Arc::new(Mutex::new(Vec::new()));
    let counts = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0)));
    let probe = {
        let (top, dir, taken, counts) = (top.to_owned(), dir.clone(), taken.clone(), counts.clone());
        let length = AtomicU64::new(0);
        Probe::new(move |step| {
            if step == Step::Write {
                length.store(filled(&last_segment(&dir)), Ordering::SeqCst);
            }
            let count = counts.2.fetch_add(1, Ordering::SeqCst);
            if count.is_multiple_of(every) {
                let acknowledged = counts.0.load(Ordering::SeqCst);
                let to = top.join(format!("{count}"));
                copy(&dir, &to);
                let queued = counts.1.load(Ordering::SeqCst);
                taken.lock().unwrap().push(Snapshot {
                    step,
                    dir: to,
                    acknowledged,
                    queued,
                    length: length.load(Ordering::SeqCst),
                });
            }
            Ok(())
        })
    };
    let (store, _) = open(&dir, probe);
    for (chunk_number, chunk) in ops.chunks(at_once).enumerate() {
        let first = chunk_number * at_once;
        counts.1.store(first + chunk.len(), Ordering::SeqCst);
        let futures: Vec<_> = chunk.iter().enumerate().map(|(place, op)| start(&store, first + place, op)).collect();
        assert!(wait(futures).iter().all(Result::is_ok));
        counts.0.store(first + chunk.len(), Ordering::SeqCst);
    }
    assert_eq!(store.load().unwrap(), expected(ops));
    drop(store);
    assert_eq!(load(&dir), (expected(ops), vec![]));
    std::mem::take(&mut *taken.lock().unwrap())
}

/// Checks that a start finds everything acknowledged, in order, and at most the first of the rest; the last
/// segment is cut first where `cut` says.
#[track_caller]
fn check(snapshot: &Snapshot, cut: Option<u64>, ops: &[Op]) {
    let dir = folder();
    copy(&snapshot.dir, dir.path());
    if let Some(length) = cut {
        let file = fs::OpenOptions::new().write(true).open(last_segment(dir.path())).unwrap();
        let room = file.metadata().unwrap().len();
        file.set_len(length).unwrap();
        file.set_len(room).unwrap();
    }
    let (found, notes) = load(dir.path());
    let possible = snapshot.acknowledged..=snapshot.queued;
    let is_prefix = possible.clone().any(|count| found == expected(&ops[..count]));
    assert!(is_prefix, "before {:?}: none of {possible:?} of {ops:?}: {found:#?} {notes:?}", snapshot.step);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_kill_at_any_step_keeps_what_was_acknowledged(
        ops in vec(op(), 1..60),
        at_once in 1..6_usize,
        every in 1..7_usize,
        cuts in vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let top = folder();
        for snapshot in snapshots(top.path(), &ops, at_once, every) {
            if snapshot.step == Step::Sync {
                // Of what was written and not synced any part may be there.
                let log = filled(&last_segment(&snapshot.dir));
                for cut in &cuts {
                    let written = usize::try_from(log - snapshot.length).unwrap();
                    check(&snapshot, Some(snapshot.length + cut.index(written + 1) as u64), &ops);
                }
            }
            check(&snapshot, None, &ops);
        }
    }
}

fn last_segment(dir: &Path) -> PathBuf {
    let logs = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    logs.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max().unwrap()
}

/// The length of a segment without its room.
fn filled(log: &Path) -> u64 {
    let bytes = fs::read(log).unwrap();
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1)
}

#[test]
fn every_step_of_commits_and_compaction_is_a_safe_place_to_be_killed() {
    // Groups that live side by side and end one after the other, so that segments become garbage in part and whole.
    let ops: Vec<Op> = (0..160_u8)
        .map(|number| if number % 5 == 4 { Op::Forget(number / 5 % 7) } else { Op::Append(number % 7) })
        .collect();
    let top = folder();
    let taken = snapshots(top.path(), &ops, 3, 1);
    for step in [
        Step::Write,
        Step::Sync,
        Step::Create,
        Step::RewriteBegin,
        Step::RewriteSync,
        Step::RewriteRename,
        Step::RewriteSyncDir,
        Step::Remove,
        Step::RemoveSyncDir,
    ] {
        assert!(taken.iter().any(|snapshot| snapshot.step == step), "{step:?} did not happen");
    }
    for snapshot in &taken {
        check(snapshot, None, &ops);
    }
}

#[test]
fn a_log_that_ends_at_any_byte_keeps_the_records_before_it() {
    let ops: Vec<Op> = [0, 1, 0, 1].map(Op::Append).into_iter().chain([Op::Forget(0), Op::Append(0)]).collect();
    let top = folder();
    let mut ends = Vec::new();
    let whole = {
        let (store, _) = open_large(top.path());
        let log = last_segment(top.path());
        ends.push(filled(&log));
        for (number, op) in ops.iter().enumerate() {
            assert_eq!(wait([start(&store, number, op)]), [Ok(())]);
            ends.push(filled(&log));
        }
        let length = usize::try_from(filled(&log)).unwrap();
        fs::read(log).unwrap()[..length].to_vec()
    };
    for cut in 0..=whole.len() {
        let dir = top.path().join("cut");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("00000001.log"), &whole[..cut]).unwrap();
        let kept = ends.iter().filter(|end| **end <= cut as u64).count().saturating_sub(1);
        let (store, notes) = open_large(&dir);
        assert_eq!(store.load().unwrap(), expected(&ops[..kept]), "cut at {cut}");
        assert_eq!(notes.len(), usize::from(!ends.contains(&(cut as u64))), "cut at {cut}: {notes:?}");
        // And it goes on from there.
        assert_eq!(wait([store.append(&group(9), record(99))]), [Ok(())]);
        drop(store);
        let (found, notes) = load(&dir);
        assert_eq!((found.last().unwrap(), notes), (&(group(9), vec![record(99)]), vec![]), "cut at {cut}");
        assert_eq!(found[..found.len() - 1], expected(&ops[..kept]), "cut at {cut}");
        fs::remove_dir_all(dir).unwrap();
    }
}

/// Opens with segments that hold everything of a test.
fn open_large(dir: &Path) -> (crate::store::FileStore, Vec<String>) {
    crate::store::FileStore::open_with(dir, 8192, Probe::default()).unwrap()
}

#[test]
fn zeros_at_the_end_are_room() {
    let top = folder();
    let ops = [Op::Append(0), Op::Append(0)];
    run(&open_large(top.path()).0, &ops);
    let log = last_segment(top.path());
    assert_eq!(fs::metadata(&log).unwrap().len(), 8192);
    let (store, notes) = open_large(top.path());
    assert_eq!((store.load().unwrap(), notes), (expected(&ops), vec![]));
    let before = filled(&log);
    assert_eq!(wait([start(&store, 2, &Op::Append(0))]), [Ok(())]);
    assert!(filled(&log) > before, "the next record is in the room");
    assert_eq!(fs::metadata(&log).unwrap().len(), 8192);
}

#[test]
fn a_page_that_did_not_reach_the_disk_costs_unacknowledged_records_only() {
    let top = folder();
    let ops: Vec<Op> = (0..12).map(|number| Op::Append(number % 3)).collect();
    let acknowledged = 6;
    let store = open_large(top.path()).0;
    run(&store, &ops[..acknowledged]);
    let log = last_segment(top.path());
    let before = usize::try_from(filled(&log)).unwrap();
    let rest: Vec<_> = (acknowledged..ops.len()).map(|number| start(&store, number, &ops[number])).collect();
    assert!(wait(rest).iter().all(Result::is_ok));
    drop(store);
    let whole = fs::read(&log).unwrap();
    let after = usize::try_from(filled(&log)).unwrap();
    for hole in (before..after).step_by(7) {
        let dir = top.path().join("hole");
        copy(top.path(), &dir);
        let mut bytes = whole.clone();
        bytes[hole..(hole + 100).min(after)].fill(0);
        fs::write(dir.join(log.file_name().unwrap()), bytes).unwrap();
        let found = open_large(&dir).0.load().unwrap();
        for (name, records) in expected(&ops) {
            let kept = found.iter().find(|(found, _)| *found == name).map_or(&[][..], |(_, kept)| kept);
            assert!(records.starts_with(kept) && kept.len() >= 2, "hole at {hole}: {name}");
        }
        fs::remove_dir_all(dir).unwrap();
    }
}

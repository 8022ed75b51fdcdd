//! The state directory and its lock; records too large; many at once.

use super::support::{Op, expected, folder, group, load, open, record, run, start, wait};
use crate::store::probe::Probe;
use crate::store::{Entry, FileStore, Record, Store, StoreError};

#[test]
fn two_coordinators_never_share_a_directory() {
    let top = folder();
    let (store, _) = open(top.path(), Probe::default());
    let error = FileStore::open(top.path()).unwrap_err();
    assert_eq!(error, StoreError::InUse { path: top.path().to_owned(), process: Some(std::process::id()) });
    let words = format!(
        "{}: another coordinator uses this state directory (process {}): stop it, or give this one a directory of its own",
        top.path().display(),
        std::process::id()
    );
    assert_eq!(error.to_string(), words);
    drop(store);
    FileStore::open(top.path()).unwrap();
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let top = folder();
    let file = top.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = FileStore::open(&file.join("state")).unwrap_err().to_string();
    assert!(error.contains("file/state: cannot make the state directory: "), "{error}");
}

#[test]
fn a_record_that_is_too_large_is_refused_alone() {
    let top = folder();
    let (store, _) = open(top.path(), Probe::default());
    let huge = Entry::Bundle { member: convoke_group::MemberName::new("m"), bundle: "x".repeat(17 << 20).into() };
    let results = wait([
        store.append(&group(0), record(0)),
        store.append(&group(0), Record { at: record(0).at, entry: huge }),
        store.append(&group(0), record(1)),
    ]);
    assert!(matches!(&results[..], [Ok(()), Err(StoreError::TooLarge { .. }), Ok(())]), "{results:?}");
    drop(store);
    assert_eq!(load(top.path()).0, expected(&[Op::Append(0), Op::Append(0)]));
}

#[test]
fn what_is_queued_is_kept_when_the_store_is_dropped() {
    let top = folder();
    let (store, _) = open(top.path(), Probe::default());
    let ops: Vec<Op> = (0..200).map(|number| Op::Append(number % 9)).collect();
    let futures: Vec<_> = ops.iter().enumerate().map(|(number, op)| start(&store, number, op)).collect();
    drop(store);
    assert!(wait(futures).iter().all(Result::is_ok));
    assert_eq!(load(top.path()), (expected(&ops), vec![]));
}

#[test]
fn appends_made_at_once_share_commits() {
    let top = folder();
    let (store, _) = FileStore::open(top.path()).unwrap();
    let ops: Vec<Op> = (0..250).map(Op::Append).collect();
    let futures: Vec<_> = ops.iter().enumerate().map(|(number, op)| start(&store, number, op)).collect();
    assert!(wait(futures).iter().all(Result::is_ok));
    let stats = store.stats();
    assert_eq!(stats.records, 250);
    assert!(stats.commits < 250, "{stats:?}");
    run(&store, &[]);
}

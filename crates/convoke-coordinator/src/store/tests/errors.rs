//! A disk that fails: what was acknowledged stays, what failed leaves nothing behind.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use proptest::collection::vec;
use proptest::prelude::*;

use super::support::{Op, expected, folder, group, load, open, record, start, wait};
use crate::store::probe::{Probe, Step};
use crate::store::{MemoryStore, Store, StoreError};

/// Fails the steps whose bit is set, again and again, until the disk is mended.
fn failing(pattern: u64, mended: Arc<AtomicBool>) -> Probe {
    let count = AtomicU64::new(0);
    Probe::new(move |_| {
        let bit = count.fetch_add(1, Ordering::SeqCst) % 64;
        if pattern >> bit & 1 == 1 && !mended.load(Ordering::SeqCst) {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_failed_is_not_there_and_what_was_acknowledged_is(
        // The first steps of a start succeed.
        pattern in (any::<u64>(), any::<u64>()).prop_map(|(one, two)| one & two & !1),
        ops in vec((0..5_u8, 0..3_u8), 1..60),
    ) {
        let top = folder();
        let mended = Arc::new(AtomicBool::new(false));
        let (store, _) = open(top.path(), failing(pattern, mended.clone()));
        let model = MemoryStore::default();
        for (number, (kind, name)) in ops.iter().enumerate() {
            let op = if *kind == 0 { Op::Forget(*name) } else { Op::Append(*name) };
            if wait([start(&store, number, &op)]) == [Ok(())] {
                wait([start(&model, number, &op)]);
            }
        }
        mended.store(true, Ordering::SeqCst);
        prop_assert_eq!(store.load().unwrap(), model.load().unwrap());
        drop(store);
        prop_assert_eq!(load(top.path()), (model.load().unwrap(), vec![]));
    }
}

#[test]
fn a_failed_sync_fails_everything_it_was_for_and_says_why() {
    let top = folder();
    let fail = Arc::new(Mutex::new(None));
    let look = fail.clone();
    let probe = Probe::new(move |step| match *look.lock().unwrap() {
        Some(failing) if failing == step => Err(io::Error::other("the disk is gone")),
        _ => Ok(()),
    });
    let (store, _) = open(top.path(), probe);
    let append = |number| wait([store.append(&group(0), record(number))]).remove(0);
    assert_eq!(append(0), Ok(()));
    for step in [Step::Write, Step::Sync] {
        *fail.lock().unwrap() = Some(step);
        let error = append(1).unwrap_err();
        let path = top.path().join("00000001.log");
        assert_eq!(
            error,
            StoreError::Io { path, action: "cannot write the state", why: "the disk is gone".to_owned() }
        );
    }
    *fail.lock().unwrap() = None;
    assert_eq!(append(1), Ok(()));
    assert_eq!(store.stats().failures, 2);
    drop(store);
    assert_eq!(load(top.path()).0, expected(&[Op::Append(0), Op::Append(0)]));
}

#[test]
fn nothing_is_accepted_while_an_unfinished_record_cannot_be_taken_back() {
    let top = folder();
    let broken = Arc::new(Mutex::new(vec![]));
    let look = broken.clone();
    let probe =
        Probe::new(
            move |step| {
                if look.lock().unwrap().contains(&step) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
            },
        );
    let (store, _) = open(top.path(), probe);
    let append = |number| wait([store.append(&group(0), record(number))]).remove(0);
    assert_eq!(append(0), Ok(()));
    *broken.lock().unwrap() = vec![Step::Sync, Step::Cut];
    assert!(matches!(append(1), Err(StoreError::Full { .. })));
    *broken.lock().unwrap() = vec![Step::Cut];
    assert!(matches!(append(1), Err(StoreError::Full { .. })));
    broken.lock().unwrap().clear();
    assert_eq!(append(1), Ok(()));
    drop(store);
    assert_eq!(load(top.path()), (expected(&[Op::Append(0), Op::Append(0)]), vec![]));
}

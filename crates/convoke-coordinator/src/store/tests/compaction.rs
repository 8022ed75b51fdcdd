//! What is finished makes room.

use std::fs;
use std::path::Path;

use super::support::{Op, expected, folder, group, load, names, open, record, run, wait};
use crate::store::Store;
use crate::store::probe::Probe;

fn bytes(dir: &Path) -> u64 {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn the_log_of_groups_that_come_and_go_stays_small() {
    let top = folder();
    let mut ops = vec![Op::Append(200)];
    for round in 0..100 {
        ops.extend([Op::Append(round), Op::Append(round), Op::Append(round), Op::Forget(round)]);
    }
    let (store, _) = open(top.path(), Probe::new(|_| Ok(())));
    run(&store, &ops);
    let written = store.stats().bytes;
    assert!(store.stats().compactions > 10, "{:?}", store.stats());
    drop(store);
    assert_eq!(load(top.path()), (expected(&ops), vec![]));
    assert!(
        bytes(top.path()) * 8 < written,
        "{} of {written} bytes left in {:?}",
        bytes(top.path()),
        names(top.path())
    );
}

#[test]
fn a_forgotten_group_does_not_come_back_and_its_name_can_be_used_afresh() {
    let top = folder();
    let (store, _) = open(top.path(), Probe::default());
    assert_eq!(wait([store.forget(&group(0))]), [Ok(())], "nothing to forget");
    for round in 0..30 {
        let all =
            [store.append(&group(0), record(round)), store.append(&group(1), record(round)), store.forget(&group(0))];
        assert_eq!(wait(all), [Ok(()), Ok(()), Ok(())]);
    }
    assert_eq!(wait([store.append(&group(0), record(77))]), [Ok(())]);
    let all: Vec<_> = (0..30).map(record).collect();
    let left = vec![(group(1), all), (group(0), vec![record(77)])];
    assert_eq!(store.load().unwrap(), left);
    drop(store);
    assert_eq!(load(top.path()), (left, vec![]));
}

#[test]
fn a_segment_with_little_left_in_it_is_rewritten_once() {
    let top = folder();
    let (store, _) = open(top.path(), Probe::new(|_| Ok(())));
    let mut ops = vec![Op::Append(0)];
    ops.extend((0..20).map(|_| Op::Append(1)));
    ops.push(Op::Forget(1));
    // Another segment is begun.
    ops.extend((0..20).map(|_| Op::Append(2)));
    ops.push(Op::Forget(2));
    run(&store, &ops);
    let compactions = store.stats().compactions;
    assert!((1..=9).contains(&compactions), "{compactions}");
    assert_eq!(store.load().unwrap(), expected(&ops));
}

//! Bytes that changed on the disk.

use std::fs;

use super::support::{Op, copy, expected, folder, load, names, open, run};
use crate::store::probe::Probe;
use crate::store::{FileStore, StoreError};

/// Two segments, three groups, one of which has ended and was begun anew.
fn ops() -> Vec<Op> {
    let mut ops: Vec<Op> = (0..12).map(|number| Op::Append(number % 3)).collect();
    ops.extend([Op::Forget(2), Op::Append(2)]);
    ops
}

#[test]
fn a_damaged_byte_harms_only_the_group_it_belongs_to() {
    let top = folder();
    let state = top.path().join("state");
    run(&open(&state, Probe::default()).0, &ops());
    let whole = expected(&ops());
    let logs: Vec<String> = names(&state).into_iter().filter(|name| name.ends_with(".log")).collect();
    assert!(logs.len() > 1, "{logs:?}");
    for log in logs {
        let bytes = fs::read(state.join(&log)).unwrap();
        // A prime distance: every part of a frame is hit somewhere.
        for place in (0..bytes.len()).step_by(13) {
            let dir = top.path().join("damaged");
            copy(&state, &dir);
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            fs::write(dir.join(&log), &damaged).unwrap();

            let (found, notes) = load(&dir);
            assert!(!notes.is_empty(), "{log} byte {place}");
            let mut harmed = 0;
            for (name, records) in &whole {
                let kept = found.iter().find(|(found, _)| found == name).map(|(_, kept)| kept.as_slice());
                let kept = kept.unwrap_or_default();
                assert!(records.starts_with(kept), "{log} byte {place}: {name} has a hole");
                harmed += usize::from(kept.len() < records.len());
            }
            // Either one of the groups, or the ended one came back or was garbage, or a header.
            assert!(harmed <= 1, "{log} byte {place}: {harmed} groups harmed, {notes:?}");
            assert_eq!(load(&dir), (found, vec![]), "{log} byte {place}: the second start");
            fs::remove_dir_all(dir).unwrap();
        }
    }
}

#[test]
fn a_damaged_segment_is_put_aside_as_it_was() {
    let top = folder();
    run(&open(top.path(), Probe::default()).0, &ops());
    let log = top.path().join("00000001.log");
    let mut bytes = fs::read(&log).unwrap();
    // Within the first record of a group.
    let place = bytes.windows(7).position(|text| text == b"group 0").unwrap();
    bytes[place] ^= 0x10;
    fs::write(&log, &bytes).unwrap();
    let (_, notes) = load(top.path());
    assert!(notes[0].contains("damaged bytes, put aside as") && notes[0].contains("00000001.damaged-1"), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("goes back to before it")), "{notes:?}");
    assert_eq!(fs::read(top.path().join("00000001.damaged-1")).unwrap(), bytes);
}

#[test]
fn a_file_that_is_no_log_is_put_aside() {
    let top = folder();
    fs::write(top.path().join("00000007.log"), "x".repeat(10_000)).unwrap();
    let (found, notes) = load(top.path());
    assert_eq!((found.len(), notes.len()), (0, 1), "{notes:?}");
    assert_eq!(fs::metadata(top.path().join("00000007.damaged-1")).unwrap().len(), 10_000);
    assert_eq!(load(top.path()).1, Vec::<String>::new());
}

#[test]
fn a_newer_log_is_refused_and_left_alone() {
    let top = folder();
    let mut bytes = Vec::new();
    crate::store::frame::push(&mut bytes, &[br#"{"convoke_log":7,"program":"later"}"#]);
    bytes.extend(b"something new");
    let log = top.path().join("00000001.log");
    fs::write(&log, &bytes).unwrap();
    let error = FileStore::open(top.path()).unwrap_err();
    assert_eq!(error, StoreError::Newer { path: log.clone(), found: 7, known: 2 });
    assert_eq!(fs::read(log).unwrap(), bytes);
}

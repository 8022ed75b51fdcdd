//! A disk that is full: a tiny file system in a namespace of its own, filled until an append fails.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use convoke_coordinator::store::{Entry, FileStore, Record, Store, StoreError};
use convoke_group::{GroupName, MemberName, Time};

pub(crate) fn check() {
    let top = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=256k none \"$1\" && exec \"$0\" fill \"$1\"";
    let me = std::env::current_exe().unwrap();
    let output = Command::new("unshare")
        .args(["-Urm", "sh", "-c", script])
        .args([me.as_path(), top.path()])
        .output()
        .expect("unshare (util-linux) is needed for this test");
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("all is well"), "{out}{errors}");
}

fn record(number: u64) -> Record {
    let bundle = "x".repeat(1000).into();
    Record { at: Time(Duration::from_secs(number)), entry: Entry::Bundle { member: MemberName::new("m"), bundle } }
}

/// Runs in the namespace.
pub(crate) fn fill(dir: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (group, other) = (GroupName::new("g"), GroupName::new("other"));
    let (store, _) = FileStore::open(&dir.join("state")).unwrap();
    let mut kept = 0;
    let error = loop {
        assert!(kept < 1000, "more is kept than there is room for");
        match runtime.block_on(store.append(&group, record(kept))) {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(kept > 100, "{kept} records fitted");
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(
        error.to_string().ends_with("no room to keep the state: make room, clients come again until then"),
        "{error}"
    );
    // It stays full, and says so each time; what is kept can be read.
    assert!(runtime.block_on(store.append(&group, record(kept))).is_err());
    assert_eq!(store.load().unwrap(), [(group.clone(), (0..kept).map(record).collect())]);
    drop(store);

    // A start on a full disk works too.
    let (store, notes) = FileStore::open(&dir.join("state")).unwrap();
    assert_eq!(notes, Vec::<String>::new());
    assert!(runtime.block_on(store.append(&group, record(kept))).is_err());
    make_room(dir);
    runtime.block_on(store.append(&group, record(kept))).unwrap();
    runtime.block_on(store.append(&other, record(0))).unwrap();
    drop(store);
    let (store, notes) = FileStore::open(&dir.join("state")).unwrap();
    let expected = [(group, (0..=kept).map(record).collect()), (other, vec![record(0)])];
    assert_eq!((store.load().unwrap(), notes), (expected.to_vec(), vec![]));
    println!("all is well");
}

/// Makes room.
fn make_room(dir: &Path) {
    let done = Command::new("mount").args(["-o", "remount,size=1m"]).arg(dir).status().unwrap();
    assert!(done.success());
}

//! Operations on stores, and the memory implementation as what is expected of the other.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use convoke_group::{Call, GroupName, Input, MemberName, MessageId, Quiet, RoleName, Time, WaitId};
use serde_json::json;
use tempfile::TempDir;

use crate::store::probe::Probe;
use crate::store::{Entry, FileStore, Loaded, MemoryStore, Record, Store, StoreError, StoreFuture};

/// One operation.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Append(u8),
    Forget(u8),
}

pub(super) fn group(number: u8) -> GroupName {
    GroupName::new(format!("group {number}"))
}

/// A record that no other operation makes.
pub(super) fn record(number: usize) -> Record {
    let at = Time(Duration::from_millis(number as u64 * 1001));
    let entry = match number % 7 {
        0 => Entry::Created { size: NonZeroUsize::new(number + 1).unwrap() },
        1 => {
            let (member, role) = (MemberName::new(format!("member {number}")), RoleName::new("dienst \u{1f980}"));
            Entry::Input(Input::Register { member, role })
        }
        2 => Entry::Input(Input::Call {
            wait: WaitId(u64::MAX - number as u64),
            member: MemberName::new("m"),
            call: Call::Send { message_id: MessageId::new("x\0y"), message: json!({"z": 1.5, "a": number, "b": null}) },
            deadline: Some(Time(Duration::new(number as u64, 1))),
            quiet: Quiet::Certain,
        }),
        3 => Entry::Collected { wait: WaitId(number as u64) },
        4 => Entry::Finished { member: MemberName::new("m") },
        5 => Entry::Several(vec![record(number - 1), Record { at, entry: Entry::Seen }]),
        _ => Entry::Bundle { member: MemberName::new("m"), bundle: json!([number, "\u{0}{\""]) },
    };
    Record { at, entry }
}

pub(super) fn start(store: &dyn Store, number: usize, op: &Op) -> StoreFuture {
    match op {
        Op::Append(name) => store.append(&group(*name), record(number)),
        Op::Forget(name) => store.forget(&group(*name)),
    }
}

pub(super) fn wait(futures: impl IntoIterator<Item = StoreFuture>) -> Vec<Result<(), StoreError>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut results = Vec::new();
        for future in futures {
            results.push(future.await);
        }
        results
    })
}

/// Does every operation, each after the one before was kept.
pub(super) fn run(store: &dyn Store, ops: &[Op]) {
    for (number, op) in ops.iter().enumerate() {
        assert_eq!(wait([start(store, number, op)]), [Ok(())]);
    }
}

/// What has to be there after `ops`.
pub(super) fn expected(ops: &[Op]) -> Loaded {
    let model = MemoryStore::default();
    run(&model, ops);
    model.load().unwrap()
}

/// Opens with small segments.
#[track_caller]
pub(super) fn open(dir: &Path, probe: Probe) -> (FileStore, Vec<String>) {
    FileStore::open_with(dir, 1000, probe).unwrap()
}

/// What a start finds.
#[track_caller]
pub(super) fn load(dir: &Path) -> (Loaded, Vec<String>) {
    let (store, notes) = open(dir, Probe::default());
    (store.load().unwrap(), notes)
}

/// A folder of its own: in memory, because what is checked here is what stands in files, many thousand times.
pub(super) fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Copies the log as it is at this moment.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            continue;
        }
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// The names in a folder, sorted.
pub(super) fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

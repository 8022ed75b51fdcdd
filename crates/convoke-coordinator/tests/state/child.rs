//! The child: several appenders at once, one group each, begun anew now and then. A line is printed for each record
//! after it was acknowledged: `appender generation record`; before a group is forgotten `appender generation ending`.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use convoke_coordinator::store::{Entry, FileStore, Record, Store};
use convoke_group::{GroupName, MemberName, Time};
use serde_json::json;

const APPENDERS: u64 = 8;
const RECORDS: u64 = 40;

/// Appends until it is killed. Each start goes on with the generation after the last one found.
pub(crate) fn append(dir: &Path) {
    let (store, notes) = FileStore::open(dir).unwrap();
    let found = store.load().unwrap();
    let store = Arc::new(store);
    for note in notes {
        say(&format!("note {note}"));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let mut appenders = tokio::task::JoinSet::new();
        for appender in 0..APPENDERS {
            let name = GroupName::new(format!("group {appender}"));
            let last = found.iter().find(|(found, _)| *found == name).map_or(0, |(_, records)| generation(records));
            appenders.spawn(run(store.clone(), appender, name, last + 1));
        }
        while appenders.join_next().await.is_some() {}
    });
}

async fn run(store: Arc<FileStore>, appender: u64, name: GroupName, first: u64) {
    for generation in first.. {
        say(&format!("{appender} {generation} ending"));
        store.forget(&name).await.unwrap();
        for number in 0..RECORDS {
            store.append(&name, record(generation, number)).await.unwrap();
            say(&format!("{appender} {generation} {number}"));
        }
    }
}

/// What a record of a generation says.
pub(crate) fn record(generation: u64, number: u64) -> Record {
    let entry = if number == 0 {
        Entry::Created { size: NonZeroUsize::MIN }
    } else {
        Entry::Bundle { member: MemberName::new("m"), bundle: json!({"number": number, "filler": "x".repeat(9000)}) }
    };
    Record { at: Time(Duration::from_secs(generation)), entry }
}

/// The generation that records belong to.
pub(crate) fn generation(records: &[Record]) -> u64 {
    records.last().map_or(0, |record| record.at.0.as_secs())
}

/// One line in one write, so that a kill never tears it.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

//! The parent: kills after a number of acknowledgements, and looks at what is there.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use convoke_coordinator::store::{FileStore, Store};
use convoke_group::GroupName;

use crate::child::{generation, record};

/// After how many acknowledgements each child is killed: early, late, and at places that have nothing in common.
const KILLS: [usize; 10] = [0, 1, 2, 7, 50, 333, 777, 1234, 1501, 17];

pub(crate) fn check() {
    let top = tempfile::tempdir().unwrap();
    for kill_after in KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["append", top.path().to_str().unwrap()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // By appender: the generation, and how many of its records were acknowledged.
        let mut acknowledged: HashMap<u64, (u64, u64)> = HashMap::new();
        let mut lines = 0;
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        if kill_after == 0 {
            child.kill().unwrap();
        }
        // After the kill what was printed before it is read to its end.
        for line in &mut out {
            let words: Vec<&str> = line.split(' ').collect();
            if let [appender, generation, number] = words[..] {
                let (appender, generation) = (appender.parse().unwrap(), generation.parse().unwrap());
                let count = number.parse::<u64>().map_or(0, |number| number + 1);
                acknowledged.insert(appender, (generation, count));
            }
            lines += 1;
            if lines == kill_after {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();

        let (store, notes) = FileStore::open(top.path()).unwrap();
        assert!(notes.iter().all(|note| note.contains(": cut ") || note.contains(": removed, ")), "{notes:?}");
        let found: HashMap<GroupName, _> = store.load().unwrap().into_iter().collect();
        for (appender, (last, count)) in acknowledged {
            let records =
                found.get(&GroupName::new(format!("group {appender}"))).map(Vec::as_slice).unwrap_or_default();
            let where_ =
                format!("killed after {kill_after}, group {appender}, generation {last}, {count} acknowledged");
            let expected: Vec<_> =
                (0..).map(|number| record(generation(records), number)).take(records.len()).collect();
            assert_eq!(records, expected, "{where_}: in order");
            if count > 0 {
                // The next generation may have been begun, with nothing said of it yet.
                assert_eq!(generation(records), last, "{where_}");
                assert!(records.len() as u64 >= count, "{where_}: {} are there", records.len());
                assert!(records.len() as u64 <= count + 1, "{where_}: {} are there", records.len());
            }
        }
    }
}

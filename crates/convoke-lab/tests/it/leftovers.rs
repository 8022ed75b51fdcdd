//! What is left when convoke is killed: nothing.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::console::LIMIT;
use crate::lives;

scenarios![nothing_is_left_after_a_kill];

async fn nothing_is_left_after_a_kill() {
    let seed = std::process::id();
    let mut keeper = Command::new("/proc/self/exe")
        .args(["__keep", &seed.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(keeper.stdout.take().unwrap()).lines();
    for life in 0..lives::LIVES {
        let line = tokio::time::timeout(LIMIT, lines.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("seed {seed}: after life {life} something is left"));
        assert_eq!(line.unwrap().as_deref(), Some("gone"), "seed {seed}, life {life}");
    }
    assert!(keeper.wait().await.unwrap().success());
}

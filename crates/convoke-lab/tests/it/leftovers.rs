//! What is left when convoke is killed: nothing.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::console::LIMIT;
use crate::lives;

scenarios![
    nothing_is_left_after_a_kill,
    a_refusal_names_the_setting,
    folders_with_mounts_below_are_shown,
    a_masked_proc_is_for_root_only
];

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

/// What this executable says when started for another purpose.
async fn said_by(purpose: &str) -> String {
    let output = Command::new("/proc/self/exe").arg(purpose).stdin(Stdio::null()).output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

async fn a_refusal_names_the_setting() {
    assert_eq!(
        said_by("__refused").await,
        "sandboxes need a user namespace, which this kernel refuses: \
         the limit is reached: raise user.max_user_namespaces with sysctl\n"
    );
}

async fn folders_with_mounts_below_are_shown() {
    assert_eq!(said_by("__mounts").await, "mounted\n");
}

async fn a_masked_proc_is_for_root_only() {
    let said = said_by("__masked").await;
    match rustix::process::geteuid().is_root() {
        true => assert_eq!(said, "booted\n"),
        false => assert!(said.ends_with("--security-opt systempaths=unconfined\n"), "{said}"),
    }
}

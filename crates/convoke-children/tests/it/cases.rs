//! What a stage promises.

use std::fs::File;
use std::future::Future;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::process::{Command, Stdio};

use convoke_children::{Process, Stage, StageError};
use rustix::fs::MemfdFlags;
use rustix::process::{Pid, WaitOptions};

pub(crate) type Scenario = fn() -> Pin<Box<dyn Future<Output = ()>>>;

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        pub(crate) const ALL: &[(&str, Scenario)] = &[$((stringify!($name), || Box::pin($name()))),*];
    };
}

scenarios![
    messages_and_descriptors_go_both_ways,
    a_failure_is_told_in_its_own_words,
    a_stage_that_does_not_exist,
    a_message_too_long_is_refused_and_costs_nothing,
    dropping_ends_it,
    an_orphan_takes_the_channel_over,
    foreign_programs_run,
    nothing_outlives_a_killed_starter,
];

async fn messages_and_descriptors_go_both_ways() {
    let memfd = File::from(rustix::fs::memfd_create("test", MemfdFlags::CLOEXEC).unwrap());
    let mut stage = Stage::spawn("echo", &"first", &[memfd.as_fd()]).await.unwrap();
    for text in ["first", "second", "third"] {
        if text != "first" {
            stage.send(&text, &[memfd.as_fd()]).await.unwrap();
        }
        let (answer, mut fds) = stage.recv::<String>().await.unwrap();
        assert_eq!(answer, text);
        let mut said = String::new();
        File::from(fds.pop().unwrap()).read_to_string(&mut said).unwrap();
        assert_eq!(said, "from the stage");
    }
    let (mut written, mut memfd) = (String::new(), memfd);
    memfd.rewind().unwrap();
    memfd.read_to_string(&mut written).unwrap();
    assert_eq!(written, "firstsecondthird");
    rustix::process::kill_process(Pid::from_raw(stage.pid().cast_signed()).unwrap(), rustix::process::Signal::TERM)
        .unwrap();
    assert!(!stage.wait().await.unwrap().success());
    assert!(matches!(stage.recv::<String>().await, Err(StageError::Ended { .. })));
}

async fn a_failure_is_told_in_its_own_words() {
    let mut stage = Stage::spawn("fail", &"do this", &[]).await.unwrap();
    assert_eq!(stage.recv::<String>().await.unwrap_err().to_string(), "cannot do this");
    assert_eq!(stage.wait().await.unwrap().code(), Some(1));
}

async fn a_stage_that_does_not_exist() {
    // It may have ended before it could be sent anything.
    let error = match Stage::spawn("nonsense", &(), &[]).await {
        Ok(stage) => stage.recv::<()>().await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.to_string(), "there is no stage `nonsense`");
}

async fn a_message_too_long_is_refused_and_costs_nothing() {
    let stage = Stage::spawn("echo", &"short", &[]).await.unwrap();
    stage.recv::<String>().await.unwrap();
    let error = stage.send(&"x".repeat(200_000), &[]).await.unwrap_err();
    assert!(error.to_string().contains("a control message of 200002 bytes is longer than"), "{error}");
    let long = "x".repeat(100_000);
    stage.send(&long, &[]).await.unwrap();
    assert_eq!(stage.recv::<String>().await.unwrap().0, long);
}

async fn dropping_ends_it() {
    let stage = Stage::spawn("run", &("sh", "echo $$ >/proc/self/fd/2; exec sleep 1000"), &[]).await.unwrap();
    let pidfd = rustix::process::pidfd_open(
        Pid::from_raw(stage.pid().cast_signed()).unwrap(),
        rustix::process::PidfdFlags::empty(),
    )
    .unwrap();
    let mut process = Process::new(pidfd).unwrap();
    drop(stage);
    process.wait().await.unwrap();
}

async fn an_orphan_takes_the_channel_over() {
    let mut stage = Stage::spawn("hand-over", &(), &[]).await.unwrap();
    let mut said = Vec::new();
    let mut orphan = None;
    for _ in 0..2 {
        let (text, mut fds) = stage.recv::<String>().await.unwrap();
        orphan = orphan.or(fds.pop());
        said.push(text);
    }
    said.sort();
    assert_eq!(said, ["handed over", "orphan"]);
    assert!(stage.wait().await.unwrap().success());
    // It ends with the channel and with nothing else.
    let mut orphan = Process::new(orphan.unwrap()).unwrap();
    drop(stage);
    orphan.wait().await.unwrap();
}

async fn foreign_programs_run() {
    type Answer = (Option<i32>, String, String);
    let script = "echo $ADDED; pwd; echo complaint >&2; cat; exit 3";
    let stage = Stage::spawn("run", &("sh", script), &[]).await.unwrap();
    let (answer, _) = stage.recv::<Answer>().await.unwrap();
    assert_eq!(answer, (Some(3), "yes\n/\n".into(), "complaint\n".into()));

    let stage = Stage::spawn("run", &("no-such-program", ""), &[]).await.unwrap();
    let ((code, _, complaint), _) = stage.recv::<Answer>().await.unwrap();
    assert_eq!(code, Some(127));
    assert!(complaint.starts_with("cannot run no-such-program: No such file"), "{complaint}");
}

/// A process that starts all kinds of stages, says so, and waits to be killed.
pub(crate) fn starter() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let echo = Stage::spawn("echo", &"text", &[]).await.unwrap();
        echo.recv::<String>().await.unwrap();
        let orphan = Stage::spawn("hand-over", &(), &[]).await.unwrap();
        orphan.recv::<String>().await.unwrap();
        orphan.recv::<String>().await.unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(writer);
        // A program of somebody else's that does not care for its parent. What it starts itself ends with it only in a PID
        // namespace, where fetching runs git.
        let script = "trap '' HUP TERM; echo ready >&2; exec sleep 1000";
        let run = Stage::spawn("run", &("sh", script), &[reader.as_fd()]).await.unwrap();
        let mut out = std::io::stdout();
        writeln!(out, "all started").unwrap();
        out.flush().unwrap();
        run.recv::<()>().await.unwrap();
    });
}

async fn nothing_outlives_a_killed_starter() {
    // In a process of its own, as it reaps whatever there is.
    assert!(Command::new("/proc/self/exe").arg("__keeper").status().unwrap().success());
}

/// Kills a starter and ends when nothing of it is left.
pub(crate) fn keeper() {
    // Whoever loses its parent below this process becomes its child: when there is none left, nothing is.
    rustix::process::set_child_subreaper(Some(Pid::INIT)).unwrap();
    let mut starter =
        Command::new("/proc/self/exe").arg("__starter").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(starter.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "all started\n");
    starter.kill().unwrap();
    starter.wait().unwrap();
    while rustix::process::wait(WaitOptions::empty()).is_ok() {}
}

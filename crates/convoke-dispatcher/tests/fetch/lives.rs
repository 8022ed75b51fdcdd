//! Nothing outlives a fetch: not when it is dropped, not when the process is killed.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use convoke_dispatcher::error::ErrorClass;

use crate::world::{World, entry, git, refused, url};

scenarios![
    a_dropped_fetch_ends_git,
    a_dropped_fetch_ends_a_download,
    a_killed_process_takes_git_along,
    a_missing_git_is_the_labs_fault,
    hangs_when_asked_to,
];

/// In a copy of this process: the URL to fetch from.
const HANG: &str = "FETCH_TEST_HANG";

/// Waits until the other end is closed. The limit is only there for the day this fails.
fn wait_closed(mut stream: TcpStream) {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "still connected: {error}"),
    }
}

async fn dropped(place: &str) {
    let world = World::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = place.replace("HOST", &listener.local_addr().unwrap().to_string());
    let from = if place.starts_with("git:") { git(&place) } else { url(&place) };
    let entry = entry(from, "x");
    let stream = tokio::select! {
        accepted = listener.accept() => accepted.unwrap().0,
        result = world.fetch(&entry) => panic!("{result:?}"),
    };
    // Dropped with the select.
    let stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    wait_closed(stream);
    assert_eq!(std::fs::read_dir(world.path("scratch")).unwrap().count(), 0);
}

async fn a_dropped_fetch_ends_git() {
    dropped("git://HOST/x").await;
}

async fn a_dropped_fetch_ends_a_download() {
    dropped("http://HOST/x.tar").await;
}

/// Fetches for ever, when it is the copy that is to be killed.
async fn hangs_when_asked_to() {
    let Ok(place) = std::env::var(HANG) else { return };
    let world = World::new();
    let result = world.fetch(&entry(git(&place), "x")).await;
    panic!("{result:?}");
}

fn copy(name: &str) -> Command {
    let who = if rustix::process::geteuid().is_root() { "root" } else { "user" };
    let mut command = Command::new("/proc/self/exe");
    command.args(["--exact", &format!("{who}::{name}")]).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

async fn a_killed_process_takes_git_along() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("git://{}/x", listener.local_addr().unwrap());
    let mut child = copy("hangs_when_asked_to").env(HANG, place).process_group(0).spawn().unwrap();
    let (stream, _) = listener.accept().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    wait_closed(stream);
}

async fn a_missing_git_is_the_labs_fault() {
    const MARK: &str = "FETCH_TEST_NO_GIT";
    if std::env::var_os(MARK).is_none() {
        let status = copy("a_missing_git_is_the_labs_fault").env(MARK, "1").env("PATH", "/nowhere").status().unwrap();
        assert!(status.success());
        return;
    }
    let world = World::new();
    refused(
        world.fetch(&entry(git(&world.text("scratch")), "x")).await,
        ErrorClass::Infrastructure,
        "git is not installed",
    );
}

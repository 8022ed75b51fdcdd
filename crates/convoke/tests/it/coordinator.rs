//! `convoke coordinator`: a real process on a real port.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub(crate) struct Coordinator {
    child: Child,
    log: BufReader<ChildStderr>,
    pub(crate) port: u16,
}

impl Coordinator {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    pub(crate) fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = command(arguments).envs(environment.iter().copied()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let port = loop {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "it ended before it listened");
            if let Some((_, address)) = line.trim_end().split_once("listening on ")
                && let Some((_, port)) = address.rsplit_once(':')
            {
                break port.parse().unwrap();
            }
        };
        Self { child, log, port }
    }

    /// One that logs to a file.
    pub(crate) fn start_logging(arguments: &[&str], logfile: &str) -> Self {
        let mut child = command(arguments).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let port = loop {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it listened");
            let text = std::fs::read_to_string(logfile).unwrap_or_default();
            if let Some((whole, _)) =
                text.split_once("listening on 127.0.0.1:").and_then(|(_, rest)| rest.split_once('\n'))
            {
                break whole.parse().unwrap();
            }
        };
        Self { child, log, port }
    }

    pub(crate) fn ask(&self, member: &str, request: &str) -> String {
        let json = format!(
            r#"{{"hostname": "w", "client_name": "{member}", "group_name": "g", "role": "r", "group_size": 2, "messageID": "m", "request": "{request}"}}"#
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "{:08X}{json}", json.len()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }

    pub(crate) fn signal(mut self, signal: Signal) -> (Option<i32>, String) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
        let status = self.child.wait().unwrap();
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        (status.code(), rest)
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_convoke"));
    command.arg("coordinator").args(arguments).stdin(Stdio::null());
    command
}

fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command(arguments).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

fn file(dir: &Path, text: &str) -> String {
    let path = dir.join("lava-coordinator.conf");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn it_serves_until_it_is_told_to_end() {
    let coordinator = Coordinator::start(&["--listen", "127.0.0.1:0"]);
    assert_eq!(coordinator.ask("a", "lava_wait"), "00000014{\"response\": \"wait\"}");
    assert_eq!(coordinator.ask("b", "lava_send"), "00000013{\"response\": \"ack\"}");
    let (code, log) = coordinator.signal(Signal::SIGTERM);
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("open to everybody"), "{log}");
}

#[test]
fn what_is_acknowledged_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state").display().to_string();
    let arguments = ["--listen", "127.0.0.1:0", "--state", &state];
    let first = Coordinator::start(&arguments);
    assert_eq!(first.ask("a", "lava_sync"), "00000014{\"response\": \"wait\"}");
    assert_eq!(first.ask("a", "lava_send"), "00000013{\"response\": \"ack\"}");
    first.signal(Signal::SIGKILL);
    let second = Coordinator::start(&arguments);
    assert_eq!(second.ask("b", "lava_sync"), "00000023{\"response\": \"ack\", \"message\": \"m\"}");
    second.signal(Signal::SIGKILL);
    let third = Coordinator::start(&arguments);
    assert_eq!(third.ask("a", "lava_sync"), "00000023{\"response\": \"ack\", \"message\": \"m\"}");
    assert_eq!(third.ask("b", "lava_wait"), "00000029{\"response\": \"ack\", \"message\": {\"a\": {}}}");
    third.signal(Signal::SIGTERM);
}

#[test]
fn lavas_file_and_options_listen_on_all_addresses_and_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let config =
        file(dir.path(), r#"{"port": 0, "blocksize": 4096, "poll_delay": 3, "coordinator_hostname": "localhost"}"#);
    let coordinator = Coordinator::start(&["--config", &config, "--loglevel", "DEBUG"]);
    let (_, log) = coordinator.signal(Signal::SIGTERM);
    assert!(log.contains("listening on all addresses"), "{log}");
    let logfile = dir.path().join("log");
    let ended = command(&["--config", "/nonexistent", "--logfile", logfile.to_str().unwrap()]).output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
    assert!(logfile.exists());
}

/// In a machine of its own: the port is LAVA's, and the file stands where LAVA has it.
#[test]
fn without_options_lavas_file_opens_all_addresses_and_without_it_loopback_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = file(dir.path(), r#"{"port": 3079, "coordinator_hostname": "localhost", "poll_dealy": 3}"#);
    let log = |put: &str| {
        let enter = format!(
            "set -e; ip link set lo up; mount -t tmpfs tmpfs /etc; mkdir /etc/lava-coordinator; {put} exec \"$0\" coordinator"
        );
        let mut child = Command::new("unshare")
            .args(["--map-root-user", "--mount", "--net", "sh", "-c", &enter, env!("CARGO_BIN_EXE_convoke")])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut log = String::new();
        while !log.contains("open to everybody") {
            log += &lines.next().unwrap_or_else(|| panic!("it has ended: {log}")).unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        log
    };
    let without = log("");
    assert!(without.contains("listening on 127.0.0.1:3079") && !without.contains("0.0.0.0"), "{without}");
    assert!(without.contains("listening for this machine only"), "{without}");
    let with = log(&format!("cp {file} /etc/lava-coordinator/;"));
    assert!(with.contains("listening on 0.0.0.0:3079") && with.contains("listening on all addresses"), "{with}");
    assert!(with.contains("there is no such key, it is ignored key=\"poll_dealy\""), "{with}");
    let explicit =
        log(&format!("cp {file} /etc/lava-coordinator/; set -- --listen 127.0.0.1; exec \"$0\" coordinator \"$@\";"));
    assert!(explicit.contains("listening on 127.0.0.1:3079") && !explicit.contains("0.0.0.0"), "{explicit}");
}

#[test]
fn what_keeps_it_from_starting_is_explained() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, log) = refused(&["--listen", &address]);
    assert_eq!(code, Some(3));
    assert!(log.contains(&format!("{address}: the port is in use")), "{log}");
    let dir = tempfile::tempdir().unwrap();
    let config = file(dir.path(), "{\n  \"port\": 70000\n}");
    let (code, log) = refused(&["--config", &config]);
    assert_eq!(code, Some(2));
    assert!(log.contains(&format!("{config}:2:15: the configuration cannot be read")), "{log}");
    let (code, log) = refused(&["--listen", "nowhere"]);
    assert_eq!(code, Some(2));
    assert!(log.contains("--listen nowhere: not an address"), "{log}");
}

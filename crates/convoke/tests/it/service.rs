//! The coordinator as a service: its manager, its unit and manual page, its log, its end.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::coordinator::{Coordinator, command};

fn dist(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist").join(name)
}

fn request(member: &str, request: &str, more: &str) -> String {
    let json = format!(
        r#"{{"hostname": "w", "client_name": "{member}", "group_name": "g", "role": "r", "group_size": 2, "messageID": "m", "request": "{request}"{more}}}"#
    );
    format!("{:08X}{json}", json.len())
}

/// Sends a request without closing this side.
fn held(coordinator: &Coordinator, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", coordinator.port)).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    stream
}

fn reply(mut stream: TcpStream) -> String {
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn its_manager_is_told_that_it_is_ready_alive_and_ending() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let next = || {
        let mut words = [0; 1024];
        let count = manager.recv(&mut words).unwrap();
        String::from_utf8(words[..count].to_vec()).unwrap()
    };
    let environment = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "30000")];
    let coordinator = Coordinator::start_with(&["--listen", "127.0.0.1:0"], &environment);
    assert_eq!(next(), "READY=1");
    coordinator.ask("a", "lava_sync");
    let alive = "WATCHDOG=1\nSTATUS=1 group, 1 member; 0 requests held, 1 member polling";
    while next() != alive {}
    coordinator.signal(Signal::SIGTERM);
    let mut last = next();
    while last.starts_with("WATCHDOG=1") {
        last = next();
    }
    assert_eq!(last, "STOPPING=1\nSTATUS=ending");
}

#[test]
fn held_requests_are_told_to_come_again_when_it_is_told_to_end() {
    let coordinator = Coordinator::start(&["--listen", "127.0.0.1:0"]);
    let waiting = held(&coordinator, &request("a", "lava_sync", r#", "convoke_hold_ms": 60000"#));
    // It is held once the status tells so.
    let port = coordinator.port.to_string();
    let told = || String::from_utf8(command(&["status", "--port", &port]).output().unwrap().stdout).unwrap();
    while !told().contains("1 held request,") {}
    let (code, log) = coordinator.signal(Signal::SIGTERM);
    assert_eq!(
        (code, reply(waiting).as_str()),
        (Some(0), "0000002A{\"response\": \"wait\", \"convoke_held\": true}"),
        "{log}"
    );
}

#[test]
fn the_log_says_who_is_refused_and_why() {
    let coordinator = Coordinator::start(&["--listen", "127.0.0.1:0"]);
    let wait = "00000014{\"response\": \"wait\"}";
    coordinator.ask("a", "group_data");
    coordinator.ask("b\\n2026 INFO forged", "group_data");
    assert_eq!(coordinator.ask("a", "lava_sync"), wait);
    // LAVA's word that a member has finished is no promise that it does nothing more.
    coordinator.ask("b\\n2026 INFO forged", "clear_group");
    assert_eq!(coordinator.ask("a", "lava_sync"), wait);
    let gone = request("b\\n2026 INFO forged", "clear_group", r#", "convoke_leave": "its device was lost""#);
    assert!(reply(held(&coordinator, &gone)).contains("ack"));
    assert_eq!(coordinator.ask("a", "lava_sync"), "00000014{\"response\": \"nack\"}");
    assert!(coordinator.ask("stranger", "lava_wait").contains("nack"));
    let (_, log) = coordinator.signal(Signal::SIGTERM);
    let line = |words: &str| log.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{words}: {log}"));
    let lost = line("left without arriving: its device was lost");
    assert!(lost.contains(" INFO nack peer=127.0.0.1:"), "{lost}");
    assert!(
        lost.contains(r#" group="g" member="a" call="lava_sync" id="m" why="lava-sync m of a (r) can no longer be"#),
        "{lost}"
    );
    let stranger = line("the group is complete with 2 members");
    assert!(stranger.contains(r#" member="stranger" call="lava_wait" id="m" "#), "{stranger}");
    assert!(!log.lines().any(|line| line.starts_with("2026 INFO forged")), "{log}");
}

#[test]
fn a_flood_of_broken_requests_is_left_out_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let logfile = dir.path().join("log").display().to_string();
    let coordinator = Coordinator::start_logging(&["--listen", "127.0.0.1:0", "--logfile", &logfile], &logfile);
    for _ in 0..6_000 {
        drop(TcpStream::connect(("127.0.0.1", coordinator.port)).unwrap().write_all(b"nonsense"));
    }
    coordinator.ask("a", "group_data");
    coordinator.signal(Signal::SIGTERM);
    let log = std::fs::read_to_string(&logfile).unwrap();
    let lines = log.lines().filter(|line| line.contains("closed without a request")).count();
    assert!((4_000..5_900).contains(&lines), "{lines}");
}

#[test]
fn a_log_that_nobody_reads_stops_nobody() {
    let coordinator = Coordinator::start(&["--listen", "127.0.0.1:0", "--loglevel", "DEBUG"]);
    // Some 250 bytes of log each, into a pipe that takes 64 KiB.
    for _ in 0..500 {
        assert_eq!(coordinator.ask("a", "lava_send"), "00000013{\"response\": \"ack\"}");
    }
    coordinator.signal(Signal::SIGTERM);
}

#[test]
fn it_takes_no_more_connections_than_it_may_have_open_files() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("conf");
    std::fs::write(&config, r#"{"port": 0}"#).unwrap();
    let log = |files: &str| {
        let program = env!("CARGO_BIN_EXE_convoke");
        let mut child = Command::new("prlimit")
            .args([files, program, "coordinator", "--config", config.to_str().unwrap(), "--logfile", "-"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while !said.contains("open to everybody") {
            said += &lines.next().unwrap().unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        said
    };
    let lowered = "max_connections is 372 and not 16384: the system allows 500 open files";
    assert!(log("--nofile=300:500").contains(lowered));
    // What is only the soft limit is raised.
    assert!(!log("--nofile=300:17000").contains("max_connections"));
}

#[test]
fn a_configuration_of_wrong_types_is_refused_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lava-coordinator.conf");
    for (text, place, words) in [
        ("{\n  \"port\": \"3079\"\n}", "2:16", "invalid type: string \"3079\""),
        ("{\"max_group_ids\": -1}", "1:20", "invalid value: integer `-1`"),
        ("{\"max_connections\": 1.5}", "1:23", "invalid type: floating point"),
        ("{\"require_token\": \"no\"}", "1:22", "expected a boolean"),
        ("{\n\"port\": 3079,\n}", "3:1", "trailing comma"),
        ("\n [3079]", "2:2", "not an object"),
        ("", "1:1", "EOF"),
    ] {
        std::fs::write(&path, text).unwrap();
        let output = command(&["--config", path.to_str().unwrap()]).output().unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}: {log}");
        assert!(log.contains(&format!("{}:{place}: ", path.display())) && log.contains(words), "{text}: {log}");
    }
}

/// The options that the command says it has.
fn options(arguments: &[&str]) -> BTreeSet<String> {
    let help = command(&[arguments, &["--help"]].concat()).output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    let lines = help.lines().map(str::trim_start).filter_map(|line| line.strip_prefix("-h, ").or(Some(line)));
    let names = lines.filter_map(|line| line.strip_prefix("--")?.split([' ', ',']).next().map(ToOwned::to_owned));
    names.filter(|name| !["help", "color"].contains(&name.as_str())).collect()
}

#[test]
fn the_manual_page_names_every_option_and_no_other_and_docs_name_them_too() {
    let page = std::fs::read_to_string(dist("convoke-coordinator.8")).unwrap();
    let after = |words: &str| -> BTreeSet<String> {
        let named = page.lines().filter_map(|line| line.split(words).nth(1));
        named.map(|rest| rest.split([' ', ',']).next().unwrap().to_owned()).collect()
    };
    let all: BTreeSet<String> = options(&[]).union(&options(&["status"])).cloned().collect();
    assert!(all.contains("metrics") && all.contains("waiting"), "{all:?}");
    assert_eq!(after(".It Fl -"), all);
    assert_eq!(after("Op Fl -").union(&BTreeSet::from(["all".to_owned()])).cloned().collect::<BTreeSet<_>>(), all);
    let told = std::fs::read_to_string(dist("../docs/coordinator.md")).unwrap();
    for option in &all {
        assert!(told.contains(&format!("--{option}")), "docs/coordinator.md does not name --{option}");
    }
    let lint =
        Command::new("mandoc").args(["-Tlint", "-W", "warning"]).arg(dist("convoke-coordinator.8")).output().unwrap();
    assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stdout));
}

#[test]
fn the_unit_is_one_and_gives_the_service_little() {
    let unit = std::fs::read_to_string(dist("convoke-coordinator.service")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("convoke-coordinator.service");
    std::fs::write(&path, unit.replace("/usr/bin/convoke", env!("CARGO_BIN_EXE_convoke"))).unwrap();
    let analyze = |arguments: &[&str]| {
        let output = Command::new("systemd-analyze").args(arguments).arg(&path).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    assert_eq!(analyze(&["verify", "--man=no"]), (true, String::new()));
    // From 0, nothing, to 100, everything.
    let (fine, said) = analyze(&["security", "--offline=true", "--threshold=20", "--no-pager"]);
    assert!(fine, "{said}");
}

//! `convoke coordinator status` of a coordinator that runs.

use std::process::Output;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::coordinator::{Coordinator, command};

fn status(coordinator: &Coordinator, more: &[&str]) -> (Option<i32>, String, String) {
    let port = coordinator.port.to_string();
    let arguments: Vec<&str> = ["status", "--port", &port].into_iter().chain(more.iter().copied()).collect();
    let Output { status, stdout, stderr } = command(&arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn document(coordinator: &Coordinator, more: &[&str]) -> Value {
    let (code, text, stderr) = status(coordinator, &[&["--json"], more].concat());
    assert_eq!(code, Some(0), "{stderr}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn it_names_who_waits_for_whom() {
    let coordinator = Coordinator::start(&["--listen", "127.0.0.1:0"]);
    coordinator.ask("a", "lava_sync");
    let (code, text, _) = status(&coordinator, &[]);
    assert_eq!(code, Some(0));
    assert!(text.contains("1 group (0 complete), 1 member (0 finished)"), "{text}");
    assert!(text.contains("lava-sync m: a waits\n    not arrived: 1 member that did not register\n"), "{text}");
    coordinator.ask("b", "lava_send");
    let found = document(&coordinator, &[]);
    assert_eq!(found["totals"]["polling"], 1);
    let group = &found["groups"][0];
    assert_eq!((&group["name"], &group["size"]), (&"g".into(), &2.into()));
    assert_eq!((&group["members"][0]["does"], &group["members"][1]["does"]), (&"polls".into(), &"works".into()));
    let wait = &group["waits"][0];
    assert_eq!(
        (&wait["request"], &wait["message_id"], &wait["satisfied"]),
        (&"lava_sync".into(), &"m".into(), &false.into())
    );
    assert_eq!((&wait["waiting"][0]["member"], &wait["missing"]), (&"a".into(), &serde_json::json!(["b"])));
    // Asked again it still waits since the first time; released, and not asking again, it lacks nobody.
    coordinator.ask("a", "lava_sync");
    let again = document(&coordinator, &["--waiting"]);
    assert_eq!(again["groups"][0]["waits"][0]["waiting"][0]["since"], wait["waiting"][0]["since"]);
    assert_ne!(again["groups"][0]["waits"][0]["waiting"][0]["asked"], wait["waiting"][0]["asked"]);
    coordinator.ask("b", "lava_sync");
    let satisfied = document(&coordinator, &[]);
    assert_eq!(satisfied["groups"][0]["waits"][0]["satisfied"], true);
    coordinator.ask("a", "clear_group");
    assert_eq!(document(&coordinator, &[])["groups"][0]["members"][0]["does"], "finished");
    assert_eq!(document(&coordinator, &["other"])["groups"], serde_json::json!([]));
    coordinator.signal(Signal::SIGTERM);
}

#[test]
fn it_says_when_there_is_nobody_to_ask() {
    let coordinator = Coordinator::start(&["--listen", "127.0.0.1:0"]);
    let port = coordinator.port.to_string();
    coordinator.signal(Signal::SIGKILL);
    let Output { status, stderr, .. } = command(&["status", "--port", &port]).output().unwrap();
    assert_eq!(status.code(), Some(3));
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(stderr.contains(&format!("listens on port {port} runs on this machine")), "{stderr}");
}

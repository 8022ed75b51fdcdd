//! Debian's lava-dispatcher at a coordinator: two real `lava-run` with a QEMU machine each, as a black box. Each runs in
//! namespaces of its own, where the fixed path of the coordinator's address holds ours and nothing outlives the test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::dispatch::{Coordinator, wait_for};
use crate::harness::{Place, Running, User, fixture, repository};

const ROLES: [&str; 2] = ["server", "client"];

/// Every call of the API; `start` is a barrier three times over. Nobody comes to a barrier before the other has left the last
/// one, which is made sure by what they exchange between: LAVA's coordinator lets who comes earlier through at once.
const SERVER: &[&str] = &[
    "lava-sync start",
    r#"lava-send ready zone=b note="two words""#,
    "lava-wait done",
    "sed 's/^/cache /' /tmp/lava_multi_node_cache.txt",
    "lava-sync start",
    "lava-send both n=1",
    "lava-wait-all both",
    "sort /tmp/lava_multi_node_cache.txt | sed 's/^/all /'",
    "lava-sync start",
];
const CLIENT: &[&str] = &[
    "lava-sync start",
    "lava-wait-all ready server",
    "sed 's/^/cache /' /tmp/lava_multi_node_cache.txt",
    "lava-send done result=42",
    "lava-sync start",
    "lava-send both n=2",
    "lava-wait-all both",
    "sort /tmp/lava_multi_node_cache.txt | sed 's/^/all /'",
    "lava-sync start",
];

/// What `lava-run` says of a member: `CASE RESULT` of its test suite and of the job, and the lines that the steps mark.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    results: Vec<String>,
    marked: Vec<String>,
}

fn expected() -> [Said; 2] {
    let said = |results: &[&str], marked: &[&str]| Said {
        results: results.iter().map(|&line| line.into()).collect(),
        marked: marked.iter().map(|&line| line.into()).collect(),
    };
    let server = [
        "multinode-sync-start pass",
        "multinode-send-ready pass",
        "multinode-wait-done pass",
        "multinode-sync-start pass",
        "multinode-send-both pass",
        "multinode-wait_all-both pass",
        "multinode-sync-start pass",
        "0_serve pass",
        "job pass",
    ];
    let client = [
        "multinode-sync-start pass",
        "multinode-wait_all-ready pass",
        "multinode-send-done pass",
        "multinode-sync-start pass",
        "multinode-send-both pass",
        "multinode-wait_all-both pass",
        "multinode-sync-start pass",
        "0_ask pass",
        "job pass",
    ];
    let all = ["all 9101:n=1", "all 9102:n=2"];
    [
        said(&server, &[&["cache 9102:result=42"], all.as_slice()].concat()),
        said(&client, &[&["cache 9101:zone=b", "cache 9101:note=two words"], all.as_slice()].concat()),
    ]
}

/// Splits the job and puts in what LAVA's server adds: who is in the group.
fn members(place: &Place, server: &[&str], client: &[&str]) {
    let images = std::fs::canonicalize(repository()).unwrap().join("target/images");
    assert!(images.join("built-from").exists(), "there are no guest images: `cargo xtask images` builds them once");
    let job = std::fs::read_to_string(fixture("lava-run/job.yaml")).unwrap();
    let job = job.replace("IMAGES", images.to_str().unwrap());
    let job = job.replace("SERVER", &json!(server).to_string()).replace("CLIENT", &json!(client).to_string());
    let job = place.write("job.yaml", job);
    let split = place.convoke(&["split", job.to_str().unwrap(), "--group-id", "one"]);
    assert_eq!(split.code, Some(0), "{}", split.stderr);
    let mut split: Value = serde_json::from_str(&split.stdout).unwrap();
    for role in ROLES {
        let member = &mut split["roles"][role][0];
        member["protocols"]["lava-multinode"]["roles"] = json!({"9101": "server", "9102": "client"});
        place.write(&format!("{role}.yaml"), member.to_string());
    }
    place.write("dispatcher.yaml", "dispatcher_ip: 127.0.0.1\n");
    place.write("device.yaml", std::fs::read(fixture("lava-run/device.yaml")).unwrap());
}

/// Entered as PID 1: ends with its parent, and everything in it with it. Configuration and work folder are its own.
const ENTER: &str = "set -e
mount --bind coordinator.conf /etc/lava-coordinator/lava-coordinator.conf
mount -t tmpfs tmpfs /var/lib/lava/dispatcher
mkdir /var/lib/lava/dispatcher/tmp
exec lava-run --job-id \"$1\" --output-dir \"$2\" --device device.yaml --dispatcher dispatcher.yaml \"$2.yaml\"";

/// Starts the `lava-run` of a role; what it says goes to `ROLE.log`.
fn lava_run(place: &Place, coordinator: &Coordinator, role: &str) -> Running {
    let (_, port) = coordinator.address.rsplit_once(':').unwrap();
    place.write(
        "coordinator.conf",
        format!(r#"{{"port": {port}, "blocksize": 4096, "poll_delay": 1, "coordinator_hostname": "127.0.0.1"}}"#),
    );
    let id = if role == "server" { "9101" } else { "9102" };
    let log = File::create(place.path(&format!("{role}.log"))).unwrap();
    let child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "unshare", "--map-root-user", "--mount", "--pid", "--mount-proc", "--fork"])
        .args(["--kill-child", "sh", "-c", ENTER, "sh", id, role])
        .current_dir(place.path(""))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .expect("lava-run and util-linux are installed by `cargo xtask setup`");
    Running(child)
}

/// Waits for the end of a role's `lava-run` and reads what it said.
fn said(place: &Place, role: &str, running: Running) -> Said {
    running.wait();
    let text = std::fs::read_to_string(place.path(&format!("{role}.log"))).unwrap();
    let lines: Vec<Value> = text.lines().filter_map(parse).collect();
    let level = |name: &'static str| lines.iter().filter(move |line| line["lvl"] == name).map(|line| &line["msg"]);
    let suites = |msg: &&Value| msg["definition"] != "lava" || msg["case"] == "job" || msg["repository"].is_object();
    let results = level("results")
        .filter(suites)
        .map(|msg| format!("{} {}", msg["case"].as_str().unwrap(), msg["result"].as_str().unwrap()))
        .collect();
    let printed = level("target").filter_map(Value::as_str).map(str::trim_end);
    let mark = |line: &&str| ["cache ", "all ", "Error:"].iter().any(|mark| line.starts_with(mark));
    let marked = printed.filter(mark).map(str::to_owned);
    let said = Said { results, marked: marked.collect() };
    assert!(said.results.iter().any(|line| line.starts_with("job ")), "{role} has no end:\n{text}");
    said
}

/// A line of the log. It is YAML: what LAVA marks with `!` is text in quotes.
fn parse(line: &str) -> Option<Value> {
    serde_json::from_str(&line.replace(": ! \"", ": \"")).ok()
}

fn log_of(place: &Place) -> PathBuf {
    place.path("coordinator.log")
}

fn exchange(place: &Place, coordinator: &Coordinator) -> [Running; 2] {
    members(place, SERVER, CLIENT);
    ROLES.map(|role| lava_run(place, coordinator, role))
}

#[track_caller]
fn exchanged(place: &Place, mut coordinator: Coordinator, running: [Running; 2], log: &Path, ended: &str) {
    let [server, client] = running;
    assert_eq!([said(place, "server", server), said(place, "client", client)], expected());
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains(ended), "both have left the group:\n{log}");
    coordinator.lives();
}

#[test]
fn two_lava_runs_meet_at_lavas_coordinator() {
    let place = Place::new(User::Root);
    let coordinator = Coordinator::lava(&place);
    let running = exchange(&place, &coordinator);
    exchanged(&place, coordinator, running, &log_of(&place), "Clearing group data for one");
}

#[test]
fn two_lava_runs_meet_at_our_coordinator() {
    let place = Place::new(User::Root);
    let coordinator = Coordinator::ours(&place);
    let running = exchange(&place, &coordinator);
    exchanged(&place, coordinator, running, &log_of(&place), r#"ended group="one""#);
}

#[test]
fn two_lava_runs_do_not_notice_that_our_coordinator_is_killed_and_restarted() {
    let place = Place::new(User::Root);
    let coordinator = Coordinator::ours(&place);
    let running = exchange(&place, &coordinator);
    // One waits at the barrier; then one waits for a message.
    wait_for(&log_of(&place), r#""lava_sync""#);
    let coordinator = coordinator.killed_and_restarted(&place);
    wait_for(&log_of(&place), r#""lava_wait""#);
    let coordinator = coordinator.killed_and_restarted(&place);
    exchanged(&place, coordinator, running, &log_of(&place), r#"ended group="one""#);
}

/// A misspelt role ends Debian's coordinator, and every group with it. Ours refuses that one call and says why. LAVA's helper
/// prints the refusal and ends with status 0, so it is the step after it that fails, and its suite with it.
#[test]
fn a_misspelt_role_is_refused_to_lava_run_and_costs_one_suite() {
    let place = Place::new(User::Root);
    let mut coordinator = Coordinator::ours(&place);
    members(
        &place,
        &["lava-send ready zone=b", "lava-sync start"],
        &[
            "lava-sync start",
            "lava-wait-all ready sevrer",
            "grep zone= /tmp/lava_multi_node_cache.txt",
            "lava-send done",
        ],
    );
    let [server, client] = ROLES.map(|role| lava_run(&place, &coordinator, role));
    let refusal = "Error:no-response  nack, Exit from LAVA_WAIT_ALL!";
    let server = said(&place, "server", server);
    assert_eq!(server.results, ["multinode-send-ready pass", "multinode-sync-start pass", "0_serve pass", "job pass"]);
    let client = said(&place, "client", client);
    // A suite whose step failed has no result in LAVA, and what is refused counts as done.
    assert_eq!(client.results, ["multinode-sync-start pass", "multinode-wait_all-ready pass", "job pass"]);
    assert_eq!(client.marked, [refusal]);
    let log = std::fs::read_to_string(log_of(&place)).unwrap();
    assert!(log.contains("no member of the group has the role sevrer"), "{log}");
    assert!(log.contains(r#"ended group="one""#), "{log}");
    coordinator.lives();
}

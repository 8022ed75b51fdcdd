//! `convoke dispatch`: two of them meet at a coordinator of another program. Debian's lava-coordinator is a black box here:
//! started with its own configuration, spoken to over its port.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{Ended, Place, Run, Running, User, fixture};
use crate::machines;

/// Two members that exchange messages and sync. Each prints its cache file, line by line behind a mark.
pub(crate) const JOB: &str = r#"
job_name: two dispatchers
timeouts: {job: {minutes: 2}, action: {minutes: 2}}
visibility: public
priority: medium
protocols:
  lava-multinode:
    timeout: {minutes: 1}
    roles:
      server: {device_type: sandbox, count: 1}
      client: {device_type: sandbox, count: 1}
actions:
- deploy: {role: [server, client], to: sandbox}
- boot: {role: [server, client], method: sandbox}
- test:
    role: server
    definitions:
    - from: inline
      name: serve
      path: serve.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: serve}
        run:
          steps:
          - lava-send ready zone=b note="two words, größer" area= eq="a=b"
          - lava-sync middle
          - lava-wait thanks
          - sed 's/^/cache /' /tmp/lava_multi_node_cache.txt
          - lava-sync middle
- test:
    role: client
    definitions:
    - from: inline
      name: ask
      path: ask.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: ask}
        run:
          steps:
          - lava-wait-all ready server
          - sed 's/^/cache /' /tmp/lava_multi_node_cache.txt
          - lava-group | sort | sed 's/^/group /'
          - lava-sync middle
          - lava-send thanks n=1
          - lava-sync middle
"#;

const DEVICE: &str = "{name: box-1, type: sandbox}\n";

/// A coordinator that runs beside the test.
pub(crate) struct Coordinator {
    pub(crate) address: String,
    process: Child,
}

impl Coordinator {
    /// Debian's, on a port that was free a moment ago. Dispatchers wait for it to come up.
    pub(crate) fn lava(place: &Place) -> Coordinator {
        let port = free_port();
        let config =
            format!(r#"{{"port": {port}, "blocksize": 4096, "poll_delay": 1, "coordinator_hostname": "localhost"}}"#);
        let config = place.write("coordinator.conf", config);
        let mut command = Command::new("lava-coordinator");
        command
            .args(["--loglevel", "DEBUG", "--logfile"])
            .arg(place.path("coordinator.log"))
            .arg("--config")
            .arg(config);
        let process = ends_with_the_test(&command)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("lava-coordinator is installed by `cargo xtask setup`");
        Coordinator { address: format!("127.0.0.1:{port}"), process }
    }

    /// Ours, on loopback, keeping what it acknowledges.
    pub(crate) fn ours(place: &Place) -> Coordinator {
        Coordinator::ours_at(place, format!("127.0.0.1:{}", free_port()))
    }

    fn ours_at(place: &Place, address: String) -> Coordinator {
        let arguments = ["coordinator", "--listen", &address, "--state", "state", "--loglevel", "DEBUG"];
        let mut command = ends_with_the_test(&place.command(&arguments));
        command.args(["--logfile", "coordinator.log"]).stdout(Stdio::null()).stderr(Stdio::null());
        Coordinator { process: command.spawn().unwrap(), address }
    }

    /// Kills it without a word and starts it again.
    pub(crate) fn killed_and_restarted(mut self, place: &Place) -> Coordinator {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        Coordinator::ours_at(place, self.address.clone())
    }

    #[track_caller]
    pub(crate) fn lives(&mut self) {
        assert_eq!(self.process.try_wait().unwrap(), None, "the coordinator has died");
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The same program, killed by the kernel when the test's thread ends, however it ends.
pub(crate) fn ends_with_the_test(command: &Command) -> Command {
    let mut bound = Command::new("setpriv");
    bound.args(["--pdeathsig", "KILL"]);
    // A change of user would undo it, so it is part of the same step.
    if command.get_program() != "setpriv" {
        bound.arg(command.get_program());
    }
    bound.args(command.get_args()).stdin(Stdio::null());
    if let Some(folder) = command.get_current_dir() {
        bound.current_dir(folder);
    }
    bound.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    bound
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Splits the job and puts each member's job and the device into files.
pub(crate) fn members(place: &Place, job: &str, group: &str) {
    place.write("device.yaml", DEVICE);
    let job = place.write("job.yaml", job);
    let split = place.convoke(&["split", job.to_str().unwrap(), "--group-id", group]);
    let split: Value = serde_json::from_str(&split.stdout).unwrap();
    for (role, members) in split["roles"].as_object().unwrap() {
        place.write(&format!("{role}.yaml"), members[0].to_string());
    }
}

fn dispatch(place: &Place, role: &str, coordinator: &Coordinator, output: &str) -> Command {
    let member = format!("{role}.yaml");
    place.command(&[
        "dispatch",
        &member,
        "--device",
        "device.yaml",
        "--coordinator",
        &coordinator.address,
        "--poll-delay",
        "0.1",
        "--output",
        output,
    ])
}

/// Runs both members to their ends.
fn both(place: &Place, coordinator: &Coordinator, suffix: &str) -> [Run; 2] {
    let runs = ["server", "client"].map(|role| {
        let output = format!("{role}{suffix}");
        (dispatch(place, role, coordinator, &output).spawn().unwrap(), place.path(&output))
    });
    runs.map(|(child, dir)| Run { ended: Ended::from(child.wait_with_output().unwrap()), dir })
}

/// The lines of a member's console that begin with `mark`.
fn marked(run: &Run, folder: &str, mark: &str) -> Vec<String> {
    let console = run.file(&format!("members/{folder}/console.log"));
    console.lines().filter_map(|line| Some(line.trim_end().strip_prefix(mark)?.trim_start().to_owned())).collect()
}

#[track_caller]
pub(crate) fn exchanged([server, client]: &[Run; 2]) {
    server.expect(0).has("server", "multinode-wait-thanks", "pass", 1).has(
        "server",
        "multinode-sync-middle",
        "pass",
        2,
    );
    client.expect(0).has("client", "multinode-wait_all-ready", "pass", 1);
    assert_eq!(marked(server, "0-server", "cache "), ["2:n=1"]);
    let ready = ["1:zone=b", "1:note=two words, größer", "1:area=", "1:eq=a=b"];
    assert_eq!(marked(client, "1-client", "cache "), ready);
    assert_eq!(marked(client, "1-client", "group "), ["1\tserver", "2\tclient"]);
}

#[test]
fn two_dispatchers_meet_at_lavas_coordinator() {
    let place = Place::new(User::Ordinary);
    members(&place, JOB, "one");
    let mut coordinator = Coordinator::lava(&place);
    let runs = both(&place, &coordinator, "");
    exchanged(&runs);
    coordinator.lives();
    let log = std::fs::read_to_string(place.path("coordinator.log")).unwrap();
    assert!(log.contains("Clearing group data for one"), "both have left the group:\n{log}");

    // The files are those of a run, and all come from the journal.
    let dir = &runs[1].dir;
    for file in ["results.yaml", "junit.xml", "results.tap", "report.html", "members/1-client/definition.yaml"] {
        assert!(dir.join(file).exists(), "{file}");
    }
    let before = runs[1].file("results.yaml");
    std::fs::remove_file(dir.join("results.yaml")).unwrap();
    assert_eq!(place.convoke(&["report", dir.to_str().unwrap()]).code, Some(0));
    assert_eq!(runs[1].file("results.yaml"), before);
}

/// Machines with kernels of their own, whose messages go over their serial lines.
#[test]
fn two_dispatchers_of_machines_meet_at_lavas_coordinator() {
    let place = Place::new(User::Root);
    let server: &[&str] = &[
        r#"lava-send ready zone=b note="two words, größer" area= eq="a=b""#,
        "lava-sync middle",
        "lava-wait thanks",
        "sed 's/^/cache /' /tmp/lava_multi_node_cache.txt",
        "lava-sync middle",
    ];
    let client: &[&str] = &[
        "lava-wait-all ready server",
        "sed 's/^/cache /' /tmp/lava_multi_node_cache.txt",
        "lava-group | sort | sed 's/^/group /'",
        "lava-sync middle",
        "lava-send thanks n=1",
        "lava-sync middle",
    ];
    let job = machines::group_job(&[("server", server), ("client", client)]);
    members(&place, &job.to_string(), "one");
    place.write("device.yaml", std::fs::read(fixture("lava-run/device.yaml")).unwrap());
    let mut coordinator = Coordinator::lava(&place);
    let runs = both(&place, &coordinator, "");
    exchanged(&runs);
    for run in &runs {
        assert!(run.lava_results().iter().any(|found| found.case == "kernel-messages" && found.result == "pass"));
    }
    coordinator.lives();
    let log = std::fs::read_to_string(place.path("coordinator.log")).unwrap();
    assert!(log.contains("Clearing group data for one"), "both have left the group:\n{log}");
}

/// A guest's device is another member's, which is not here.
#[test]
fn guests_are_not_dispatched() {
    let place = Place::new(User::Ordinary);
    let guest = "{connection: ssh, count: 1, host_role: server, expect_role: server, request: lava-start}";
    let job = JOB
        .replace("client: {device_type: sandbox, count: 1}", &format!("client: {guest}"))
        .replace("role: [server, client], to: sandbox}", "role: [server], to: sandbox}\n- deploy: {role: [client], to: ssh, protocols: \
            {lava-multinode: [{action: prepare-scp-overlay, request: lava-wait, messageID: ready, message: {ip: $zone}}]}}")
        .replace("role: [server, client], method: sandbox}", "role: [server], method: sandbox}\n- boot: {role: [client], method: ssh, \
            prompts: ['# '], parameters: {hostID: ready, host_key: ip}}");
    members(&place, &job, "one");
    let arguments =
        ["dispatch", "client.yaml", "--device", "device.yaml", "--coordinator", "localhost:1", "--output", "out"];
    let ended = place.convoke(&arguments);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    let why = "role client is a connection to another member's device, and that is not here: run the whole group";
    assert!(ended.stderr.contains(why), "{}", ended.stderr);
    assert!(!place.path("out").exists());
}

#[test]
fn two_dispatchers_meet_at_our_coordinator() {
    let place = Place::new(User::Ordinary);
    members(&place, JOB, "one");
    let mut coordinator = Coordinator::ours(&place);
    let runs = both(&place, &coordinator, "");
    exchanged(&runs);
    coordinator.lives();
}

#[test]
fn dispatchers_do_not_notice_that_our_coordinator_is_killed_and_restarted() {
    let place = Place::new(User::Root);
    members(&place, JOB, "one");
    let coordinator = Coordinator::ours(&place);
    let log = place.path("coordinator.log");
    let server = dispatch(&place, "server", &coordinator, "server").spawn().unwrap();
    wait_for(&log, "group_data");
    let coordinator = coordinator.killed_and_restarted(&place);
    let client = dispatch(&place, "client", &coordinator, "client").spawn().unwrap();
    wait_for(&log, "lava_sync");
    let mut coordinator = coordinator.killed_and_restarted(&place);
    let ended = |child: Child, dir: &str| Run { ended: child.wait_with_output().unwrap().into(), dir: place.path(dir) };
    exchanged(&[ended(server, "server"), ended(client, "client")]);
    coordinator.lives();
}

/// The server waits for a message that the client ends without sending. Our coordinator knows that it cannot come; the
/// limit of the wait is longer than that of the test.
#[test]
fn who_ends_at_our_coordinator_is_told_to_who_waits_for_it() {
    let place = Place::new(User::Root);
    let job = JOB.replace("lava-wait thanks", "lava-wait-all never client");
    // The client goes without the last sync.
    let (job, _) = job.rsplit_once("          - lava-sync middle").unwrap();
    members(&place, job, "one");
    let coordinator = Coordinator::ours(&place);
    let [server, client] = both(&place, &coordinator, "");
    client.expect(0);
    server.expect(1).has("server", "multinode-wait_all-never", "fail", 1);
    let journal = server.journal();
    let reasons: Vec<&str> = journal.iter().filter_map(|event| event["reason"].as_str()).collect();
    let who = "lava-wait-all never client of 1 (server) can no longer be satisfied: 2 (client) left without sending: its job ended";
    assert_eq!(reasons, [who]);
}

#[test]
fn a_cancelled_dispatcher_leaves_the_group_and_lavas_coordinator_lives() {
    let place = Place::new(User::Root);
    members(&place, JOB, "one");
    let mut coordinator = Coordinator::lava(&place);
    // Alone in its group it waits for the other.
    let mut command = dispatch(&place, "server", &coordinator, "alone");
    let waiting = Running(command.stdout(Stdio::piped()).spawn().unwrap());
    let log = place.path("coordinator.log");
    wait_for(&log, "Waiting for 1 more clients to connect to one group");
    waiting.signal(Signal::SIGTERM);
    assert_eq!(waiting.wait().code(), Some(130));
    wait_for(&log, "Clearing group data for one");
    coordinator.lives();
    members(&place, JOB, "two");
    exchanged(&both(&place, &coordinator, "-again"));
    coordinator.lives();
}

/// Returns when a file of another program has `text`.
pub(crate) fn wait_for(path: &std::path::Path, text: &str) {
    let tail = Command::new("sh")
        .args(["-c", "timeout 180 tail -n +1 -F \"$1\" 2>/dev/null | grep -q -m 1 -F \"$2\"", "sh"])
        .arg(path)
        .arg(text)
        .status()
        .unwrap();
    assert!(tail.success(), "{} never said: {text}", path.display());
}

#[test]
fn what_cannot_be_dispatched_is_said_with_status_2() {
    let place = Place::new(User::Root);
    members(&place, JOB, "one");
    place.write(
        "single.yaml",
        "{job_name: s, device_type: sandbox, timeouts: {job: {minutes: 1}}, actions: [{deploy: {to: sandbox}}]}\n",
    );
    place.write("other.yaml", "{name: board-1, type: panda}\n");
    place.write("bad.yaml", "{name: board-1, type: sandbox, colour: red}\n");
    let server: Value = serde_json::from_str(&std::fs::read_to_string(place.path("server.yaml")).unwrap()).unwrap();
    let mut assigned = server.clone();
    assigned["protocols"]["lava-multinode"]["roles"] = serde_json::json!({"41": "server", "42": "server"});
    place.write("assigned.yaml", assigned.to_string());
    std::fs::create_dir(place.path("taken")).unwrap();
    place.write("taken/journal.jsonl", "");
    let usual = ["server.yaml", "device.yaml", "localhost:1", "out"];
    for (at, value, says) in [
        (0, "nothing.yaml", "`nothing.yaml` does not exist"),
        (0, "job.yaml", "is this a whole job? split it first"),
        (0, "single.yaml", "use `convoke run`"),
        (0, "assigned.yaml", "give its id with --job-id"),
        (1, "other.yaml", "panda"),
        (1, "bad.yaml", "unknown key `colour`"),
        (2, "localhost:port", "`port` is no port"),
        (3, "taken", "already holds a run"),
    ] {
        let mut words = usual;
        words[at] = value;
        let [member, device, coordinator, output] = words;
        let arguments = ["dispatch", member, "--device", device, "--coordinator", coordinator, "--output", output];
        let ended = place.convoke(&arguments);
        assert_eq!(ended.code, Some(2), "{value}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{value}: {}", ended.stderr);
    }
}

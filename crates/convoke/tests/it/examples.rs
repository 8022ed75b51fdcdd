//! Every example runs from start to end, with the results it promises.

use crate::harness::{Place, Run, User, repository};
use crate::machines;

struct Example {
    _place: Place,
    run: Run,
}

#[track_caller]
fn example(name: &str, user: User) -> Example {
    let place = Place::new(user);
    let run = place.run(&repository().join("examples").join(name), &[]);
    run.expect(0);
    Example { _place: place, run }
}

#[track_caller]
fn transfer(user: User) {
    example("transfer.yaml", user)
        .run
        .has("server", "listening", "pass", 1)
        .has("server", "multinode-send-server-ready", "pass", 1)
        .has("server", "multinode-wait_all-fetched", "pass", 1)
        .has("client", "fetch", "pass", 2)
        .has("client", "checksum", "pass", 2)
        .has("client", "throughput", "pass", 2)
        .has("client", "multinode-sync-done", "pass", 2)
        .has("server", "multinode-sync-done", "pass", 1);
}

#[test]
fn transfer_as_root() {
    transfer(User::Root);
}

#[test]
fn transfer_as_an_ordinary_user() {
    transfer(User::Ordinary);
}

#[test]
fn client_server() {
    let example = example("ex1-client-server.yaml", User::Ordinary);
    example
        .run
        .has("server", "multinode-send-server-ready", "pass", 1)
        .has("client", "multinode-wait-server-ready", "pass", 1)
        .has("client", "report-space", "pass", 1);
    let log = example.run.file("members/1-client/console.log");
    assert!(log.contains("The free disk space on server is "), "{log}");
}

#[test]
fn iperf() {
    example("ex2-iperf.yaml", User::Root).run.has("client", "iperf-run", "pass", 1).has(
        "server",
        "multinode-wait-client-done",
        "pass",
        1,
    );
}

#[test]
fn variable_clients() {
    example("ex3-variable-clients.yaml", User::Ordinary)
        .run
        .has("client", "talk", "pass", 4)
        .has("client", "multinode-sync-ready", "pass", 4)
        .has("client", "multinode-sync-done", "pass", 4)
        .has("server", "multinode-sync-done", "pass", 1);
}

#[test]
fn peer_to_peer() {
    example("ex4-peer-to-peer.yaml", User::Root)
        .run
        .has("peer", "heard-from-all", "pass", 3)
        .has("peer", "multinode-sync-running", "pass", 3)
        .has("peer", "multinode-sync-finished", "pass", 3);
}

#[test]
fn lava_network() {
    let example = example("ex5-lava-network.yaml", User::Ordinary);
    example
        .run
        .has("probe", "db-address", "pass", 2)
        .has("probe", "db-mac", "pass", 2)
        .has("probe", "alias", "pass", 2)
        .has("server", "multinode-send-network_info", "pass", 1)
        .has("probe", "multinode-wait_all-network_info", "pass", 4);
}

#[test]
fn flow_table() {
    example("flow-table.yaml", User::Ordinary)
        .run
        .has("server", "multinode-sync-start", "pass", 2)
        .has("server", "multinode-send-ready", "pass", 2)
        .has("client", "multinode-wait_all-ready", "pass", 1)
        .has("observer", "multinode-sync-fin", "pass", 1);
}

#[test]
fn requests_of_actions() {
    for (name, members) in [
        ("request-send-wait.yaml", 2),
        ("request-sync.yaml", 3),
        ("request-wait-all.yaml", 3),
        ("request-wait-all-role.yaml", 3),
    ] {
        let example = example(name, User::Ordinary);
        let alive = example.run.results().iter().filter(|r| r.case == "alive" && r.result == "pass").count();
        assert_eq!(alive, members, "{name}");
        let answered = example
            .run
            .journal()
            .iter()
            .filter(|event| event["event"] == "call-answered" && event["ok"] == true)
            .count();
        assert!(answered >= members, "{name}: {answered} calls answered");
    }
}

#[test]
fn iperf3_measures() {
    let example = example("iperf3.yaml", User::Ordinary);
    example.run.has("client", "upload", "pass", 2).has("client", "download", "pass", 2);
    let measured = example
        .run
        .journal()
        .iter()
        .filter(|event| event["event"] == "result" && event["units"] == "Mbit/s" && event["measurement"].is_string())
        .count();
    assert_eq!(measured, 4);
}

/// The images that machines boot lie beside the examples, where an ordinary user may not come.
#[test]
fn a_machine_and_sandboxes() {
    let place = Place::new(User::Ordinary);
    let job = std::fs::read_to_string(repository().join("examples").join("mixed.yaml")).unwrap();
    let job = place.write("mixed.yaml", job.replace("../target/images", "./images"));
    for image in ["vmlinuz", "base.cpio"] {
        place.write(&format!("images/{image}"), std::fs::read(machines::image(image)).unwrap());
    }
    let run = place.run(&job, &[]);
    run.expect(0)
        .has("server", "serving", "pass", 1)
        .has("client", "fetch", "pass", 2)
        .has("client", "another-kernel", "pass", 2)
        .has("client", "multinode-sync-done", "pass", 2);
}

#[test]
fn guests_of_a_machine() {
    machines::image("full.cpio");
    let example = example("mustang-ssh-guest.yaml", User::Root);
    example
        .run
        .has("guest", "multinode-sync-clients", "pass", 3)
        .has("guest", "linux-pwd", "pass", 6)
        .has("host", "multinode-send-ipv4", "pass", 1)
        .has("host", "listing", "pass", 1);
    // What `tar -tzf` printed of the archive on the host.
    let log = example.run.file("members/0-guest/console.log");
    assert!(log.contains("lava-1001/bin/lava-test-runner"), "{log}");
}

#[test]
fn machines_measure_their_network() {
    machines::image("full.cpio");
    let example = example("qemu-iperf.yaml", User::Root);
    example.run.has("client", "upload", "pass", 1).has("client", "download", "pass", 1);
}

/// Whoever copies one gets a job that works, and nothing to wonder about.
#[test]
fn no_example_has_a_finding() {
    let place = Place::new(User::Ordinary);
    for path in crate::flow::jobs(&repository().join("examples")) {
        let ended = place.convoke(&["check".as_ref(), path.as_os_str()]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", path.display());
        assert!(ended.stdout.contains("no findings; the job can end"), "{}", ended.stdout);
    }
}

#[test]
fn no_example_is_forgotten() {
    let tested = include_str!("examples.rs");
    // A board needs its bench: `boards.rs` runs it.
    let elsewhere = ["board-serial.yaml"];
    for entry in std::fs::read_dir(repository().join("examples")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            !name.ends_with(".yaml")
                || name.ends_with(".lab.yaml")
                || elsewhere.contains(&name.as_str())
                || tested.contains(&format!("\"{name}\"")),
            "{name} has no test here"
        );
    }
}

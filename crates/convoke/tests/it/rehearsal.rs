//! Any job runs on sandboxes, whatever its devices.

use crate::guests;
use crate::harness::{Place, Run, User, fixture};

fn rehearse(name: &str) -> (Place, Run) {
    let place = Place::new(User::Ordinary);
    let run = place.run(&fixture("jobs").join(name), &["--rehearse", "--force", "--log-level", "info"]);
    (place, run)
}

#[test]
fn seed_jobs_with_inline_definitions() {
    for (name, code) in [
        ("seed-ex1-client-server.yaml", 0),
        ("seed-ex1-literal-keys.yaml", 0),
        ("seed-ex3-variable-clients.yaml", 1), // start-server is no command of this machine
        ("seed-ex4-peer-to-peer.yaml", 1),     // initialize-data neither
        ("seed001-request-send-wait.yaml", 0),
        ("seed001-request-sync.yaml", 0),
        ("seed001-request-wait-all-role.yaml", 0),
        ("seed001-request-wait-all.yaml", 0),
        ("zero-count-role.yaml", 0),
        ("single-qemu.yaml", 0),
    ] {
        let (_place, run) = rehearse(name);
        assert_eq!(run.ended.code, Some(code), "{name}\n{}\n{}", run.ended.stdout, run.ended.stderr);
    }
}

#[test]
fn guests_work_on_their_hosts_sandbox() {
    let (_place, run) = rehearse("secondary-two-hosts.yaml");
    // A tool that the machine lacks makes its step fail, as on a real device; everything of the group has happened.
    let calls: Vec<_> = run.journal().into_iter().filter(|event| event["event"] == "call-answered").collect();
    assert!(!calls.is_empty());
    run.has("shell-a", "multinode-sync-guests-done", "pass", 2).has("host-a", "multinode-sync-guests-done", "pass", 1);
}

#[test]
fn no_seed_job_hangs_or_panics() {
    for name in ["seed-ex2-iperf.yaml", "seed-ex5-lava-network.yaml", "seed-flow-table.yaml", "interactive-sync.yaml"] {
        let (_place, run) = rehearse(name);
        assert!(matches!(run.ended.code, Some(0 | 1)), "{name}\n{}\n{}", run.ended.stdout, run.ended.stderr);
        assert!(!run.ended.stderr.contains("panicked"), "{name}: {}", run.ended.stderr);
    }
}

#[test]
fn a_guest_may_log_out_before_its_host_ends() {
    let place = Place::new(User::Ordinary);
    let host = ["lava-send ipv4 ipaddr=192.0.2.1", guests::START, "lava-sync done"];
    // The host has nothing left to do, and the guest has.
    let guest = ["lava-sync done", "sleep 1", "lava-test-case last --shell true"];
    let job = place.write("job.yaml", guests::job(2, false, &host, &guest).to_string());
    place.run(&job, &["--rehearse"]).expect(0).has("guest", "last", "pass", 2);
}

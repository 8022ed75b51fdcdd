//! Guests that log in to another member's device by ssh, and everything that can go wrong with that. The host is a sandbox
//! with a real sshd; a QEMU machine as a host is one of the examples.

use serde_json::{Value, json};

use crate::harness::{Place, User, is_root};

/// Starts sshd as root of the sandbox.
pub(crate) const SSHD: [&str; 3] = [
    "mkdir -p /run/sshd",
    "ssh-keygen -q -t ed25519 -N '' -f /run/key",
    "/usr/sbin/sshd -f /dev/null -h /run/key -o UsePAM=no -o StrictModes=no -o 'Subsystem=sftp internal-sftp' -E /run/log",
];
pub(crate) const ADDRESS: &str = "lava-send ipv4 ipaddr=$(lava-echo-ipv4 eth0)";
pub(crate) const START: &str = "lava-send lava_start";
const SYNC: &str = "lava-sync done";
/// Until the last guest has logged out.
const OUT: &str = "while pgrep -f '^sshd: root@' > /dev/null; do sleep 0.1; done";

/// A host that does `host`, and `count` guests that do `guest`.
pub(crate) fn job(count: u32, authorize: bool, host: &[&str], guest: &[&str]) -> Value {
    let test = |role: &str, steps: &[&str]| {
        json!({"test": {"role": [role], "definitions": [{
            "from": "inline", "name": role, "path": "inline/steps.yaml",
            "repository": {
                "metadata": {"format": "Lava-Test Test Definition 1.0", "name": role},
                "run": {"steps": steps},
            },
        }]}})
    };
    let mut deploy = json!({"role": ["host"], "to": "sandbox"});
    if authorize {
        deploy["authorize"] = "ssh".into();
    }
    let guests = json!({
        "connection": "ssh", "count": count, "host_role": "host", "expect_role": "host", "request": "lava-start",
    });
    json!({
        "job_name": "guests",
        "visibility": "public",
        "timeouts": {"job": {"minutes": 9}, "action": {"minutes": 4}, "connection": {"minutes": 3}},
        "protocols": {"lava-multinode": {
            "timeout": {"minutes": 4},
            "roles": {"host": {"device_type": "sandbox", "count": 1}, "guest": guests},
        }},
        "actions": [
            {"deploy": deploy},
            {"deploy": {"role": ["guest"], "to": "ssh", "protocols": {"lava-multinode": [
                {"action": "prepare-scp-overlay", "request": "lava-wait", "messageID": "ipv4", "message": {"ipaddr": "$ipaddr"}},
            ]}}},
            {"boot": {"role": ["host"], "method": "sandbox"}},
            {"boot": {
                "role": ["guest"], "method": "ssh", "prompts": ["# $"],
                "parameters": {"hostID": "ipv4", "host_key": "ipaddr"},
            }},
            test("host", host),
            test("guest", guest),
        ],
    })
}

/// Runs a job whose guest fails, and gives its failure. The host is no part of that: it ends Complete, and if `waits`,
/// it is told at once that its last sync cannot come about.
#[track_caller]
fn failing(job: &Value, waits: bool) -> Value {
    let place = Place::new(User::Root);
    let run = place.run(&place.write("job.yaml", job.to_string()), &[]);
    run.expect(2);
    if waits {
        run.has("host", "multinode-sync-done", "fail", 1);
    }
    let journal = run.journal();
    let ended = |member: u32| {
        journal.iter().find(|event| event["event"] == "member-ended" && event["member"] == member).unwrap()
    };
    assert_eq!(ended(0)["health"], "Complete", "{}", ended(0));
    ended(1)["failure"].clone()
}

#[track_caller]
fn says(failure: &Value, class: &str, reason: &str, words: &str) {
    assert_eq!(failure["class"], class, "{failure}");
    assert_eq!(failure["reason"], reason, "{failure}");
    assert!(failure["message"].as_str().unwrap().contains(words), "{failure}");
}

/// What a host does that has sshd.
fn with_sshd<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SSHD.into_iter().chain(more.iter().copied()).collect()
}

#[test]
fn guests_log_in_with_the_groups_key_and_find_their_overlay() {
    // Only root can be the root that sshd wants to be.
    if !is_root() {
        return;
    }
    let place = Place::new(User::Root);
    let guest = [
        "lava-test-case terminal --shell tty",
        "lava-test-case kept --shell tar -tzf /$(lava-self)-overlay-1.1.5.tar.gz",
        SYNC,
    ];
    let job = job(2, true, &with_sshd(&[ADDRESS, START, SYNC, OUT]), &guest);
    let run = place.run(&place.write("job.yaml", job.to_string()), &[]);
    run.expect(0).has("guest", "terminal", "pass", 2).has("guest", "kept", "pass", 2);
}

#[test]
fn a_host_without_sshd_is_not_reached() {
    let guest = failing(&job(1, true, &[ADDRESS, START, SYNC], &[SYNC]), true);
    says(&guest, "Job", "guest.unreachable", "Connection refused: sshd does not run there");
}

#[test]
fn a_wrong_address_is_not_reached() {
    let host = ["lava-send ipv4 ipaddr=10.213.200.1", START, SYNC];
    let guest = failing(&job(1, true, &host, &[SYNC]), true);
    says(&guest, "Job", "guest.unreachable", "No route to host: nobody answers at this address");
}

#[test]
fn an_address_is_never_an_option() {
    let host = ["lava-send ipv4 ipaddr=-oProxyCommand=reboot", START, SYNC];
    let guest = failing(&job(1, true, &host, &[SYNC]), true);
    says(&guest, "Job", "guest.unreachable", "\"-oProxyCommand=reboot\" as its address, which is none");
}

#[test]
fn a_host_that_does_not_take_the_key_refuses_the_guest() {
    if !is_root() {
        return;
    }
    let guest = failing(&job(1, false, &with_sshd(&[ADDRESS, START, SYNC]), &[SYNC]), true);
    says(&guest, "Job", "guest.unreachable", "Permission denied");
    assert!(guest["message"].as_str().unwrap().contains("`authorize: ssh`"), "{guest}");
}

#[test]
fn a_guest_that_dies_ends_and_the_host_does_not_wait_for_it() {
    if !is_root() {
        return;
    }
    let host = with_sshd(&[ADDRESS, START, SYNC]);
    let guest = failing(&job(1, true, &host, &["pkill -9 -f '^sshd: root@'", "sleep 1000", SYNC]), true);
    assert_eq!(guest["class"], "Job", "{guest}");
    assert!(
        guest["message"].as_str().unwrap().contains("ssh to 10.213.0.2 fails: Connection to 10.213.0.2"),
        "{guest}"
    );
}

#[test]
fn guests_end_with_their_host() {
    if !is_root() {
        return;
    }
    let host = with_sshd(&[ADDRESS, START, "lava-wait running"]);
    let guest = failing(&job(1, true, &host, &["lava-send running", "sleep 1000"]), false);
    says(&guest, "Job", "host-gone", "ended first");
}

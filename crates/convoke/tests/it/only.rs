//! `--only ROLE`: one role runs, the others are played from an earlier run or as the user says.

use std::path::PathBuf;

use crate::harness::{Ended, Place, Run, User};
use crate::terminal::Terminal;

/// A server that sends its port and address after a sync; clients that check the port and sync twice more.
fn job(place: &Place) -> PathBuf {
    let role = |name: &str, count: u32| format!("      {name}: {{device_type: sandbox, count: {count}}}\n");
    let test = |role: &str, steps: &[&str]| {
        let steps: String =
            steps.iter().map(|step| format!("          - {}\n", serde_json::to_string(step).unwrap())).collect();
        format!(
            "- test:\n    role: [{role}]\n    definitions:\n    - from: inline\n      name: t\n      path: t.yaml\n      \
             repository:\n        metadata: {{format: Lava-Test Test Definition 1.0, name: t}}\n        run:\n          \
             steps:\n{steps}"
        )
    };
    let text = format!(
        "job_name: pair\nvisibility: public\ntimeouts: {{job: {{minutes: 2}}, action: {{minutes: 1}}}}\nprotocols:\n  \
         lava-multinode:\n    timeout: {{seconds: 30}}\n    roles:\n{}{}actions:\n- deploy: {{to: sandbox}}\n- boot: \
         {{method: sandbox}}\n{}{}",
        role("server", 1),
        role("client", 2),
        test(
            "server",
            &["lava-sync go", "lava-send ready port=80 ip=$(lava-target-ip)", "lava-sync end", "lava-sync end"]
        ),
        test(
            "client",
            &[
                "lava-sync go",
                "lava-wait ready",
                "lava-test-case port --shell grep -q port=80 /tmp/lava_multi_node_cache.txt",
                "lava-sync end",
                "lava-sync end",
            ]
        ),
    );
    place.write("job.yaml", text)
}

fn run(place: &Place, dir: &str, more: &[&str]) -> Run {
    let job = job(place);
    let mut arguments = vec!["run", job.to_str().unwrap(), "--output", dir];
    arguments.extend(more);
    Run { ended: place.convoke(&arguments), dir: place.path(dir) }
}

/// Only `role` has results; the others are said to be played.
#[track_caller]
fn only(run: &Run, role: &str) {
    assert!(run.results().iter().all(|found| found.role == role), "{:?}", run.results());
    assert!(run.lava_results().iter().all(|found| found.role == role), "{:?}", run.lava_results());
    assert!(run.ended.stdout.contains("played"), "{}", run.ended.stdout);
}

#[test]
fn others_are_played_from_an_earlier_run() {
    let place = Place::new(User::Ordinary);
    run(&place, "earlier", &[]).expect(0);
    let clients = run(&place, "clients", &["--only", "client", "--replay", "earlier"]);
    clients.expect(0).has("client", "port", "pass", 2).has("client", "multinode-sync-end", "pass", 4);
    only(&clients, "client");
    let text = &clients.ended.stdout;
    assert!(text.contains("was the address of server (sandbox-1) in the earlier run"), "{text}");
    let server = run(&place, "server", &["--only", "server", "--replay", "earlier"]);
    server.expect(0).has("server", "multinode-sync-end", "pass", 2);
    only(&server, "server");
}

#[test]
fn a_real_member_that_needs_more_than_was_played_fails_at_once_with_the_reason() {
    let place = Place::new(User::Ordinary);
    run(&place, "earlier", &[]).expect(0);
    let text = std::fs::read_to_string(place.path("job.yaml")).unwrap();
    // Said so that it is known on the device only: what the check can know it refuses.
    place.write("job.yaml", text.replacen("lava-wait ready", "lava-wait $(hostname | tr -d a-z0-9-)raedy", 1));
    let job = place.path("job.yaml");
    let arguments = ["run", job.to_str().unwrap(), "--output", "late", "--only", "client", "--replay", "earlier"];
    let late = Run { ended: place.convoke(&arguments), dir: place.path("late") };
    late.expect(1);
    let text = &late.ended.stdout;
    assert!(text.contains("multinode-wait-raedy") && text.contains("ready"), "{text}");
}

#[test]
fn others_are_played_with_the_answers_given() {
    let place = Place::new(User::Ordinary);
    let right =
        run(&place, "right", &["--only", "client", "--answer", "ready:port=80", "--answer", "ready:ip=10.1.2.3"]);
    right.expect(0).has("client", "port", "pass", 2);
    only(&right, "client");
    let wrong = run(&place, "wrong", &["--only", "client", "--answer", "ready:port=81"]);
    wrong.expect(1).has("client", "port", "fail", 2);
    let none = run(&place, "none", &["--only", "client", "--answer", "other"]);
    // What the job says is sent all the same.
    none.expect(0).has("client", "port", "pass", 2);
    assert!(none.ended.stdout.contains("--answer ready:ip=VALUE"), "{}", none.ended.stdout);
}

#[test]
fn at_a_terminal_the_values_are_asked_for_once() {
    let place = Place::new(User::Ordinary);
    let job = job(&place);
    let arguments = ["run", job.to_str().unwrap(), "--output", "run", "--only", "client"];
    let mut terminal = Terminal::start(&place.command(&arguments), (30, 100));
    let before = terminal.settings();
    let at = terminal.until(0, "waits for ready, which 1001 (server) would send");
    let at = terminal.until(at, "port=80");
    let at = terminal.until(at, "ip is not known: in the job it is $(lava-target-ip)");
    let at = terminal.until(at, "> ");
    terminal.press("nonsense\r");
    let at = terminal.until(at, "is no KEY=VALUE");
    terminal.press("ip=10.1.2.3\r");
    let at = terminal.until(at, "ip=10.1.2.3");
    terminal.press("\x04");
    terminal.until(at, "Complete after");
    assert_eq!(format!("{before:?}"), format!("{:?}", terminal.settings()));
    let (status, stdout) = terminal.end();
    let run = Run { ended: Ended { code: status.code(), stdout, stderr: String::new() }, dir: place.path("run") };
    run.expect(0).has("client", "port", "pass", 2);
}

/// A message whose values stand in the job needs nobody to be asked; and the stop of a group whose others are played.
#[test]
fn what_the_job_says_is_sent_and_the_group_stops_too() {
    let place = Place::new(User::Ordinary);
    let text = std::fs::read_to_string(job(&place)).unwrap();
    place.write("job.yaml", text.replace(" ip=$(lava-target-ip)", ""));
    let job = place.path("job.yaml");
    let arguments = ["run", job.to_str().unwrap(), "--output", "quiet", "--only", "client"];
    let quiet = Run { ended: place.convoke(&arguments), dir: place.path("quiet") };
    quiet.expect(0).has("client", "port", "pass", 2);
    let arguments = [&arguments[..3], &["run", "--only", "client", "--break", "ready"]].concat();
    let mut terminal = Terminal::start(&place.command(&arguments), (30, 100));
    let at = terminal.until(0, "stopped at ready");
    let mut at = terminal.until(at, "> ");
    for client in ["client.1", "client.2"] {
        terminal.press(&format!("{client}\r"));
        at = terminal.until(at, "~# ");
        terminal.press("\x1d");
        at = terminal.until(at, "> ");
    }
    terminal.press("a\r");
    let (status, stdout) = terminal.end();
    let run = Run { ended: Ended { code: status.code(), stdout, stderr: String::new() }, dir: place.path("run") };
    run.expect(0).has("client", "port", "pass", 2);
}

#[test]
fn what_cannot_be_played_is_refused() {
    let place = Place::new(User::Ordinary);
    place.write("other/journal.jsonl", "");
    for (more, word) in [
        (&["--only", "client"][..], "--replay DIR"),
        (&["--only", "nobody", "--answer", "x"], "its roles are server, client"),
        (&["--only", "client", "--replay", "nowhere"], "nowhere"),
        (&["--only", "client", "--replay", "other"], "empty"),
        (&["--replay", "other"], "--only"),
        (&["--only", "client", "--answer", "=x"], "ID:KEY=VALUE"),
    ] {
        let refused = run(&place, "run", more);
        assert_eq!(refused.ended.code, Some(2), "{more:?}: {}{}", refused.ended.stdout, refused.ended.stderr);
        assert!(refused.ended.stderr.contains(word), "{more:?}: {}", refused.ended.stderr);
    }
}

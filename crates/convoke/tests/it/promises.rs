//! What users of a group rely on: waits, stuck groups, failures with reasons, isolation, files.

use crate::bad_input::job;
use crate::harness::{Place, User};

/// A job with two roles of one sandbox each.
fn pair(left: &[&str], right: &[&str], limit: u32) -> String {
    let whole = job(1, &[], limit);
    let (head, test) = whole.split_once("- test:").unwrap();
    let head = head.replace(
        "      node: {device_type: sandbox, count: 1}",
        "      left: {device_type: sandbox, count: 1}\n      right: {device_type: sandbox, count: 1}",
    );
    let block = |role: &str, steps: &[&str]| {
        let mut text = format!("- test:\n    role: [{role}]{test}");
        for step in steps {
            text.push_str(&format!("          - {}\n", serde_json::to_string(step).unwrap()));
        }
        text
    };
    format!("{head}{}{}", block("left", left), block("right", right))
}

#[test]
fn values_arrive_as_they_were_sent() {
    let place = Place::new(User::Ordinary);
    let sent = [
        "lava-send odd a='at 12:30' b='x = y' c='back\\slash\\n' d='*' e='' f='two  blanks' free-space=5G 'q=it'\"'\"'s'",
    ];
    let seen = [
        "lava-wait odd",
        "cat /tmp/lava_multi_node_cache.txt",
        "cut -d : -f 2- /tmp/lava_multi_node_cache.txt > /tmp/seen",
        "printf '%s\\n' 'a=at 12:30' 'b=x = y' 'c=back\\slash\\n' 'd=*' 'e=' 'f=two  blanks' free-space=5G \"q=it's\" > /tmp/wanted",
        "lava-test-case same --shell diff /tmp/wanted /tmp/seen",
    ];
    place.run(&place.write("job.yaml", pair(&sent, &seen, 20)), &[]).expect(0).has("right", "same", "pass", 1);
}

#[test]
fn a_wait_that_nobody_can_satisfy_fails_at_once_with_the_reason() {
    let place = Place::new(User::Ordinary);
    // The limit is longer than the test's own: only a wait that fails early lets this end.
    let text = pair(&["lava-wait server_ready"], &["lava-send server-ready", "lava-wait other"], 100);
    let run = place.run(&place.write("job.yaml", text), &["--force"]);
    run.expect(1).has("left", "multinode-wait-server_ready", "fail", 1).has("right", "multinode-wait-other", "fail", 1);
    let reasons: Vec<String> = run
        .journal()
        .iter()
        .filter(|event| event["event"] == "call-answered" && event["ok"] == false)
        .map(|event| event["reason"].as_str().unwrap().to_owned())
        .collect();
    assert!(reasons.iter().any(|reason| reason.contains("waiting")), "{reasons:#?}");
    assert!(reasons.iter().any(|reason| reason.contains("server-ready")), "{reasons:#?}");
}

#[test]
fn a_background_process_that_will_still_send_is_not_taken_for_stuck() {
    let place = Place::new(User::Ordinary);
    let left = ["( sleep 1; lava-send go ) & lava-wait back"];
    let right = ["lava-wait go", "lava-send back"];
    place
        .run(&place.write("job.yaml", pair(&left, &right, 60)), &[])
        .expect(0)
        .has("left", "multinode-wait-back", "pass", 1)
        .has("right", "multinode-wait-go", "pass", 1);
}

#[test]
fn a_wait_with_an_alternative_is_not_taken_for_stuck() {
    let place = Place::new(User::Ordinary);
    let left = ["timeout 2 lava-wait never || lava-send go"];
    let right = ["lava-wait go"];
    // The wait that timeout(1) ended is a failed case; that the other one was satisfied is what counts.
    place
        .run(&place.write("job.yaml", pair(&left, &right, 60)), &[])
        .expect(1)
        .has("left", "multinode-wait-never", "fail", 1)
        .has("right", "multinode-wait-go", "pass", 1);
}

#[test]
fn a_wait_for_members_that_left_fails_at_once() {
    let place = Place::new(User::Ordinary);
    let run = place.run(&place.write("job.yaml", pair(&["true"], &["lava-sync together"], 100)), &["--force"]);
    run.expect(1).has("right", "multinode-sync-together", "fail", 1);
    assert!(run.ended.stdout.contains("left"), "{}", run.ended.stdout);
}

#[test]
fn a_wait_fails_at_its_limit_and_the_definition_goes_on() {
    let place = Place::new(User::Ordinary);
    let left = ["lava-wait late || lava-test-case told --shell true", "lava-send done"];
    // A process of the other test shell stays alive, so that nothing is certain.
    let right = ["sleep 1000 & lava-wait done; kill $!"];
    place
        .run(&place.write("job.yaml", pair(&left, &right, 2)), &[])
        .has("left", "multinode-wait-late", "fail", 1)
        .has("left", "told", "pass", 1);
}

#[test]
fn syncs_of_one_id_are_rounds() {
    let place = Place::new(User::Ordinary);
    let steps = [
        "for round in 1 2 3 4 5 6 7 8; do lava-sync again; echo \"$round\" >> /tmp/rounds; done",
        "lava-test-case all --shell test \"$(wc -l < /tmp/rounds)\" = 8",
    ];
    place
        .run(&place.write("job.yaml", job(3, &steps, 30)), &[])
        .expect(0)
        .has("node", "multinode-sync-again", "pass", 24)
        .has("node", "all", "pass", 3);
}

fn isolation(user: User) {
    let place = Place::new(user);
    let marker = place.path("outside");
    let steps = [
        "lava-test-case own-host-name --shell test \"$(hostname)\" = \"$LAVA_DEVICE_HOSTNAME\"",
        "lava-test-case own-pids --shell test \"$(ls -d /proc/[0-9]* | wc -l)\" -lt 30",
        "lava-test-case empty-tmp --shell test -z \"$(ls -A /tmp)\"",
        "lava-test-case root-folder --shell test \"$HOME\" = /root -a -z \"$(ls -A /root)\"",
        "lava-test-case write-usr --shell 'echo x > /usr/bin/convoke-test-file && test -s /usr/bin/convoke-test-file'",
        "lava-test-case write-etc --shell 'echo 192.0.2.1 example >> /etc/hosts && grep -q 192.0.2.1 /etc/hosts'",
        "lava-test-case write-var --shell 'mkdir -p /var/lib/convoke-test && touch /var/lib/convoke-test/x'",
        "lava-test-case only-own-interfaces --shell test \"$(tail -n +3 /proc/net/dev | cut -d : -f 1 | tr -d ' ' | grep -cvx -e lo -e eth0)\" = 0",
        "lava-test-case a-terminal --shell 'test -c \"$LAVA_CONSOLE\"'",
        "OTHER=$(getent hosts | grep -v -e localhost -e 127.0 | grep -v \"$(hostname)\" | tr -s ' ' | cut -d ' ' -f 2 | head -n 1)",
        "lava-test-case peer-by-name --shell test -n \"$OTHER\"",
    ];
    let run = place.run(&place.write("job.yaml", job(2, &steps, 20)), &[]);
    run.expect(0);
    for case in [
        "own-host-name",
        "own-pids",
        "empty-tmp",
        "root-folder",
        "write-usr",
        "write-etc",
        "write-var",
        "only-own-interfaces",
        "a-terminal",
        "peer-by-name",
    ] {
        run.has("node", case, "pass", 2);
    }
    for path in ["/usr/bin/convoke-test-file", "/var/lib/convoke-test"] {
        assert!(!std::path::Path::new(path).exists(), "{path} reached the machine");
    }
    assert!(!std::fs::read_to_string("/etc/hosts").unwrap().contains("192.0.2.1"));
    assert!(!marker.exists());
}

#[test]
fn sandboxes_are_isolated_as_root() {
    isolation(User::Root);
}

#[test]
fn sandboxes_are_isolated_as_an_ordinary_user() {
    isolation(User::Ordinary);
}

#[test]
fn secrets_are_masked_everywhere() {
    let place = Place::new(User::Ordinary);
    let text = job(1, &["cat /lava-*/secrets", "echo s3cr\"\"et-tok\"\"en"], 5)
        .replace("visibility: public", "visibility: public\nsecrets: {TOKEN: s3cret-token}");
    let run = place.run(&place.write("job.yaml", text), &[]);
    run.expect(0);
    assert!(!run.ended.stdout.contains("s3cret-token"));
    for name in ["journal.jsonl", "members/0-node/console.log", "members/0-node/log.yaml", "results.yaml"] {
        let text = run.file(name);
        assert!(!text.contains("s3cret-token"), "{name}");
    }
    assert!(run.file("members/0-node/console.log").contains("[MASKED]"));
}

#[test]
fn a_failing_step_fails_the_suite_also_when_another_follows() {
    let place = Place::new(User::Ordinary);
    let mut text = job(1, &["lava-test-case before --shell true", "false", "lava-test-case never --shell true"], 5);
    text.push_str(
        "    - from: inline\n      name: second\n      path: s.yaml\n      repository:\n        metadata: {format: Lava-Test Test \
         Definition 1.0, name: second}\n        run: {steps: [lava-test-case after --shell true]}\n",
    );
    let run = place.run(&place.write("job.yaml", text), &[]);
    run.expect(1).has("node", "before", "pass", 1).has("node", "after", "pass", 1).has("node", "never", "pass", 0);
    let lava = run.lava_results();
    assert!(lava.iter().any(|found| found.case == "0_t" && found.result == "fail"), "{lava:#?}");
    assert!(lava.iter().any(|found| found.case == "1_second" && found.result == "pass"), "{lava:#?}");
}

#[test]
fn an_essential_member_takes_the_others_with_it() {
    let place = Place::new(User::Ordinary);
    let text = pair(&["lava-test-raise broken"], &["sleep 1000"], 60)
        .replace("left: {device_type: sandbox, count: 1}", "left: {device_type: sandbox, count: 1, essential: true}");
    let run = place.run(&place.write("job.yaml", text), &[]);
    run.expect(1);
    let ended: Vec<_> = run
        .journal()
        .into_iter()
        .filter(|event| event["event"] == "member-ended")
        .map(|event| (event["member"].as_u64().unwrap(), event["health"].as_str().unwrap().to_owned()))
        .collect();
    assert!(ended.contains(&(0, "Incomplete".into())) && ended.contains(&(1, "Canceled".into())), "{ended:?}");
}

#[test]
fn definitions_come_from_git_and_archives() {
    let place = Place::new(User::Ordinary);
    let repository = place.path("tests");
    std::fs::create_dir(&repository).unwrap();
    let script = "#!/bin/sh\nlava-test-case role-script --shell true\nlava-test-case param --shell test \"$1\" = 7\n";
    place.write("tests/run-node.sh", script);
    place.write(
        "tests/example.yaml",
        "metadata: {format: Lava-Test Test Definition 1.0, name: example}\nparams: {LEVEL: 1}\nrun:\n  steps:\n  - sh ./run-`lava-role`.sh \
         $LEVEL\n",
    );
    let git = |words: &[&str]| {
        let status = std::process::Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"])
            .args(words)
            .current_dir(&repository)
            .status()
            .unwrap();
        assert!(status.success());
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "x"]);
    // A clone by another user is refused by git unless the repository says that it is safe; a bundle of files is not.
    let archive = place.path("tests.tar.gz");
    let status = std::process::Command::new("tar")
        .args(["-czf"])
        .arg(&archive)
        .args(["--transform", "s,^tests,top,", "--exclude", ".git", "tests"])
        .current_dir(place.path("."))
        .status()
        .unwrap();
    assert!(status.success());
    let text = job(1, &["true"], 5);
    let from = text.find("    - from: inline").unwrap();
    let text = format!(
        "{}    - {{from: git, repository: \"file://{}\", path: example.yaml, name: from-git, parameters: {{LEVEL: 7}}}}\n    - {{from: url, \
         repository: \"file://{}\", path: example.yaml, name: from-url, strip-components: 1, params: {{LEVEL: 7}}}}\n",
        &text[..from],
        repository.display(),
        archive.display()
    );
    let place_user = Place::new(User::Root);
    let run = place_user.run(&place_user.write("job.yaml", text), &[]);
    run.expect(0).has("node", "role-script", "pass", 2).has("node", "param", "pass", 2);
    let result = run
        .journal()
        .into_iter()
        .find(|event| event["event"] == "result" && event["definition"] == "lava" && event["case"] == "0_from-git")
        .unwrap();
    assert_eq!(result["extra"]["commit_id"].as_str().unwrap().len(), 40, "{result}");
}

#[test]
fn a_sandbox_knows_its_addresses() {
    let place = Place::new(User::Ordinary);
    let steps = [
        "lava-test-case ip --shell test \"$(lava-target-ip)\" = \"$(lava-echo-ipv4 eth0)\"",
        "lava-test-case mac --shell grep -qx \"$(lava-target-mac)\" /sys/class/net/eth0/address",
        "lava-test-case none --shell '! lava-target-storage'",
    ];
    place.run(&place.write("job.yaml", job(1, &steps, 30)), &[]).expect(0);
}

#[test]
fn results_of_an_attempt_that_is_tried_again_do_not_count() {
    let place = Place::new(User::Ordinary);
    // The file is on the device's disk, which a reboot keeps: the second attempt finds it.
    let steps = [
        "test -e /root/tried && TRIED=yes || TRIED=no",
        "touch /root/tried",
        "lava-test-case second-time --shell test $TRIED = yes",
        "test $TRIED = yes || lava-test-raise first-time",
    ];
    let text = job(1, &steps, 20).replace("- test:\n", "- test:\n    failure_retry: 2\n");
    let run = place.run(&place.write("job.yaml", text), &[]);
    run.expect(0);
    let results = run.file("results.yaml");
    assert_eq!(results.matches("case: second-time").count(), 1, "{results}");
}

#[test]
fn fifty_members_synchronise() {
    let place = Place::new(User::Ordinary);
    let steps = ["for round in 1 2 3 4 5 6 7 8 9 10; do lava-sync again; done"];
    place.run(&place.write("job.yaml", job(50, &steps, 60)), &["--log-level", "error"]).expect(0).has(
        "node",
        "multinode-sync-again",
        "pass",
        500,
    );
}

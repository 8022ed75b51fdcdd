//! Bad input: one clear message and the right exit status, no panic, no hang; what was recorded before is kept.

use std::fmt::Write as _;

use crate::harness::{Ended, Place, User, fixture};

/// Refused with status 2 and a message that holds all of `words`; nothing was run.
#[track_caller]
fn refused(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, Some(2), "{}\n{}", ended.stdout, ended.stderr);
    let folded = ended.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(folded.contains(word), "{word:?} is not in:\n{}", ended.stderr);
    }
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}

#[track_caller]
fn refused_text(text: impl AsRef<[u8]>, words: &[&str]) {
    let place = Place::new(User::Ordinary);
    let job = place.write("job.yaml", text);
    refused(&place.convoke(&["run".as_ref(), job.as_os_str()]), words);
    assert!(!place.path("convoke-runs").exists(), "a refused job leaves no folder");
}

/// A job for sandboxes with one role and these steps.
pub(crate) fn job(count: usize, steps: &[&str], limit: u32) -> String {
    let mut text = format!(
        "job_name: test\nvisibility: public\ntimeouts: {{job: {{minutes: 2}}, action: {{minutes: 1}}}}\nprotocols:\n  \
         lava-multinode:\n    timeout: {{seconds: {limit}}}\n    roles:\n      node: {{device_type: sandbox, count: \
         {count}}}\nactions:\n- deploy: {{to: sandbox}}\n- boot: {{method: sandbox}}\n- test:\n    definitions:\n    - \
         from: inline\n      name: t\n      path: t.yaml\n      repository:\n        metadata: {{format: Lava-Test Test \
         Definition 1.0, name: t}}\n        run:\n          steps:\n"
    );
    for step in steps {
        writeln!(text, "          - {}", serde_json::to_string(step).unwrap()).unwrap();
    }
    text
}

#[test]
fn a_missing_file() {
    refused(&Place::new(User::Ordinary).convoke(&["run", "nowhere.yaml"]), &["nowhere.yaml", "does not exist"]);
}

#[test]
fn a_folder() {
    refused(&Place::new(User::Ordinary).convoke(&["run", "."]), &["is a folder"]);
}

#[test]
fn no_argument_and_unknown_options() {
    let place = Place::new(User::Ordinary);
    refused(&place.convoke(&["run"]), &["JOB"]);
    refused(&place.convoke(&["run", "--frobnicate", "x"]), &["--frobnicate"]);
}

#[test]
fn an_empty_file() {
    refused_text("", &["empty"]);
}

#[test]
fn not_yaml() {
    refused_text("job_name: [unclosed\nactions: }\n", &["yaml.syntax"]);
}

#[test]
fn tabs() {
    refused_text("job_name: x\n\tactions: []\n", &["yaml.syntax", "replace this tab"]);
    refused_text("job_name: x\ntimeouts:\n\tjob: {minutes: 1}\n", &["yaml.syntax", "replace this tab"]);
}

/// One finding that says what the file is, whatever its keys are.
#[test]
fn another_kind_of_file() {
    let place = Place::new(User::Ordinary);
    place.write("lab.yaml", "devices:\n- {name: x, type: sandbox}\nworkers: {}\n");
    place.write("test.yaml", "metadata: {format: Lava-Test Test Definition 1.0, name: t}\nrun: {steps: [ls]}\n");
    place.write(
        "device.yaml",
        "hostname: x\ncommands: {connect: telnet x 1}\nactions: {boot: {methods: {minimal: }}}\n",
    );
    place.write("device.jinja2", "{% extends 'qemu.jinja2' %}\n{% set memory = 512 %}\n");
    place.write("job.yaml", job(1, &["true"], 5));
    for (arguments, words) in [
        (&["check", "lab.yaml"][..], &["this is a lab file, not a job", "convoke lab check --lab lab.yaml"][..]),
        (&["run", "lab.yaml"], &["this is a lab file, not a job"]),
        (&["flow", "lab.yaml"], &["this is a lab file, not a job"]),
        (&["check", "test.yaml"], &["this is a test definition, not a job", "with a job that runs it"]),
        (&["check", "device.yaml"], &["this is the configuration of a device, not a job", "lab check"]),
        (&["check", "device.jinja2"], &["this is a Jinja2 template, not a job", "rendered first"]),
        (&["lab", "check", "--lab", "job.yaml"], &["this is a job, not a lab file", "convoke check job.yaml"]),
        (&["check", "job.yaml", "--lab", "job.yaml"], &["this is a job, not a lab file"]),
        (&["lab", "check", "--lab", "device.yaml"], &["not a lab file", "dictionary: device.yaml"]),
        (&["lab", "check", "--lab", "device.jinja2"], &["not a lab file"]),
        (&["lab", "check", "--lab", "test.yaml"], &["this is a test definition, not a lab file"]),
    ] {
        let ended = place.convoke(arguments);
        let folded = ended.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(ended.code, Some(2), "{arguments:?}: {folded}");
        assert!(words.iter().all(|word| folded.contains(word)), "{arguments:?}: {}", ended.stderr);
        assert_eq!(folded.matches("×").count(), 1, "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn not_a_mapping() {
    refused_text("- just\n- a list\n", &["mapping"]);
}

#[test]
fn not_utf8() {
    refused_text(b"job_name: \xff\xfe\n", &["UTF-8"]);
}

#[test]
fn ten_megabytes_of_nesting() {
    refused_text("[".repeat(10 << 20), &["yaml."]);
}

#[test]
fn an_alias_bomb() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    refused_text(text, &["alias"]);
}

#[test]
fn an_unknown_device_type() {
    let text = job(1, &["true"], 5).replace("device_type: sandbox", "device_type: toaster");
    refused_text(text, &["inventory.type", "toaster", "--rehearse"]);
}

#[test]
fn more_devices_than_exist() {
    let place = Place::new(User::Ordinary);
    let broken = fixture("jobs/broken");
    let ended = place.convoke(&[
        "run".as_ref(),
        broken.join("b20-overcommitted.yaml").as_os_str(),
        "--lab".as_ref(),
        broken.join("lab-small.yaml").as_os_str(),
    ]);
    refused(&ended, &["inventory.group", "together need 4 devices of type docker, 3 exist"]);
}

#[test]
fn a_bad_lab_file() {
    let place = Place::new(User::Ordinary);
    place.write("lab.yaml", "devices:\n- {nam: x, type: sandbox}\n");
    let job = place.write("job.yaml", job(1, &["true"], 5));
    refused(
        &place.convoke(&["run".as_ref(), job.as_os_str(), "--lab".as_ref(), "lab.yaml".as_ref()]),
        &["nam", "name"],
    );
}

#[test]
fn an_output_folder_that_cannot_be_written() {
    let place = Place::new(User::Ordinary);
    let job = place.write("job.yaml", job(1, &["true"], 5));
    let ended = place.convoke(&["run".as_ref(), job.as_os_str(), "--output".as_ref(), "/proc/nowhere".as_ref()]);
    refused(&ended, &["/proc/nowhere"]);
}

#[test]
fn an_output_folder_that_holds_a_run() {
    let place = Place::new(User::Ordinary);
    let job = place.write("job.yaml", job(1, &["true"], 5));
    place.run(&job, &[]).expect(0);
    refused(&place.run(&job, &[]).ended, &["run", "already"]);
}

#[test]
fn a_repository_that_cannot_be_fetched() {
    let place = Place::new(User::Ordinary);
    let text = job(1, &["true"], 5);
    let from = text.find("    - from: inline").unwrap();
    let text = format!(
        "{}    - {{from: git, repository: \"file:///nowhere/tests.git\", path: t.yaml, name: t}}\n",
        &text[..from]
    );
    let job = place.write("job.yaml", text);
    let run = place.run(&job, &[]);
    assert_eq!(run.ended.code, Some(2), "{}\n{}", run.ended.stdout, run.ended.stderr);
    assert!(run.ended.stdout.contains("/nowhere/tests.git"), "{}", run.ended.stdout);
    assert!(run.lava_results().iter().any(|found| found.case == "job" && found.result == "fail"));
}

#[test]
fn helpers_called_wrongly_on_the_device() {
    let place = Place::new(User::Ordinary);
    let steps = [
        "if lava-send; then false; fi",
        "if lava-send 'two words'; then false; fi",
        "if lava-send id 'bad key=1'; then false; fi",
        "if lava-wait; then false; fi",
        "if lava-sync 'a b'; then false; fi",
        "if lava-wait-all; then false; fi",
        "if lava-group nobody; then false; fi",
        "if lava-test-case x --result maybe; then false; fi",
        "lava-test-case still-here --shell true",
    ];
    let run = place.run(&place.write("job.yaml", job(1, &steps, 5)), &[]);
    run.expect(0).has("node", "still-here", "pass", 1);
    let calls = run.journal().iter().filter(|event| event["event"] == "call-made" && event["from"] == "shell").count();
    assert_eq!(calls, 0, "a refused call is not made");
}

#[test]
fn forged_signals() {
    let place = Place::new(User::Ordinary);
    let steps = [
        "cat run.sh",
        "cat ../*/run.sh",
        "echo '<LAVA_SIGNAL_STARTRUN 9_other 1_1>'",
        "echo '<LAVA_SIGNAL_ENDRUN 9_other 1_1>'",
        "echo '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID= RESULT=>'",
        "echo '<LAVA_MULTI_NODE> <LAVA_NONSENSE x>'",
        "echo '<LAVA_SIGNAL_'",
        "lava-test-case real --shell true",
    ];
    let run = place.run(&place.write("job.yaml", job(1, &steps, 5)), &[]);
    run.expect(0).has("node", "real", "pass", 1);
    let suites: Vec<String> = run.results().into_iter().map(|found| found.suite).collect();
    assert!(suites.iter().all(|suite| suite == "0_t"), "{suites:?}");
    assert!(run.lava_results().iter().any(|found| found.case == "0_t" && found.result == "pass"));
}

#[test]
fn a_hundred_megabytes_without_a_newline() {
    let place = Place::new(User::Ordinary);
    let steps = ["head -c 100M /dev/zero | tr '\\0' x", "echo", "lava-test-case after --shell true"];
    let run = place.run(&place.write("job.yaml", job(1, &steps, 5)), &["--log-level", "error"]);
    run.expect(0).has("node", "after", "pass", 1);
    let peak = run.dir.join("members/0-node/console.log").metadata().unwrap().len();
    assert!(peak >= 100 << 20, "{peak} bytes in console.log");
}

#[test]
fn a_device_that_never_prompts() {
    let place = Place::new(User::Ordinary);
    let text = job(1, &["true"], 5).replace(
        "boot: {method: sandbox}",
        "boot: {method: sandbox, prompts: ['never-printed-prompt'], timeout: {seconds: 3}}",
    );
    let run = place.run(&place.write("job.yaml", text), &[]);
    assert_eq!(run.ended.code, Some(2), "{}\n{}", run.ended.stdout, run.ended.stderr);
    assert!(run.ended.stdout.contains("never-printed-prompt"), "{}", run.ended.stdout);
}

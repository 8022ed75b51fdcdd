//! The other commands: check, split, convert, report, completions, help.

use serde_json::Value;

use crate::bad_input::job;
use crate::harness::{Place, User, fixture};

#[test]
fn check_says_nothing_of_a_clean_job_but_that_it_is_clean() {
    let place = Place::new(User::Ordinary);
    let job = place.write("job.yaml", job(1, &["true"], 5));
    let ended = place.convoke(&["check".as_ref(), job.as_os_str()]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert!(ended.stdout.contains("no findings"), "{}", ended.stdout);
}

#[test]
fn check_draws_every_finding_into_the_source() {
    let place = Place::new(User::Ordinary);
    let ended = place.convoke(&["check".as_ref(), fixture("jobs/broken/b18-request-without-id.yaml").as_os_str()]);
    assert_eq!(ended.code, Some(2));
    for words in ["request.messageID", "request.action", "scp-overlay-prepare"] {
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
}

#[test]
fn check_prints_an_object_a_job() {
    let place = Place::new(User::Ordinary);
    let good = fixture("jobs/seed-ex4-peer-to-peer.yaml");
    let bad = fixture("jobs/broken/b02-count-is-text.yaml");
    let ended =
        place.convoke(&["check".as_ref(), "--format".as_ref(), "json".as_ref(), good.as_os_str(), bad.as_os_str()]);
    assert_eq!(ended.code, Some(2));
    let objects: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 2);
    assert_eq!(objects[0]["diagnostics"], Value::Array(vec![]));
    let finding = &objects[1]["diagnostics"][0];
    assert_eq!(finding["code"], "role.count");
    assert_eq!(finding["severity"], "error");
    assert!(finding["spans"][0]["line"].as_u64().unwrap() > 1);
    assert_eq!(objects[0]["flow"]["verdict"], "can-end");
    assert_eq!(objects[1]["flow"]["verdict"], "unknown", "a job with errors has no flow");
}

/// What the codes of findings begin with.
const KINDS: [&str; 12] = [
    "action.",
    "context.",
    "flow.",
    "guest.",
    "inventory.",
    "multinode.",
    "namespace.",
    "request.",
    "role.",
    "schema.",
    "timeout.",
    "yaml.",
];

#[test]
fn every_published_job_passes_and_every_broken_one_is_refused() {
    let place = Place::new(User::Ordinary);
    for entry in std::fs::read_dir(fixture("jobs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "yaml") {
            let ended = place.convoke(&["check".as_ref(), path.as_os_str()]);
            assert_eq!(ended.code, Some(0), "{}: {}", path.display(), ended.stderr);
        }
    }
    for entry in std::fs::read_dir(fixture("jobs/broken")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("lab") {
            continue;
        }
        let mut arguments = vec!["check".as_ref(), path.as_os_str()];
        let lab = fixture("jobs/broken/lab-small.yaml");
        if name.starts_with("b20") {
            arguments.extend(["--lab".as_ref(), lab.as_os_str()]);
        }
        let ended = place.convoke(&arguments);
        // A flow that cannot end does not keep a job from being submitted.
        let status = if name.starts_with("b21") { 0 } else { 2 };
        assert_eq!(ended.code, Some(status), "{name}: {}", ended.stderr);
        // What its first line says: codes, each alone or before a colon.
        let text = std::fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap().strip_prefix("# EXPECT:").unwrap_or_default();
        // One says what is not raised.
        let first = first.split("; warning").next().unwrap();
        let words = first.split([' ', ':', ',', ';', '(', ')']);
        for code in words.filter(|word| word.contains('.') && KINDS.iter().any(|kind| word.starts_with(kind))) {
            assert!(ended.stderr.contains(code), "{name}: {code} is not in {}", ended.stderr);
        }
    }
}

#[test]
fn split_prints_lavas_form() {
    let place = Place::new(User::Ordinary);
    let path = fixture("jobs/seed-flow-table.yaml");
    let arguments = ["split", path.to_str().unwrap(), "--group-id", "g", "--first-id", "900"];
    let ended = place.convoke(&arguments);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let whole: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(whole["roles"]["server"].as_array().unwrap().len(), 2);
    let client = &whole["roles"]["client"][0];
    assert_eq!(client["protocols"]["lava-multinode"]["sub_id"], 2);
    assert_eq!(client["protocols"]["lava-multinode"]["group_size"], 4);
    assert_eq!(client["protocols"]["lava-multinode"]["target_group"], "g");
    let yaml = place.convoke(&[&arguments[..], &["--format", "yaml"]].concat());
    let script = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)";
    let read = place.pipe("python3", &["-c", script], &yaml.stdout);
    assert_eq!(serde_json::from_str::<Value>(&read).unwrap(), whole, "LAVA's loader reads the YAML as the JSON says");
}

#[test]
fn convert_gives_a_job_that_checks() {
    let place = Place::new(User::Ordinary);
    place.write(
        "lab.yaml",
        "legacy-map:\n  panda: {deploy: {to: flasher}, boot: {method: minimal}}\n  beaglexm: {deploy: {to: flasher}, boot: {method: \
         minimal}}\n",
    );
    let path = fixture("jobs/legacy-2014-simple.json");
    let ended = place.convoke(&["convert", path.to_str().unwrap(), "--lab", "lab.yaml", "--merge"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let job = place.write("converted.yaml", &ended.stdout);
    let checked = place.convoke(&["check".as_ref(), job.as_os_str()]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
}

#[test]
fn a_job_of_2014_runs_directly() {
    let place = Place::new(User::Ordinary);
    let repository = place.path("netperf-multinode.git");
    assert!(!repository.exists());
    let run = place.run(&fixture("jobs/legacy-2014-netperf.json"), &["--rehearse", "--log-level", "error"]);
    // Its repositories are not there: the job is read, split and started, and ends for that reason alone.
    assert!(run.ended.stdout.contains("git.example.org"), "{}\n{}", run.ended.stdout, run.ended.stderr);
}

#[test]
fn report_renders_the_same_files_again() {
    let place = Place::new(User::Ordinary);
    let text = job(2, &["lava-test-case one --result pass --measurement 1.5 --units s", "lava-sync go"], 20);
    let run = place.run(&place.write("job.yaml", text), &[]);
    run.expect(0);
    let names = [
        "results.yaml",
        "junit.xml",
        "results.tap",
        "report.html",
        "members/0-node/log.yaml",
        "members/1-node/console.log",
    ];
    let before: Vec<String> = names.iter().map(|name| run.file(name)).collect();
    for name in names {
        std::fs::remove_file(run.dir.join(name)).unwrap();
    }
    let ended = place.convoke(&["report", "run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let after: Vec<String> = names.iter().map(|name| run.file(name)).collect();
    assert_eq!(before, after);
}

#[test]
fn completions_and_help_for_every_command() {
    let place = Place::new(User::Ordinary);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = place.convoke(&["completions", shell]);
        assert!(ended.code == Some(0) && ended.stdout.contains("CONVOKE_COMPLETE"), "{shell}: {}", ended.stdout);
    }
    for command in ["run", "check", "flow", "split", "convert", "report", "completions"] {
        let ended = place.convoke(&[command, "--help"]);
        assert_eq!(ended.code, Some(0));
        assert!(ended.stdout.contains("Usage: convoke"), "{}", ended.stdout);
    }
}

#[test]
fn a_closed_reader_is_no_error() {
    let place = Place::new(User::Ordinary);
    let path = fixture("jobs/mixed-boot-methods.yaml");
    let mut child = place.command(&["split".as_ref(), path.as_os_str()]).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn check_prints_an_object_also_for_a_job_that_cannot_be_read() {
    let place = Place::new(User::Ordinary);
    place.write("latin.yaml", b"a: caf\xe9\n");
    let legacy = fixture("jobs/legacy-2014-simple.json");
    let ended = place.convoke(&["check", "--format", "json", "latin.yaml", "nowhere", legacy.to_str().unwrap()]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(2), ""));
    let objects: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let codes: Vec<_> = objects.iter().map(|object| object["diagnostics"][0]["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["yaml.encoding", "file.unreadable", "legacy.deploy-method"]);
}

#[test]
fn report_says_when_a_run_was_cut_off() {
    let place = Place::new(User::Ordinary);
    let run = place.run(&place.write("job.yaml", job(1, &["true"], 20)), &["--log-level", "error"]);
    run.expect(0);
    let whole = place.convoke(&["report", "run"]);
    assert_eq!((whole.code, whole.stderr.as_str()), (Some(0), ""));
    assert_eq!(whole.stdout, run.ended.stdout, "the summary is that of the run");
    let journal = run.file("journal.jsonl");
    let end = journal.find("member-ended").unwrap();
    place.write("run/journal.jsonl", &journal[..end]);
    let ended = place.convoke(&["report", "run"]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("cut off") && ended.stdout.contains("no verdict"), "{}", ended.stderr);
    let results = run.file("results.yaml");
    assert!(results.contains("health: Unknown") && !results.contains("exit_status"), "{results}");
    assert!(run.file("junit.xml").contains("<error message=\"the run was cut off"));
    for (dir, words) in [("nowhere", "does not exist"), (".", "not the folder of a run"), ("job.yaml", "no folder")] {
        let ended = place.convoke(&["report", dir]);
        assert!(ended.code == Some(2) && ended.stderr.contains(words), "{}", ended.stderr);
    }
}

#[test]
fn split_refuses_names_and_numbers_that_no_group_has() {
    let place = Place::new(User::Ordinary);
    let path = fixture("jobs/seed-flow-table.yaml");
    let path = path.to_str().unwrap();
    for wrong in [["--group-id", ""], ["--group-id", "two words"], ["--first-id", "0"], ["--first-id", "4294967296"]] {
        let ended = place.convoke(&[&["split", path], &wrong[..]].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{wrong:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(wrong[0]) && !ended.stderr.contains("bug"), "{wrong:?}: {}", ended.stderr);
    }
}

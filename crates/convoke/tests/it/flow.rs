//! The flow of a job before a run and after it: the verdict of `check`, what `run` refuses, the table of `flow`.

use serde_json::Value;

use crate::harness::{Ended, Place, Run, User, fixture, repository};

/// A client that waits for what nobody sends: one letter is wrong.
const MISSPELT: &str = "jobs/broken/b21-never-sent.yaml";

/// A job of a server and a client with these steps, with a limit for each call.
fn pair(server: &[&str], client: &[&str], limit: u32) -> String {
    let block = |role: &str, steps: &[&str]| {
        format!(
            "- test:\n    role: [{role}]\n    definitions:\n    - from: inline\n      name: {role}\n      path: {role}.yaml\n      \
             repository:\n        metadata: {{format: Lava-Test Test Definition 1.0, name: {role}}}\n        run: {{steps: {}}}\n",
            serde_json::to_string(steps).unwrap()
        )
    };
    format!(
        "job_name: pair\nvisibility: public\ntimeouts: {{job: {{minutes: 2}}, action: {{minutes: 1}}}}\nprotocols:\n  \
         lava-multinode:\n    timeout: {{seconds: {limit}}}\n    roles:\n      server: {{device_type: sandbox, count: 1}}\n      \
         client: {{device_type: sandbox, count: 1}}\nactions:\n- deploy: {{to: sandbox}}\n- boot: {{method: sandbox}}\n{}{}",
        block("server", server),
        block("client", client)
    )
}

fn check(place: &Place, path: &std::path::Path) -> (Ended, Value) {
    let ended = place.convoke(&["check".as_ref(), "--format".as_ref(), "json".as_ref(), path.as_os_str()]);
    let object = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}\n{}", ended.stdout, ended.stderr));
    (ended, object)
}

/// The jobs of a folder, in the order of their names.
pub(crate) fn jobs(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
    paths.retain(|path| !path.to_string_lossy().ends_with(".lab.yaml"));
    paths.sort();
    paths
}

#[test]
fn no_published_job_is_called_impossible_that_is_not() {
    let place = Place::new(User::Ordinary);
    let all = [jobs(&fixture("jobs")), jobs(&repository().join("examples"))].concat();
    assert!(all.len() > 30);
    let mut proved = 0;
    for path in &all {
        let (_, object) = check(&place, path);
        let name = path.file_stem().unwrap().to_str().unwrap();
        let verdict = object["flow"]["verdict"].as_str().unwrap();
        // A member without a test shell never comes to the sync of the others.
        let impossible = name == "interactive-sync";
        assert_eq!(verdict == "cannot-end", impossible, "{name}: {}", object["flow"]);
        proved += usize::from(verdict == "can-end");
        // Why it is not proved is said.
        let reasons = object["flow"]["reasons"].as_array().unwrap();
        assert_eq!(verdict == "can-end", reasons.is_empty(), "{name}: {}", object["flow"]);
    }
    assert!(proved * 2 > all.len(), "{proved} of {} jobs are proved", all.len());
}

#[test]
fn a_flow_that_cannot_end_is_a_warning_with_its_place() {
    let place = Place::new(User::Ordinary);
    let (ended, object) = check(&place, &fixture(MISSPELT));
    // The job can be submitted.
    assert_eq!(ended.code, Some(0));
    assert_eq!(object["flow"]["verdict"], "cannot-end");
    let codes = |list: &Value| -> Vec<String> {
        let mut codes: Vec<_> =
            list.as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect();
        codes.sort();
        codes
    };
    assert_eq!(codes(&object["flow"]["reasons"]), ["flow.never-sent", "flow.sync-incomplete"]);
    let found = codes(&object["diagnostics"]);
    assert!(codes(&object["flow"]["reasons"]).iter().all(|code| found.contains(code)), "{found:?}");
    let findings = object["diagnostics"].as_array().unwrap();
    let first = findings.iter().find(|finding| finding["code"] == "flow.never-sent").unwrap();
    assert_eq!((&first["severity"], &first["spans"][0]["line"]), (&"warning".into(), &32.into()), "{first}");
    for part in ["message", "help"] {
        let text = first[part].as_str().unwrap();
        assert!(text.contains("server_ready") || text.contains("server-ready"), "{part}: {text}");
    }
    let human = place.convoke(&["check".as_ref(), fixture(MISSPELT).as_os_str()]);
    assert!(human.stdout.contains("; the job cannot end"), "{}", human.stdout);
    assert!(human.stderr.contains("flow.never-sent"), "{}", human.stderr);
}

#[test]
fn run_refuses_what_cannot_end_unless_it_is_forced() {
    let place = Place::new(User::Ordinary);
    let text = pair(&["lava-send server-ready"], &["lava-wait server_ready"], 2);
    let job = place.write("job.yaml", text);
    let run = place.run(&job, &[]);
    assert_eq!(run.ended.code, Some(2), "{}\n{}", run.ended.stdout, run.ended.stderr);
    assert!(
        run.ended.stderr.contains("flow.never-sent") && run.ended.stderr.contains("--force"),
        "{}",
        run.ended.stderr
    );
    assert!(!run.dir.exists() && run.ended.stdout.is_empty(), "nothing was run: {}", run.ended.stdout);

    let forced = place.run(&job, &["--force"]);
    forced.expect(1);
    let calls: Vec<Value> = forced.journal().into_iter().filter(|event| event["event"] == "call-answered").collect();
    assert!(calls.iter().any(|call| call["ok"] == false), "the wait was made, and failed: {calls:?}");
}

#[test]
fn what_is_only_unknown_runs() {
    let place = Place::new(User::Ordinary);
    let steps = ["if test -e /nowhere; then lava-wait never; fi"];
    let job = place.write("job.yaml", pair(&steps, &["true"], 5));
    let (_, object) = check(&place, &job);
    assert_eq!(object["flow"]["verdict"], "unknown", "{object}");
    place.run(&job, &[]).expect(0);
}

#[test]
fn the_plan_is_in_the_journal_before_anything_happens() {
    let place = Place::new(User::Ordinary);
    let run = place.run(&place.write("job.yaml", pair(&["lava-sync go"], &["lava-sync go"], 20)), &[]);
    let journal = run.expect(0).journal();
    let at = |name: &str| journal.iter().position(|event| event["event"] == name).unwrap();
    let plan = &journal[at("planned")]["flow"];
    assert!(at("planned") < at("device-allocated").min(at("call-made")));
    assert_eq!((&plan["verdict"], &plan["tense"]), (&"can-end".into(), &"planned".into()));
    assert_eq!(plan["columns"][1]["label"], "client");
    let page = run.file("report.html");
    assert!(page.contains("Planned") && page.contains("What happened"));
}

fn flow(place: &Place, arguments: &[&str]) -> String {
    let ended = place.convoke(&[&["flow"], arguments].concat());
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    ended.stdout
}

#[test]
fn the_table_of_a_job_and_of_its_run() {
    let place = Place::new(User::Ordinary);
    let text = pair(
        &["lava-sync start", "sleep 1", "lava-send ready", "lava-wait done"],
        &["lava-sync start", "lava-wait ready", "lava-send done", "ls /nowhere", "lava-sync end"],
        20,
    );
    place.write("job.yaml", &text);
    let planned = flow(&place, &["job.yaml"]);
    assert!(planned.is_ascii(), "nothing but ASCII where there is no terminal: {planned}");
    for line in [
        "1 |  lava-sync start =+= lava-sync start",
        "2 |  lava-send ready -+> lava-wait ready",
        "3 |  lava-wait done <+- lava-send done",
    ] {
        let squeezed = |text: &str| text.replace([' ', '-', '='], "");
        assert!(squeezed(&planned).contains(&squeezed(line)), "{line}\n{planned}");
    }
    let run: Run = place.run(&place.path("job.yaml"), &["--force"]);
    run.expect(1);
    for table in [flow(&place, &["run"]), flow(&place, &["job.yaml", "run"])] {
        for words in ["what happened", "waited", "(not reached)", "at "] {
            assert!(table.contains(words), "{words}\n{table}");
        }
    }
    let json: Value = serde_json::from_str(&flow(&place, &["run", "--format", "json"])).unwrap();
    assert_eq!((&json["version"], &json["tense"]), (&1.into(), &"happened".into()));
    let cells = json["cells"].as_array().unwrap();
    let wait = cells.iter().find(|cell| cell["text"] == "lava-wait ready").unwrap();
    assert_eq!(wait["came"][0]["waited_for"][0], "server");
    assert!(wait["came"][0]["waited_s"].as_f64().unwrap() > 0.5, "{wait}");
    assert!(flow(&place, &["run", "--format", "svg"]).starts_with("<svg xmlns="));
}

#[test]
fn scripts_of_a_repository_on_this_machine_are_followed() {
    let place = Place::new(User::Ordinary);
    let definition =
        "metadata: {format: Lava-Test Test Definition 1.0, name: t}\nrun: {steps: ['./run-$(lava-role).sh']}\n";
    place.write("tests/t.yaml", definition);
    place.write("tests/run-server.sh", "lava-send server-ready\n");
    place.write("tests/run-client.sh", "lava-wait server-raedy\n");
    let git = |arguments: &[&str]| {
        let name = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "safe.directory=*"];
        let output =
            std::process::Command::new("git").args(name).args(arguments).current_dir(place.path("tests")).output();
        assert!(output.unwrap().status.success(), "git {arguments:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "tests"]);
    // What is not committed is not run, and not looked at.
    place.write("tests/run-client.sh", "lava-wait server-ready\n");
    let text = pair(&["true"], &["true"], 5);
    let from = text.find("- test:").unwrap();
    let text = format!(
        "{}- test:\n    definitions:\n    - {{from: git, repository: tests, path: t.yaml, name: t}}\n",
        &text[..from]
    );
    let job = place.write("job.yaml", text);
    let (_, object) = check(&place, &job);
    assert_eq!(object["flow"]["verdict"], "cannot-end", "{object}");
    assert!(object["flow"]["reasons"][0]["message"].as_str().unwrap().contains("server-raedy"), "{object}");
    git(&["commit", "-qam", "mended"]);
    assert_eq!(check(&place, &job).1["flow"]["verdict"], "can-end");
    let left: Vec<_> = std::fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "checking leaves nothing: {left:?}");
}

#[test]
fn a_wait_in_vain_is_no_end_unless_the_script_provides_for_it() {
    let place = Place::new(User::Ordinary);
    for (step, verdict) in [
        ("lava-wait never", "cannot-end"),
        ("set +e; lava-wait never; true", "cannot-end"),
        ("sh -c 'lava-wait never; true'", "cannot-end"),
        ("lava-test-case waited --shell lava-wait never", "cannot-end"),
        ("lava-wait never || true", "can-end"),
        ("if lava-wait never; then lava-wait never; fi", "can-end"),
        ("set +e; timeout 2 lava-wait never; true", "can-end"),
        ("set +e; lava-wait never; [ $? = 0 ] || exit", "unknown"),
    ] {
        let job = place.write("job.yaml", pair(&["true"], &[step], 5));
        let (_, object) = check(&place, &job);
        assert_eq!(object["flow"]["verdict"], verdict, "{step}: {object}");
    }
}

#[test]
fn check_explains_a_code() {
    let place = Place::new(User::Ordinary);
    let page = place.convoke(&["check", "--explain", "flow.never-sent"]);
    assert_eq!((page.code, page.stderr.as_str()), (Some(0), ""));
    assert!(page.stdout.starts_with("# flow.never-sent\n") && page.stdout.contains("## Right"), "{}", page.stdout);
    let unknown = place.convoke(&["check", "--explain", "flow.never-send"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(2), ""));
    assert!(unknown.stderr.contains("did you mean `flow.never-sent`"), "{}", unknown.stderr);
    for (code, words) in [("flow.nope", "`flow.cycle`, "), ("nope.code", "`convoke check --explain` lists all codes")] {
        let unknown = place.convoke(&["check", "--explain", code]);
        assert!(unknown.code == Some(2) && unknown.stderr.contains(words), "{}", unknown.stderr);
    }
    let list = place.convoke(&["check", "--explain"]);
    assert_eq!((list.code, list.stderr.as_str()), (Some(0), ""));
    assert_eq!(list.stdout.lines().count(), convoke_job::codes().count());
    assert!(list.stdout.lines().all(|line| line.ends_with('.')), "{}", list.stdout);
}

#[test]
fn flow_refuses_what_is_no_job_and_no_run() {
    let place = Place::new(User::Ordinary);
    place.write("job.yaml", pair(&["true"], &["true"], 5));
    for (arguments, words) in [
        (&["flow", "nowhere.yaml"][..], "does not exist"),
        (&["flow", "."], "not the folder of a run"),
        (&["flow", "job.yaml", "nowhere"], "not the folder of a run"),
        (&["flow"], "JOB"),
    ] {
        let ended = place.convoke(arguments);
        assert!(ended.code == Some(2) && ended.stderr.contains(words), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
    let bad = place.convoke(&["flow".as_ref(), fixture("jobs/broken/b02-count-is-text.yaml").as_os_str()]);
    assert!(bad.code == Some(2) && bad.stderr.contains("role.count"), "{}", bad.stderr);
}

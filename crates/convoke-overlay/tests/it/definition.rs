//! What a test definition's document says, and what is wrong with it.

use convoke_overlay::definition::TestDefinition;
use convoke_overlay::script::{ScriptContext, install_script, run_script};
use serde_json::Value;

fn value(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap()
}

/// A document with what every definition needs in front.
fn document(yaml: &str) -> Value {
    value(&format!("metadata: {{format: Lava-Test Test Definition 1.0, name: x}}\n{yaml}"))
}

pub(crate) fn definition(yaml: &str) -> TestDefinition {
    TestDefinition::from_value(&document(yaml)).unwrap()
}

#[track_caller]
fn check_error(value: &Value, expected: &str) {
    let error = TestDefinition::from_value(value).unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error:?} does not begin with {expected:?}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn every_mistake_is_named_with_its_path() {
    check_error(&value("[1]"), "test definition: must be a mapping");
    check_error(&value("run: {steps: []}"), "metadata: missing");
    check_error(&value("metadata: {format: x}"), "metadata.name: missing");
    for (yaml, expected) in [
        ("run: {steps: ls}", "run.steps: must be a list"),
        ("run: {steps: [{echo \"a\": b}]}", "run.steps[0]: is a mapping, not a shell line; put"),
        ("run: {steps: [ls, [ls]]}", "run.steps[1]: is a list"),
        ("run: [ls]", "run: must be a mapping"),
        ("params: {bad-name: 1}", "params.bad-name: not a shell variable name"),
        ("parameters: [1]", "parameters: must be a mapping"),
        ("install: {git-repos: x}", "install.git-repos: must be a list"),
        ("install: {git-repos: [{branch: x}]}", "install.git-repos[0]: has no url"),
        ("install: {git-repos: [{url: x, destination: ../y}]}", "install.git-repos[0]: destination \"../y\""),
        ("install: {git-repos: [{url: x, destination: a/b}]}", "install.git-repos[0]: destination \"a/b\""),
        (
            "install: {git-repos: [{url: x, destination: run.sh}]}",
            "install.git-repos[0]: destination \"run.sh\" is used",
        ),
        ("install: {deps: {a: b}}", "install.deps: must be a list"),
        ("parse: {pattern: '(?P<test_case_id>x'}", "parse.pattern: not a regular expression: "),
        ("parse: {pattern: '(?P<result>x)'}", "parse.pattern: has no group (?P<test_case_id>…)"),
        ("parse: {pattern: '(?P<test_case_id>x)'}", "parse.pattern: has no group (?P<result>…)"),
        (
            "parse: {pattern: '(?P<test_case_id>x) (?P<result>y)', fixupdict: {y: good}}",
            "parse.fixupdict.y: \"good\" is not",
        ),
    ] {
        check_error(&document(yaml), expected);
    }
}

#[test]
fn what_is_odd_is_tolerated_with_a_warning() {
    let definition = definition(
        "novelty: 1\nrun: {steps: [ls, null, true, 7], later: []}\ninstall: {hooks: [], deps: [a, ' ', ' b ']}\nexpected: [a, 1]\n",
    );
    assert_eq!(definition.run_steps, ["ls", "true", "7"]);
    assert_eq!(definition.deps, ["a", "b"]);
    assert_eq!(definition.expected, Some(vec!["a".to_string(), "1".into()]));
    insta::assert_snapshot!(definition.warnings.join("\n"), @r"
    novelty: unknown key of a test definition; ignored
    install.hooks: unknown key; ignored
    run.later: unknown key; ignored
    run.steps[2]: a boolean; put it between quotes (taken as true)
    ");
    assert!(TestDefinition::from_value(&value("metadata: {name: x}")).unwrap().warnings.len() >= 2);
}

#[test]
fn parameters_are_merged_in_order_and_quoted() {
    let definition =
        definition("parameters: {B: it's}\nparams: {A: 1, FLAG: true, NONE: null, F: 1.5}\nrun: {steps: [ls]}");
    let job = [("A".to_string(), Some("from $job `x`".to_string())), ("LATE".into(), None)];
    let script = run_script(&definition, &ScriptContext { parameters: &job, ..CONTEXT });
    let block: Vec<&str> = script.lines().take_while(|line| !line.starts_with("set ")).collect();
    insta::assert_snapshot!(block.join("\n"), @r#"
    A='1'
    FLAG='True'
    NONE=''
    F='1.5'
    B='it'"'"'s'
    A='from $job `x`'
    LATE=''
    "#);
}

#[test]
fn repositories_may_name_parameters() {
    let definition = definition(
        "params: {URL: https://host/a.git, BRANCH: main}\ninstall:\n  git-repos: [URL, {url: host:b, branch: BRANCH, destination: bb}, https://h/c/]\nrun: {steps: [ls]}",
    );
    let show = |job: &[(String, Option<String>)]| {
        definition.resolved_git_repos(job).map(|repos| {
            let lines = repos.iter().map(|repo| format!("{} {:?} {}", repo.url, repo.branch, repo.destination));
            lines.collect::<Vec<_>>().join("\n")
        })
    };
    insta::assert_snapshot!(show(&[]).unwrap(), @r#"
    https://host/a.git None a
    host:b Some("main") bb
    https://h/c/ None c
    "#);
    let job = [("URL".to_string(), Some("/srv/bb".to_string()))];
    assert_eq!(
        show(&job).unwrap_err().to_string(),
        "install.git-repos[1]: two repositories go to \"bb\"; give one a destination of its own"
    );
    assert!(show(&[("URL".to_string(), None)]).unwrap_err().to_string().contains("gives no url"));
}

const CONTEXT: ScriptContext<'_> = ScriptContext {
    suite: "0_x",
    directory: "/lava-7/0/tests/0_x",
    parameters: &[],
    skip_install: &[],
    kmsg: false,
    distro: Some("debian"),
    character_delay: None,
};

const INSTALL: &str = "
install:
  keys: [KEY]
  sources: ['deb http://host/ x main']
  deps: [curl]
  deps-debian: ['it''s']
  deps-fedora: [dnf]
  steps: ['echo \"a: b\"', 'false']
run: {steps: []}
";

#[test]
fn install_scripts_leave_out_what_is_skipped() {
    let all = definition(INSTALL);
    insta::assert_snapshot!(install_script(&all, &CONTEXT).unwrap());
    let skipping = |parts: &[&str]| {
        let skip: Vec<String> = parts.iter().map(|part| part.to_string()).collect();
        install_script(&all, &ScriptContext { skip_install: &skip, ..CONTEXT })
    };
    assert_eq!(skipping(&["all"]), None);
    assert_eq!(skipping(&["keys", "sources", "deps", "steps"]).unwrap(), "");
    assert!(!skipping(&["deps"]).unwrap().contains("lava-install-packages"));
    assert_eq!(install_script(&definition("run: {steps: [ls]}"), &CONTEXT), None);
    let elsewhere = install_script(&all, &ScriptContext { distro: None, ..CONTEXT }).unwrap();
    assert!(elsewhere.contains("lava-install-packages curl ||"), "{elsewhere}");
}

#[test]
fn run_scripts_for_slow_and_for_kernel_consoles() {
    let definition = definition("run: {steps: ['lava-test-case x --shell \"echo $1 \\$2 $HOME\"', 'echo $1']}");
    let context = ScriptContext { kmsg: true, character_delay: Some(std::time::Duration::from_millis(5)), ..CONTEXT };
    insta::assert_snapshot!(run_script(&definition, &context));
}

/// The status of a script and what it printed, run by a real shell with stand-ins for the helpers.
fn run(script: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("uuid"), "7_1.1.3.1").unwrap();
    let script = script.replace("/lava-7/0/tests/0_x", folder.path().to_str().unwrap());
    for (name, status) in [("lava-add-keys", 0), ("lava-add-sources", 0), ("lava-install-packages", 100)] {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\nexit {status}\n")).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let output = std::process::Command::new("/bin/sh").arg("-c").arg(script).env("PATH", path).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// D18.
#[test]
fn a_later_step_does_not_hide_that_dependencies_failed() {
    let script = install_script(&definition(INSTALL.replace("'false'", "'true'").as_str()), &CONTEXT).unwrap();
    let (status, text) = run(&script);
    assert_eq!(status, 0);
    assert!(text.starts_with("<LAVA_TEST_RUNNER>: 0_x dependencies failed with: 100\n"), "{text}");
    let alone = install_script(&definition("install: {deps: [x]}"), &CONTEXT).unwrap();
    assert_eq!(run(&alone).0, 100);
    assert_eq!(run(&install_script(&definition(INSTALL), &CONTEXT).unwrap()).0, 1);
}

#[test]
fn a_failing_step_ends_a_run_before_its_endrun() {
    let script = |steps: &str| run_script(&definition(&format!("run: {{steps: {steps}}}")), &CONTEXT);
    let (status, text) = run(&script("[echo one, 'false', echo two]"));
    assert_eq!((status, text.as_str()), (1, "<LAVA_SIGNAL_STARTRUN 0_x 7_1.1.3.1>\none\n"));
    let (status, text) = run(&script("['echo \"a: b\"']"));
    assert_eq!(
        (status, text.as_str()),
        (0, "<LAVA_SIGNAL_STARTRUN 0_x 7_1.1.3.1>\na: b\n<LAVA_SIGNAL_ENDRUN 0_x 7_1.1.3.1>\n")
    );
}

//! 2014 JSON in, v2 YAML and findings out.

use std::collections::BTreeMap;
use std::path::Path;

use convoke_job::legacy::{Converted, LegacyMap, LegacyOptions, Template, convert, is_legacy};
use convoke_job::{Source, yaml};
use serde_json::{Value, json};

fn fixture(name: &str) -> Source {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/legacy").join(name);
    Source::new(name, std::fs::read_to_string(path).unwrap())
}

/// The lab of the expected file: panda and beaglexm are flashed and boot by themselves.
fn lab() -> LegacyMap {
    let template = Template {
        deploy: json!({"to": "flasher"}).as_object().unwrap().clone(),
        image: Some("image".into()),
        image_arg: None,
        boot: json!({"method": "minimal"}).as_object().unwrap().clone(),
    };
    ["panda", "beaglexm"].into_iter().map(|name| (name.to_owned(), template.clone())).collect()
}

fn with_lab() -> LegacyOptions {
    LegacyOptions { legacy_map: lab(), ..LegacyOptions::default() }
}

/// The plain value of a v2 document that has no findings at all.
#[track_caller]
fn value(yaml: &str) -> Value {
    let source = Source::new("converted.yaml", yaml);
    let checked = convoke_job::read(&source, &Default::default());
    assert_eq!(checked.diagnostics, [], "{yaml}");
    assert!(checked.job.is_some());
    let (root, findings) = yaml::parse(&source, yaml::Limits::default());
    assert_eq!(findings, [], "{yaml}");
    root.unwrap().to_value()
}

/// `line:column code at path: message` and the help, one finding a line.
fn findings(source: &Source, converted: &Converted) -> Vec<String> {
    let line = |finding: &convoke_job::Diagnostic| {
        let at = source.position(finding.labels[0].span.start);
        let severity = if finding.is_error() { "" } else { " (warning)" };
        let help = finding.help.as_ref().map(|help| format!(" [{help}]")).unwrap_or_default();
        format!("{}:{} {}{severity} at {}: {}{help}", at.line, at.column, finding.code, finding.path, finding.message)
    };
    converted.diagnostics.iter().map(line).collect()
}

/// Converts text that has findings; checks that YAML is missing exactly when one is an error.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let source = Source::new("job.json", text);
    let converted = convert(&source, &LegacyOptions::default());
    assert_eq!(findings(&source, &converted), expected);
    let refused = converted.diagnostics.iter().any(convoke_job::Diagnostic::is_error);
    assert_eq!(converted.yaml.is_none(), refused);
}

/// A group of two sandboxes with these roles and actions.
fn job(roles: &str, actions: &str) -> String {
    format!("{{\"timeout\": 900,\n\"device_group\": [{roles}],\n\"actions\": [{actions}]}}")
}

const TWO: &str =
    r#"{"role": "a", "count": 1, "device_type": "sandbox"}, {"role": "b", "count": 1, "device_type": "sandbox"}"#;
const TEST: &str = r#"{"command": "lava_test_shell", "parameters": {"testdef_repos": [{"git-repo": "git://g/t.git", "testdef": "t.yaml"}]}}"#;

/// The document that a sound job gives.
#[track_caller]
fn converted(text: &str, options: &LegacyOptions) -> Value {
    let source = Source::new("job.json", text);
    let converted = convert(&source, options);
    let errors: Vec<String> = findings(&source, &converted);
    value(&converted.yaml.unwrap_or_else(|| panic!("refused: {errors:#?}")))
}

#[test]
fn the_simple_job_gives_the_expected_document() {
    let source = fixture("legacy-2014-simple.json");
    let expected = value(fixture("legacy-2014-simple.expected.yaml").text());
    let options = LegacyOptions { hostname_members: false, ..with_lab() };
    let plain = convert(&source, &options);
    assert_eq!(findings(&source, &plain), [""; 0]);
    assert_eq!(value(&plain.yaml.unwrap()), expected);

    let named = convert(&source, &with_lab());
    let mut with_names = expected;
    with_names["protocols"]["lava-multinode"]["member-names"] = json!("hostname");
    assert_eq!(value(&named.yaml.unwrap()), with_names);
}

#[test]
fn the_simple_job_as_text() {
    let converted = convert(&fixture("legacy-2014-simple.json"), &with_lab());
    insta::assert_snapshot!(converted.yaml.unwrap());
}

#[test]
fn the_netperf_job_as_text() {
    let converted = convert(&fixture("legacy-2014-netperf.json"), &with_lab());
    insta::assert_snapshot!(converted.yaml.unwrap());
}

#[test]
fn the_slave_job_as_text() {
    let source = fixture("legacy-2014-slave.json");
    let converted = convert(&source, &LegacyOptions::default());
    assert_eq!(findings(&source, &converted), [""; 0]);
    let yaml = converted.yaml.unwrap();
    value(&yaml);
    insta::assert_snapshot!(yaml);
}

#[test]
fn an_unknown_board_is_an_error_and_in_a_rehearsal_a_warning() {
    let source = fixture("legacy-2014-netperf.json");
    let refused = convert(&source, &LegacyOptions::default());
    assert_eq!(refused.yaml, None);
    assert_eq!(
        findings(&source, &refused),
        [
            "10:17 legacy.deploy-method at actions[0].command: it is not known how an image gets onto a device of type panda \
          [say it in the lab file: legacy-map: {panda: {deploy: {to: flasher}, boot: {method: minimal}}}; \
          or rehearse the job on sandboxes]"
        ]
    );
    let rehearsed = convert(&source, &LegacyOptions { rehearse: true, ..LegacyOptions::default() });
    let document = value(&rehearsed.yaml.clone().unwrap());
    assert_eq!(document["actions"][0]["deploy"], json!({"role": ["client", "server"], "to": "overlay"}));
    let found = findings(&source, &rehearsed);
    assert!(found[0].contains("legacy.deploy-method (warning)") && found.len() == 2, "{found:#?}");
}

#[test]
fn a_list_closed_with_a_brace() {
    let source = fixture("legacy-trailing-brace.json");
    assert_eq!(
        findings(&source, &convert(&source, &LegacyOptions::default())),
        ["6:1 legacy.json-syntax at : the list opened in line 4 is closed with `}` \
          [write `]`, or remove `}` if the list goes on]"]
    );
}

#[test]
fn a_group_of_one() {
    let source = fixture("legacy-group-of-one.json");
    let found = findings(&source, &convert(&source, &LegacyOptions::default()));
    assert!(
        found[0].starts_with("1:18 legacy.group-size at device_group: a group has at least two devices"),
        "{found:#?}"
    );
    assert!(found[1..].iter().all(|finding| finding.contains("(warning)")), "{found:#?}");
}

#[test]
fn roles_are_checked() {
    check(
        &job(
            r#"{"role": "a", "count": 2, "device": "panda01", "device_type": "sandbox"},
            {"role": "a", "count": 1, "device_type": "sandbox"},
            {"role": "b c", "count": "1", "device_type": "sandbox", "power": 1},
            {"count": 1, "device": "panda02"}"#,
            TEST,
        ),
        &[
            "2:41 legacy.count-with-device at device_group[0].count: a role with one \"device\" has \"count\" 1, not 2 \
             [set \"count\" to 1, or give \"device_type\" instead of \"device\"]",
            "3:22 legacy.duplicate-role at device_group[1]: role a is listed twice [raise the first one's count, or rename one]",
            "4:22 legacy.role at device_group[2].role: \"b c\" is no role name [use letters, digits, `_`, `.` and `-`, at most 64, not beginning with `.` or `-`]",
            "4:38 legacy.count at device_group[2].count: \"count\" is a whole number from 0 to 10000, not the string \"1\"",
            "4:69 legacy.dropped-key (warning) at device_group[2].power: \"power\" of a role has no counterpart and is dropped",
            "5:13 legacy.role at device_group[3].role: \"role\" is missing [name the role]",
            "5:13 legacy.device-type at device_group[3].device_type: the type of device panda02 is not known [add \"device_type\", or give a lab file that lists the device]",
        ],
    );
}

#[test]
fn the_roles_of_actions_are_checked() {
    let with = |role: &str, beside: &str| TEST.replace("}]}}", &format!("}}]{role}}}{beside}}}"));
    let actions = [
        with(r#", "role": ["a", "b"]"#, ""),
        with("", r#", "role": "a""#),
        with(r#", "role": "cleint""#, ""),
        r#"{"command": "lava_test_shel"}"#.to_owned(),
        r#"{"command": "lava_test_install"}"#.to_owned(),
        r#"{"parameters": {}}"#.to_owned(),
    ];
    check(
        &job(TWO, &actions.join(",\n")),
        &[
            "3:138 legacy.role-list (warning) at actions[0].parameters.role: V1 took one role an action; the list is understood as it is",
            "4:119 legacy.role-position (warning) at actions[1].role: \"role\" stands beside \"parameters\"; V1 looked for it inside [move it into \"parameters\"]",
            "5:126 legacy.unknown-role at actions[2].parameters.role: role cleint is not in \"device_group\" [roles: a, b]",
            "6:13 legacy.unknown-command at actions[3].command: unknown command lava_test_shel [did you mean lava_test_shell?]",
            "7:13 legacy.unknown-command at actions[4].command: command lava_test_install cannot be converted [known commands: deploy_linaro_image, deploy_linaro_kernel, deploy_linaro_android_image, deploy_image, dummy_deploy, boot_linaro_image, boot_image, boot_linaro_android_image, lava_test_shell, lava_command_run, submit_results, submit_results_on_host]",
            "8:1 legacy.unknown-command at actions[5].command: \"command\" is missing [say what to do: \"command\": \"lava_test_shell\"]",
        ],
    );
}

#[test]
fn the_top_level_is_checked() {
    check(
        r#"{"timeout": "900", "priority": "urgent", "actions": {}, "target": "p1", "colour": 1}"#,
        &[
            "1:1 legacy.device-type at device_type: the type of device p1 is not known [add \"device_type\", or give a lab file that lists the device]",
            "1:13 legacy.no-timeout at timeout: \"timeout\" is a whole number of seconds from 1, not the string \"900\" [give the limit of each action in seconds: \"timeout\": 900]",
            "1:32 legacy.value at priority: \"urgent\" is no priority [use one of high, medium, low]",
            "1:53 legacy.value at actions: \"actions\" is a list of commands, not a mapping",
            "1:73 legacy.dropped-key (warning) at colour: \"colour\" has no counterpart and is dropped",
        ],
    );
    check(
        r#"{"timeout": 9, "vm_group": {}}"#,
        &["1:16 legacy.vm-group at vm_group: virtual machines that are started on a host device cannot be converted \
           [write secondary connections: a role with `connection: ssh`, `host_role` and `expect_role`]"],
    );
    check("[]", &["1:1 legacy.value at : a job is a JSON object; this is a list"]);
}

#[test]
fn bazaar_slaves_alone_and_tokens() {
    let slaves = TWO.replace("}", r#", "is_slave": true}"#);
    check(
        &job(
            &slaves,
            r#"{"command": "lava_test_shell", "parameters": {"testdef_repos": [{"bzr-repo": "lp:x", "testdef": "t.yaml"}, {}]}}"#,
        ),
        &[
            "2:27 legacy.slave-alone at device_group: role a is a slave, but no other role could boot it [add a role without \"is_slave\" whose test boots the slave]",
            "3:78 legacy.bzr at actions[0].parameters.testdef_repos[0].bzr-repo: Bazaar repositories are not fetched [move the test definition to git, and name it with \"git-repo\"]",
            "3:120 legacy.value at actions[0].parameters.testdef_repos[1]: a test definition needs \"git-repo\" or \"tar-repo\"",
        ],
    );
}

#[test]
fn rarer_findings() {
    let codes = |text: &str| {
        let converted = convert(&Source::new("job.json", text), &LegacyOptions::default());
        converted.diagnostics.into_iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    let three_roles = format!("{TWO}, {}", TWO.replace(r#""a""#, r#""c""#).replace(r#""b""#, r#""d""#));
    let slaves = three_roles.replace("}", r#", "is_slave": true}"#).replacen(r#", "is_slave": true"#, "", 1);
    let of_a = TEST.replace("}]}}", r#"}], "role": "a"}}"#);
    let boot_b = r#"{"command": "boot_image", "parameters": {"role": "b"}}"#;
    let image = r#"{"command": "deploy_image", "parameters": {"image": "/srv/i.img", "colour": 1}}"#;
    for (text, expected) in [
        (r#"{"timeout": 9, "timeout": 10, "actions": []}"#.to_owned(), "legacy.duplicate-key"),
        (job(TWO, &of_a), "legacy.no-actions"),
        (job(TWO, &format!("{of_a}, {boot_b}")), "legacy.no-test"),
        (job(TWO, image), "legacy.parameter"),
        (job(TWO, image), "legacy.url"),
        (job(TWO, &TEST.replace("}]}}", r#"}], "repeat": 100000000}}"#)), "legacy.size"),
        (job(&slaves, TEST), "legacy.slaves"),
    ] {
        let found = codes(&text);
        assert!(found.contains(&expected), "{expected} is not in {found:?} of {text}");
    }
}

#[test]
fn a_token_is_never_written() {
    let submit = r#"{"command": "submit_results", "parameters": {"server": "http://u:p@h/", "stream": "/private/personal/me/x/", "token": "s3cret"}}"#;
    let source = Source::new("job.json", job(TWO, &format!("{TEST}, {submit}")));
    let converted = convert(&source, &LegacyOptions::default());
    assert!(findings(&source, &converted)[0].contains("legacy.token (warning)"));
    let yaml = converted.yaml.unwrap();
    assert!(!yaml.contains("s3cret"));
    assert_eq!(value(&yaml)["visibility"], "personal");
}

#[test]
fn sandboxes_run_without_a_map() {
    let document = converted(&job(TWO, TEST), &LegacyOptions::default());
    assert_eq!(
        document["actions"],
        json!([
            {"deploy": {"role": ["a"], "to": "sandbox"}},
            {"deploy": {"role": ["b"], "to": "sandbox"}},
            {"boot": {"role": ["a", "b"], "method": "sandbox"}},
            {"test": {"role": ["a", "b"], "definitions": [
                {"from": "git", "repository": "git://g/t.git", "path": "t.yaml", "name": "t"}]}},
        ])
    );
    assert_eq!(document["job_name"], "legacy multinode job");
    assert_eq!(document["visibility"], "personal");
    assert_eq!(document["timeouts"]["job"], json!({"minutes": (900 * 3 + 900 + 300) / 60}));
}

#[test]
fn repeated_actions_and_equal_names() {
    let one = TEST.replace("}]}}", r#"}], "repeat": 2, "skip_install": true, "timeout": 1200}}"#);
    let deploy = r#"{"command": "dummy_deploy", "parameters": {"target_type": "oe"}}"#;
    let document = converted(&job(TWO, &format!("{deploy}, {one}")), &LegacyOptions::default());
    let names: Vec<&Value> = document["actions"].as_array().unwrap()[2..]
        .iter()
        .map(|action| &action["test"]["definitions"][0]["name"])
        .collect();
    assert_eq!(names, ["t", "t-2"]);
    let test = &document["actions"][2]["test"];
    assert_eq!(
        (&test["timeout"], &test["definitions"][0]["skip_install"]),
        (&json!({"seconds": 1200}), &json!(["all"]))
    );
    assert_eq!(document["actions"][0]["deploy"]["os"], "oe");
}

#[test]
fn actions_given_once_a_role_are_merged_on_request() {
    let for_role = |role: &str| TEST.replace("}]}}", &format!(r#"}}], "role": "{role}"}}}}"#));
    let text = job(TWO, &format!("{{\"command\": \"dummy_deploy\"}}, {}, {}", for_role("a"), for_role("b")));
    let apart = converted(&text, &LegacyOptions::default());
    assert_eq!(apart["actions"].as_array().unwrap().len(), 4);
    let merged = converted(&text, &LegacyOptions { merge: true, ..LegacyOptions::default() });
    assert_eq!(merged["actions"][2]["test"]["role"], json!(["a", "b"]));
    assert_eq!(merged["actions"].as_array().unwrap().len(), 3);
}

#[test]
fn a_kernel_over_the_network() {
    let deploy = r#"{"command": "deploy_linaro_kernel", "parameters": {"kernel": "http://h/uImage", "ramdisk": "http://h/r.cpio.gz",
        "login_prompt": "login:", "username": "root", "role": "a"}}, {"command": "dummy_deploy", "parameters": {"role": "b"}}"#;
    let roles = TWO.replacen("sandbox", "panda", 1);
    let document = converted(&job(&roles, &format!("{deploy}, {TEST}")), &LegacyOptions::default());
    assert_eq!(
        document["actions"][0]["deploy"],
        json!({"role": ["a"], "to": "tftp", "kernel": {"url": "http://h/uImage", "type": "uimage"},
               "ramdisk": {"url": "http://h/r.cpio.gz", "compression": "gz"}})
    );
    assert_eq!(
        document["actions"][2]["boot"],
        json!({"role": ["a"], "method": "u-boot", "commands": "ramdisk",
               "auto_login": {"login_prompt": "login:", "username": "root"},
               "prompts": ["root@.*[#$] ?$", "\\(initramfs\\)"]})
    );
}

#[test]
fn commands_become_an_inline_definition() {
    let run =
        r#"{"command": "lava_command_run", "parameters": {"commands": ["true", "echo: \"hi\""], "iterations": 2}}"#;
    let document = converted(&job(TWO, run), &LegacyOptions::default());
    let definition = &document["actions"][3]["test"]["definitions"][0];
    assert_eq!(definition["from"], "inline");
    assert_eq!(definition["repository"]["run"]["steps"], json!(["true", "echo: \"hi\"", "true", "echo: \"hi\""]));
}

#[test]
fn a_definition_by_itself_is_converted_with_a_warning() {
    let run = r#"{"command": "lava_test_shell", "parameters": {"testdef_urls": ["http://h/d/smoke.yaml"]}}"#;
    let source = Source::new("job.json", job(TWO, run));
    let converted = convert(&source, &LegacyOptions::default());
    assert!(findings(&source, &converted)[0].contains("legacy.testdef-url (warning)"));
    let document = value(&converted.yaml.unwrap());
    let expected = json!({"from": "url", "repository": "http://h/d/smoke.yaml", "path": "smoke.yaml", "name": "smoke"});
    assert_eq!(document["actions"][3]["test"]["definitions"], json!([expected]));
}

#[test]
fn a_job_for_one_device() {
    let devices = BTreeMap::from([("panda01".to_owned(), "panda".to_owned())]);
    let options = LegacyOptions { devices, ..with_lab() };
    let text = r#"{"timeout": 60, "target": "panda01", "actions": [
        {"command": "deploy_linaro_image", "parameters": {"image": "http://h/i.img.xz"}}, TEST]}"#;
    let document = converted(&text.replace("TEST", TEST), &options);
    assert_eq!((&document["device_type"], &document["device"]), (&json!("panda"), &json!("panda01")));
    assert_eq!(document.get("protocols"), None);
    assert_eq!(
        document["actions"][0]["deploy"]["images"]["image"],
        json!({"url": "http://h/i.img.xz", "compression": "xz"})
    );
    assert_eq!(document["actions"][0]["deploy"].get("role"), None);
}

#[test]
fn every_odd_string_survives() {
    for odd in [
        "yes",
        "No",
        "null",
        "~",
        "",
        " a",
        "a ",
        "1:30",
        "0755",
        "-",
        "- x",
        "#x",
        "a: b",
        "a #b",
        "'",
        "\"",
        "\\",
        "\\'\"",
        "\n",
        "a\tb",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "é",
        "{x}",
        "[x]",
        "*a",
        "&a",
        "!t",
        "%d",
        "@",
        "`",
        "2014-09-01",
        "1e3",
        ".inf",
        "=",
        "<<",
        "?",
        "|",
        ">",
        "\u{7f}",
        "\u{0}",
        "😀",
        "a,b",
    ] {
        let run = json!({"command": "lava_command_run", "parameters": {"commands": [odd]}}).to_string();
        let document = converted(&job(TWO, &run), &LegacyOptions::default());
        assert_eq!(document["actions"][3]["test"]["definitions"][0]["repository"]["run"]["steps"], json!([odd]));
    }
}

#[test]
fn which_text_is_a_2014_job() {
    for name in ["legacy-2014-simple.json", "legacy-2014-netperf.json", "legacy-2014-slave.json"] {
        assert!(is_legacy(fixture(name).text()), "{name}");
    }
    for name in ["legacy-trailing-brace.json", "legacy-group-of-one.json"] {
        assert!(is_legacy(fixture(name).text()), "{name}");
    }
    assert!(is_legacy("\u{feff}\n {\"timeout\": 9, \"actions\": []}"));
    assert!(is_legacy(r#"{"actions": [{"command": "x"}]}"#));
    assert!(!is_legacy(fixture("legacy-2014-simple.expected.yaml").text()));
    let v2 = r#"{"job_name": "x", "timeouts": {"job": {"minutes": 1}}, "visibility": "public", "actions": [{"command": {"name": "x"}}]}"#;
    assert!(!is_legacy(v2));
    assert!(!is_legacy("") && !is_legacy("{}") && !is_legacy("job_name: x"));
}

mod syntax;

//! What is no JSON, and where.

use convoke_job::Source;
use convoke_job::legacy::{LegacyOptions, convert, json};
use proptest::prelude::*;
use serde_json::Value;

/// Line, column, message and help of each finding.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let source = Source::new("job.json", text);
    let (_, findings) = json::parse(&source);
    let shown: Vec<String> = findings
        .iter()
        .map(|finding| {
            let at = source.position(finding.labels[0].span.start);
            let help = finding.help.as_ref().map(|help| format!(" [{help}]")).unwrap_or_default();
            format!("{}:{} {}{help}", at.line, at.column, finding.message)
        })
        .collect();
    assert_eq!(shown, expected);
}

#[test]
fn what_people_get_wrong() {
    check("", &["1:1 the document is empty [give a JSON object]"]);
    check("{\"a\": 1,\n}", &["1:8 a comma before the end of the object [remove the comma]"]);
    check(
        "[1,,2,]",
        &["1:4 two commas in a row [remove one]", "1:6 a comma before the end of the list [remove the comma]"],
    );
    check(
        "{\"a\": 1\n \"b\": 2}",
        &["2:2 expected `,` or the end of the object, found `\"` [put a comma between two entries]"],
    );
    check("{a: 1}", &["1:2 expected a key in double quotes, found `a` [keys are strings: \"timeout\": 900]"]);
    check("{'a': 1}", &["1:2 expected a key in double quotes, found `'` [keys are strings: \"timeout\": 900]"]);
    check("{\"a\": 'x'}", &["1:7 strings stand in double quotes [write \" instead of ']"]);
    check("{\"a\" 1}", &["1:6 expected `:` after the key \"a\", found `1`"]);
    check("{\"a\": 1} x", &["1:10 the document goes on with `x` after its end [remove what follows the last bracket]"]);
    check("{\"a\": [1, 2", &["1:12 the text ends inside the list opened in line 1 [close it with `]`]"]);
    check("{\"a\": True}", &["1:7 unknown word True [write true]"]);
    check("{\"a\": None}", &["1:7 unknown word None [write null]"]);
    check("{ // x\n}", &["1:3 expected a key in double quotes, found `/` [keys are strings: \"timeout\": 900]"]);
    check("{\"a\": # x\n1}", &["1:7 JSON has no comments [remove the comment]"]);
    check(
        "{\"a\": 0900}",
        &["1:7 0900 is not a number [write numbers in decimal without leading zeros; quote anything else]"],
    );
    check(
        "{\"a\": \"x\ny\"}",
        &["1:7 the string does not end in its line [close it with \"; write a line break as \\n]"],
    );
    check("{\"a\": \"\\d\"}", &["1:8 an unknown escape in a string [write a backslash itself as \\\\]"]);
    check("{\"a\": \"\\ud800\"}", &["1:8 half of a surrogate pair"]);
    check("{\"a\": 1, \"a\": 2}", &["1:10 the key \"a\" stands here twice; the last one counts"]);
}

#[test]
fn deep_and_large_documents_are_refused() {
    check(&"[".repeat(100_000), &["1:101 lists and objects nest deeper than 100"]);
    check(&" ".repeat(2 << 20), &["1:1 the document has 2097152 bytes; at most 1048576 are read"]);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..5).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

/// Jobs that are nearly right: known keys with values of any kind.
fn near_job() -> impl Strategy<Value = Value> {
    let words = [
        "role",
        "count",
        "device_type",
        "command",
        "parameters",
        "testdef_repos",
        "git-repo",
        "testdef",
        "image",
        "kernel",
        "repeat",
        "timeout",
        "sandbox",
        "lava_test_shell",
        "deploy_linaro_image",
        "boot_linaro_image",
        "panda",
        "is_slave",
        "dummy_deploy",
        "lava_command_run",
        "commands",
        "stream",
        "submit_results",
        "iterations",
        "qemu",
    ];
    let leaf = prop_oneof![
        4 => prop::sample::select(words.to_vec()).prop_map(Value::from),
        2 => (0..4).prop_map(Value::from),
        1 => any_json(),
    ];
    let nested = leaf.prop_recursive(4, 60, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(words.to_vec()), inner, 0..6)
                .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    });
    let role = (0..3_u8, 0..3_u8, prop::sample::select(vec!["sandbox", "qemu", "panda", "kvm-arm"]), any::<bool>());
    let role = role.prop_map(|(name, count, device_type, slave)| {
        serde_json::json!({"role": format!("r{name}"), "count": count, "device_type": device_type, "is_slave": slave})
    });
    let commands = Just(serde_json::json!(["lava-sync a", "true"]));
    let parameters = prop::collection::btree_map(prop::sample::select(words.to_vec()), nested.clone(), 0..3);
    let action = (prop::sample::select(COMMANDS.to_vec()), 0..4_u8, commands, parameters).prop_map(
        |(command, role, commands, parameters)| {
            let mut all: serde_json::Map<_, _> =
                parameters.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            all.insert("commands".to_owned(), commands);
            all.entry("image".to_owned()).or_insert_with(|| "http://h/i.img.gz".into());
            all.entry("kernel".to_owned()).or_insert_with(|| "http://h/uImage".into());
            all.insert(
                "testdef_repos".to_owned(),
                serde_json::json!([{"git-repo": "git://h/x", "testdef": "a b/c.d.yaml"}]),
            );
            all.remove("role");
            if role < 3 {
                all.insert("role".to_owned(), format!("r{role}").into());
            }
            for number in ["timeout", "repeat", "iterations"] {
                if all.get(number).is_some_and(|value| !value.is_u64()) {
                    all.remove(number);
                }
            }
            serde_json::json!({"command": command, "parameters": all})
        },
    );
    let near = prop::collection::vec(prop_oneof![9 => role, 1 => nested.clone()], 0..4);
    let lists = (near, prop::collection::vec(prop_oneof![15 => action, 1 => nested], 0..7));
    lists.prop_map(|(roles, actions)| serde_json::json!({"timeout": 9, "device_group": roles, "actions": actions}))
}

const COMMANDS: [&str; 9] = [
    "deploy_linaro_image",
    "deploy_linaro_kernel",
    "deploy_linaro_android_image",
    "dummy_deploy",
    "boot_linaro_image",
    "lava_test_shell",
    "lava_command_run",
    "submit_results",
    "boot_linaro_android_image",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever JSON is written, the same is read.
    #[test]
    fn json_is_read_as_it_is(value in any_json()) {
        let text = serde_json::to_string_pretty(&value).unwrap();
        let (root, findings) = json::parse(&Source::new("x", text));
        prop_assert!(findings.is_empty(), "{findings:?}");
        prop_assert_eq!(root.unwrap().to_value(), value);
    }

    /// Any text gets an answer, and no value without one of the two readers agreeing that it is JSON.
    #[test]
    fn any_text_is_answered(text in "[\\[\\]{}\",:0-9a-z\\\\ \n-]{0,40}") {
        let (root, findings) = json::parse(&Source::new("x", text.clone()));
        let sound = root.is_some() && !findings.iter().any(convoke_job::Diagnostic::is_error);
        prop_assert_eq!(sound, serde_json::from_str::<Value>(&text).is_ok(), "{}: {:?}", text, findings);
    }

    /// A job that is nearly right is converted or refused, never both and never neither; and what it is converted to
    /// breaks no rule of v2.
    #[test]
    fn near_jobs_are_converted_or_refused(value in near_job(), rehearse: bool, merge: bool, mapped: bool) {
        let source = Source::new("x", serde_json::to_string_pretty(&value).unwrap());
        let options = if mapped { super::with_lab() } else { LegacyOptions::default() };
        let converted = convert(&source, &LegacyOptions { rehearse, merge, ..options });
        let refused = converted.diagnostics.iter().any(convoke_job::Diagnostic::is_error);
        prop_assert_eq!(converted.yaml.is_none(), refused);
        if let Some(yaml) = converted.yaml {
            let checked = convoke_job::read(&Source::new("converted.yaml", yaml.clone()), &Default::default());
            prop_assert!(checked.job.is_some(), "{yaml}\n{:#?}", checked.diagnostics);
        }
    }
}

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
    let lists = (prop::collection::vec(nested.clone(), 0..4), prop::collection::vec(nested, 0..5));
    lists.prop_map(|(roles, actions)| serde_json::json!({"timeout": 9, "device_group": roles, "actions": actions}))
}

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

    /// A job that is nearly right is converted or refused, never both and never neither.
    #[test]
    fn near_jobs_are_converted_or_refused(value in near_job(), rehearse: bool, merge: bool) {
        let source = Source::new("x", serde_json::to_string_pretty(&value).unwrap());
        let converted = convert(&source, &LegacyOptions { rehearse, merge, ..LegacyOptions::default() });
        let refused = converted.diagnostics.iter().any(convoke_job::Diagnostic::is_error);
        prop_assert_eq!(converted.yaml.is_none(), refused);
    }
}

//! No text makes the reader panic, and whatever it accepts can be split, planned and read back.

use convoke_job::node::Node;
use convoke_job::{DeviceLimits, MemberJob, Options, Source, pipeline, read};
use proptest::prelude::*;

use crate::fixtures;

/// Reads, and uses what was accepted.
fn digest(text: &str) {
    let source = Source::new("job.yaml", text);
    let checked = read(&source, &Options::default());
    for finding in &checked.diagnostics {
        let json = finding.to_json(&source);
        assert!(json["spans"].as_array().unwrap().iter().all(|span| span["line"].as_u64().unwrap() >= 1));
        assert!(!finding.message.is_empty() && !finding.message.contains('\n'), "{finding:?}");
        assert!(finding.help.is_some(), "every finding says how to mend it: {finding:?}");
        for label in &finding.labels {
            assert!(text.get(label.span.start..label.span.end).is_some(), "{finding:?}");
        }
    }
    assert_eq!(checked.job.is_none(), checked.diagnostics.iter().any(|finding| finding.is_error()));
    let Some(job) = checked.job else { return };
    if job.size() > 100 {
        return;
    }
    let members = job.split("group", 1);
    assert_eq!(members.len(), job.size() as usize);
    for member in members {
        assert!(!pipeline::to_text(&pipeline(&member, &DeviceLimits::default())).is_empty());
        let (again, _) = MemberJob::from_definition(&Node::from_value(&member.definition), member.job_id);
        assert_eq!(format!("{:?}", again.unwrap()), format!("{member:?}"));
    }
}

/// One small damage to a text.
#[derive(Clone, Debug)]
enum Damage {
    Cut(usize),
    Insert(&'static str),
    RepeatLine,
    DropLine,
    Shift,
    Unshift,
    Swap(&'static str),
}

const SNIPPETS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ": ",
    "- ",
    "&a ",
    "*a",
    "<<: *a",
    "!x ",
    "!!int ",
    "|",
    ">",
    "\"",
    "'",
    "\t",
    "\n",
    "#",
    "%",
    "@",
    "0",
    "-1",
    "1e9",
    "null",
    "~",
    "yes",
    "99999999999",
    "1:30",
    "2026-11-21",
    "é",
    "\u{feff}",
    "\u{0}",
    "\u{2028}",
    "? ",
    "---\n",
    "...\n",
    ", ",
];
const VALUES: &[&str] =
    &["null", "[]", "{}", "-3", "0", "1.5", "yes", "''", "'text'", "99999999999999999999", "[{}]", "*a", "&a x"];

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (1_usize..20).prop_map(Damage::Cut),
        prop::sample::select(SNIPPETS).prop_map(Damage::Insert),
        Just(Damage::RepeatLine),
        Just(Damage::DropLine),
        Just(Damage::Shift),
        Just(Damage::Unshift),
        prop::sample::select(VALUES).prop_map(Damage::Swap),
    ]
}

fn apply(text: &str, at: prop::sample::Index, damage: &Damage) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return text.to_owned();
    }
    let line = at.index(lines.len());
    match damage {
        Damage::Cut(length) => {
            let chars: Vec<char> = text.chars().collect();
            let start = at.index(chars.len());
            return chars[..start].iter().chain(&chars[(start + length).min(chars.len())..]).collect();
        }
        Damage::Insert(snippet) => {
            let chars: Vec<char> = text.chars().collect();
            let start = at.index(chars.len());
            return chars[..start]
                .iter()
                .copied()
                .chain(snippet.chars())
                .chain(chars[start..].iter().copied())
                .collect();
        }
        Damage::RepeatLine => lines.insert(line, lines[line].clone()),
        Damage::DropLine => {
            lines.remove(line);
        }
        Damage::Shift => lines[line].insert_str(0, "  "),
        Damage::Unshift => lines[line] = lines[line].trim_start().to_owned(),
        Damage::Swap(value) => {
            if let Some((key, _)) = lines[line].clone().split_once(": ") {
                lines[line] = format!("{key}: {value}");
            }
        }
    }
    lines.join("\n") + "\n"
}

fn sample() -> impl Strategy<Value = String> {
    let mut all = fixtures::all("jobs");
    all.extend(fixtures::all("jobs/broken"));
    prop::sample::select(all.into_iter().map(|(_, text)| text).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn damaged_jobs_are_read(text in sample(), damages in prop::collection::vec((any::<prop::sample::Index>(), damage()), 1..5)) {
        let mut text = text;
        for (at, damage) in &damages {
            text = apply(&text, *at, damage);
        }
        digest(&text);
    }

    #[test]
    fn bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(source) = Source::from_bytes("x", bytes) {
            digest(source.text());
        }
    }

    #[test]
    fn text_of_yaml_marks_is_read(parts in prop::collection::vec(prop::sample::select(SNIPPETS), 0..40)) {
        digest(&parts.concat());
    }
}

#[test]
fn all_sample_jobs_are_digested() {
    for (_, text) in fixtures::all("jobs").into_iter().chain(fixtures::all("jobs/broken")) {
        digest(&text);
    }
}

/// Documents whose checks could multiply; each must be answered in the time of any other test.
#[test]
fn crowds_are_answered() {
    let head = "job_name: j\nvisibility: public\ntimeouts: {job: {minutes: 9}}\n";
    let roles = |role: &str, count: usize| {
        let roles: String = (0..count).map(|at| format!("      r{at}: {role}\n")).collect();
        format!("{head}protocols:\n  lava-multinode:\n    roles:\n{roles}")
    };
    let test = "actions:\n- boot: {method: sandbox}\n";
    digest(&(roles("{device_type: sandbox, count: 999999}", 3) + test));
    digest(&(roles("{device_type: sandbox, count: 1}", 900) + test));
    digest(&(roles("{connection: ssh, count: 1, host_role: r1, expect_role: r2, request: lava-start}", 700) + test));
    digest(&(roles("{connection: ssh, count: 1, host_role: x1, expect_role: x2}", 20_000) + test));
    let many = |action: &str, count: usize| format!("{head}device_type: sandbox\nactions:\n{}", action.repeat(count));
    digest(&many("- boot: {method: sandbox}\n", 30_000));
    digest(&many("- deploy: {to: tmpfs, images: {a: {url: http://x/}}}\n", 900));
    digest(&many(
        "- test: {definitions: [{name: a, from: git, repository: r, path: p}]}\n- deploy: {to: sandbox}\n",
        400,
    ));
    let limits: String = (0..3_000).map(|at| format!("    a{at}: {{hours: 9}}\n")).collect();
    digest(&format!("job_name: j\ntimeouts:\n  job: {{minutes: 9}}\n  actions:\n{limits}"));
    digest(&format!("{head}{}", "k: 1\n".repeat(10_000)));
}

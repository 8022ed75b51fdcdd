//! The pages of the codes: every code in the source has one, its wrong example gives the code, its right one nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use convoke_flow::{Repositories, explain, judge, lint, read, times};
use convoke_job::legacy::{LegacyOptions, convert};
use convoke_job::{Options, Source};

/// Codes whose examples need a lab, a file or a document too large to show.
const WITHOUT_EXAMPLES: [&str; 4] = ["lab.", "inventory.", "device.", "file."];
const TOO_LARGE: [&str; 9] = [
    "action.count",
    "findings.cut",
    "legacy.size",
    "yaml.encoding",
    "yaml.nesting",
    "yaml.nodes",
    "yaml.size",
    "yaml.empty",
    "multinode.size",
];
/// Texts of the source that look like codes and are none of a finding: reasons of a member's end, paths, file names.
const NO_CODES: [&str; 12] = [
    "actions.boot",
    "actions.deploy",
    "constants.posix",
    "coordinator.unreachable",
    "group.assembly-timeout",
    "group.member-lost",
    "guest.unreachable",
    "sandboxes.network",
    "root.ext4",
    "parse.pattern",
    "run.steps",
    "test.code",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("docs/codes")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name != "README" {
            pages.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    pages
}

fn sources(folder: &Path, texts: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, texts);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            // What stands in tests is no finding of the product.
            texts.push(text.split("#[cfg(test)]").next().unwrap_or_default().to_owned());
        }
    }
}

/// What looks like a code: two words with a dot, the first of them one that codes begin with.
fn codes_in(text: &str, families: &BTreeSet<&str>) -> BTreeSet<String> {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let mut codes = BTreeSet::new();
    for quoted in text.split('"') {
        if let Some((family, rest)) = quoted.split_once('.')
            && families.contains(family)
            && is_word(rest)
            && !NO_CODES.contains(&quoted)
            && !["yaml", "json", "jsonl", "log", "xml", "sh", "lib"].contains(&rest)
        {
            codes.insert(quoted.to_owned());
        }
    }
    codes
}

#[test]
fn every_code_in_the_source_has_a_page() {
    let pages = pages();
    let families: BTreeSet<&str> = pages.keys().filter_map(|code| Some(code.split_once('.')?.0)).collect();
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let source = entry.unwrap().path().join("src");
        if source.is_dir() {
            sources(&source, &mut texts);
        }
    }
    let used: BTreeSet<String> = texts.iter().flat_map(|text| codes_in(text, &families)).collect();
    let missing: Vec<&String> = used.iter().filter(|code| !pages.contains_key(*code)).collect();
    assert!(missing.is_empty(), "no page in docs/codes for {missing:?}");
    let unused: Vec<&String> = pages.keys().filter(|code| !used.contains(*code)).collect();
    assert!(unused.is_empty(), "nothing in the source gives {unused:?}");
}

#[test]
fn every_page_is_within_the_program() {
    for (code, page) in pages() {
        assert_eq!(explain(&code), Some(page.as_str()), "{code}");
        assert!(page.starts_with(&format!("# {code}\n")), "{code}");
    }
    assert_eq!(explain("flow.nothing"), None);
}

#[test]
fn a_wrong_example_gives_the_code_and_a_right_one_nothing() {
    let mut bad = Vec::new();
    for (code, page) in pages() {
        if WITHOUT_EXAMPLES.iter().any(|family| code.starts_with(family)) || TOO_LARGE.contains(&code.as_str()) {
            continue;
        }
        let (Some(wrong), Some(right)) = (example(&page, "## Wrong"), example(&page, "## Right")) else {
            bad.push(format!("{code}: an example is missing"));
            continue;
        };
        let found = findings(&wrong);
        if !found.iter().any(|(found, _)| *found == code) {
            bad.push(format!("{code}: the wrong example gives {found:?}"));
        }
        let found = findings(&right);
        if !found.is_empty() {
            bad.push(format!("{code}: the right example gives {found:?}"));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// The fenced block after a heading: its language and text.
fn example(page: &str, heading: &str) -> Option<(String, String)> {
    let (_, rest) = page.split_once(&format!("\n{heading}\n"))?;
    let (_, rest) = rest.split_once("```")?;
    let (language, rest) = rest.split_once('\n')?;
    let (text, _) = rest.split_once("\n```")?;
    Some((language.to_owned(), format!("{text}\n")))
}

/// Codes and messages that an example gives.
fn findings((language, text): &(String, String)) -> Vec<(String, String)> {
    let source = match language.as_str() {
        "json" => {
            let source = Source::new("job.json", legacy(text));
            let converted = convert(&source, &LegacyOptions::default());
            return converted.diagnostics.iter().map(|found| (found.code.to_owned(), found.message.clone())).collect();
        }
        "sh" => Source::new("job.yaml", scripts(text)),
        _ => Source::new("job.yaml", whole(text)),
    };
    let checked = convoke_job::read(&source, &Options::default());
    let mut found: Vec<(String, String)> =
        checked.diagnostics.iter().map(|found| (found.code.to_owned(), found.message.clone())).collect();
    if let Some(job) = &checked.job {
        let flow = read(job, &source, &Repositories::new());
        let judgement = judge(&flow);
        found.extend(judgement.reasons.iter().map(|reason| (reason.code().to_owned(), reason.message(&flow))));
        let more = lint(&flow, &judgement).into_iter().chain(times::too_short(&flow, &judgement.played));
        found.extend(more.map(|found| (found.code.to_owned(), found.message)));
    }
    found
}

const NAMES: &str = "job_name: example\nvisibility: public\n";
const TIMEOUTS: &str = "timeouts: {job: {minutes: 20}, action: {minutes: 4}}\n";
const GROUP: &str = "protocols:
  lava-multinode:
    timeout: {minutes: 3}
    roles:
      server: {device_type: sandbox, count: 1}
      client: {device_type: sandbox, count: 1}
";
const ACTIONS: &str = "actions:
- deploy: {to: sandbox}
- boot: {method: sandbox}
- test:
    definitions:
    - from: inline
      name: example
      path: inline/example.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: example}
        run: {steps: [lava-sync done]}
";

/// A job around a few of its top-level keys. What begins with another character than a key is a whole document.
fn whole(text: &str) -> String {
    let has = |key: &str| text.lines().any(|line| line.starts_with(&format!("{key}:")));
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return text.to_owned();
    }
    let single = has("device_type") && !has("protocols");
    let parts = [
        ("job_name", NAMES),
        ("timeouts", TIMEOUTS),
        ("protocols", if single { "" } else { GROUP }),
        ("actions", &if single { ACTIONS.replace("lava-sync done", "lava-self") } else { ACTIONS.to_owned() }),
    ];
    let mut whole: String = parts.iter().filter(|(key, _)| !has(key)).map(|(_, part)| *part).collect();
    if has("visibility") {
        whole = whole.replace("visibility: public\n", "");
    }
    whole + text
}

/// A job of scripts: `# ROLE`, `# ROLE × 3` or `# GUEST on HOST`, and the steps of that role.
fn scripts(text: &str) -> String {
    let mut roles: Vec<(String, u32, Option<String>, Vec<&str>)> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match line.strip_prefix("# ") {
            Some(head) => {
                let (head, host) = match head.split_once(" on ") {
                    Some((head, host)) => (head, Some(host.to_owned())),
                    None => (head, None),
                };
                let (name, count) = head.split_once(" × ").unwrap_or((head, "1"));
                roles.push((name.to_owned(), count.parse().unwrap(), host, Vec::new()));
            }
            None => roles.last_mut().unwrap().3.push(line),
        }
    }
    let mut job = format!(
        "{NAMES}timeouts: {{job: {{minutes: 20}}, action: {{minutes: 1}}}}\nprotocols:\n  lava-multinode:\n    timeout: {{minutes: 3}}\n    roles:\n"
    );
    for (name, count, host, _) in &roles {
        job += &match host {
            None => format!("      {name}: {{device_type: sandbox, count: {count}}}\n"),
            Some(host) => format!(
                "      {name}: {{connection: ssh, count: {count}, host_role: {host}, expect_role: {host}, request: lava-start}}\n"
            ),
        };
    }
    let of = |guests: bool| -> Vec<&str> {
        roles.iter().filter(|(_, _, host, _)| host.is_some() == guests).map(|(name, ..)| name.as_str()).collect()
    };
    let (devices, guests) = (of(false).join(", "), of(true).join(", "));
    job += &format!(
        "actions:\n- deploy: {{role: [{devices}], to: sandbox}}\n- boot: {{role: [{devices}], method: sandbox, prompts: ['# ']}}\n"
    );
    if !guests.is_empty() {
        job += &format!(
            "- deploy: {{role: [{guests}], to: ssh, protocols: {{lava-multinode: [{{action: prepare-scp-overlay, request: lava-wait, messageID: ip, message: {{address: $address}}}}]}}}}\n"
        );
        job += &format!(
            "- boot: {{role: [{guests}], method: ssh, prompts: ['# '], parameters: {{hostID: ip, host_key: address}}}}\n"
        );
    }
    for (name, _, _, steps) in &roles {
        job += &format!(
            "- test:\n    role: [{name}]\n    timeout: {{minutes: 5}}\n    definitions:\n    - from: inline\n      name: {name}\n      path: inline/{name}.yaml\n      repository:\n        metadata: {{format: Lava-Test Test Definition 1.0, name: {name}}}\n        run:\n          steps:\n"
        );
        for step in steps {
            job += &format!("          - {step}\n");
        }
    }
    job
}

const LEGACY: &str = r#"{
  "job_name": "example",
  "timeout": 900,
  "device_group": [
    {"role": "omap4", "count": 2, "device_type": "qemu"},
    {"role": "omap3", "count": 1, "device_type": "kvm"}
  ],
  "actions": [
    {"command": "deploy_linaro_image", "parameters": {"image": "http://h/i.img.gz"}},
    {"command": "lava_test_shell", "parameters": {"testdef_repos": [{"git-repo": "git://h/t.git", "testdef": "t.yaml"}], "timeout": 600}}
  ]
}"#;

/// A job of the first generation around a few of its keys; what has all of them is taken as it stands.
fn legacy(text: &str) -> String {
    let Ok(serde_json::Value::Object(own)) = serde_json::from_str::<serde_json::Value>(text) else {
        return text.to_owned();
    };
    if own.contains_key("job_name") {
        return text.to_owned();
    }
    let Ok(serde_json::Value::Object(mut whole)) = serde_json::from_str(LEGACY) else { unreachable!() };
    own.into_iter().for_each(|(key, value)| drop(whole.insert(key, value)));
    serde_json::to_string_pretty(&whole).unwrap()
}

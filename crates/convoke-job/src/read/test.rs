//! Test blocks: exactly one kind, and its shape (job-definition.md §9; rules 40, 46).

use super::block::check_keys;
use super::cursor::{At, Findings};
use super::hints::did_you_mean;
use super::{definition, deploy, tables};
use crate::member::TestKind;

const KINDS: [&str; 4] = ["definitions", "monitors", "interactive", "services"];
const METHOD: tables::Keys = tables::Keys { name: "test", required: &[], optional: &[], open: false };

pub(crate) fn test(at: &At<'_>, findings: &mut Findings) -> Option<TestKind> {
    check_keys(at, tables::TEST, &METHOD, "a test", findings);
    let given: Vec<&str> = KINDS.into_iter().filter(|kind| at.get(kind).is_some()).collect();
    let kind = match given.as_slice() {
        [kind] => *kind,
        [] => {
            let keys: Vec<_> = at.entries().map(|(key, _)| key.text.clone()).collect();
            let hint =
                keys.iter().map(|key| did_you_mean(key, &KINDS)).find(|hint| !hint.is_empty()).unwrap_or_default();
            let finding = at.error_at_name("action.method", format!("the test has nothing to run{hint}"));
            findings.push(finding.help(format!("add one of {}", KINDS.join(", "))));
            return None;
        }
        [first, ..] => {
            let finding =
                at.error_at_name("action.method", format!("a test has one kind, this one has {}", given.join(" and ")));
            findings.push(finding.help("write one test block for each"));
            first
        }
    };
    if let Some(docker) = at.get("docker") {
        if kind != "definitions" {
            let finding = docker.error_at_name("action.key", format!("`docker` does not go with `{kind}`"));
            findings.push(finding.help("use `definitions`, or remove `docker`"));
        } else if findings.is_mapping(&docker, "action.key") {
            match docker.get("image") {
                Some(image) => deploy::docker_image(&image, findings),
                None => {
                    let finding = docker.error_at_name("action.key", "`image` is required");
                    findings.push(finding.help("add the name of the docker image"));
                }
            }
        }
    }
    let list = at.get(kind)?;
    if !findings.is_list(&list, "action.key") {
        return None;
    }
    if list.items().next().is_none() {
        findings.push(
            list.error_at_name("action.key", format!("`{kind}` is empty")).help("add at least one, or remove the test"),
        );
    }
    Some(match kind {
        "definitions" => {
            TestKind::Definitions(list.items().filter_map(|item| definition::definition(&item, findings)).collect())
        }
        "monitors" => {
            for item in list.items() {
                required(&item, &["name", "start", "end", "pattern"], findings);
                for pattern in ["start", "end", "pattern"].into_iter().filter_map(|key| item.get(key)) {
                    findings.pattern(&pattern, "action.key");
                }
            }
            TestKind::Monitors(values(&list))
        }
        "interactive" => {
            list.items().for_each(|item| interactive(&item, findings));
            TestKind::Interactive(values(&list))
        }
        _ => {
            list.items().for_each(|item| required(&item, &["name", "from", "repository", "path"], findings));
            TestKind::Services(values(&list))
        }
    })
}

fn values(list: &At<'_>) -> Vec<serde_json::Value> {
    list.items().map(|item| item.node.to_value()).collect()
}

/// Required keys that are texts; `name` is checked as the name of a test.
fn required(at: &At<'_>, keys: &[&str], findings: &mut Findings) {
    if !findings.is_mapping(at, "action.key") {
        return;
    }
    for key in keys {
        match at.get(key) {
            Some(name) if *key == "name" => {
                definition::name(&name, findings);
            }
            Some(value) => {
                findings.filled_text(&value, "action.key");
            }
            None => {
                findings
                    .push(at.error_at_name("action.key", format!("`{key}` is required")).help(format!("add `{key}`")));
            }
        }
    }
}

fn interactive(at: &At<'_>, findings: &mut Findings) {
    const STEP: [&str; 10] = [
        "command",
        "delay",
        "name",
        "wait_for_prompt",
        "successes",
        "failures",
        "lava-send",
        "lava-sync",
        "lava-wait",
        "lava-wait-all",
    ];
    required(at, &["name"], findings);
    if at.node.as_map().is_none() {
        return;
    }
    match at.get("prompts") {
        Some(prompts) => {
            findings.texts(&prompts, "action.key");
            findings.patterns(&prompts, "action.key");
        }
        None => findings.push(at.error_at_name("action.key", "`prompts` is required").help("add `prompts`")),
    }
    let Some(script) = at.get("script") else {
        findings.push(at.error_at_name("action.key", "`script` is required").help("add the list of steps"));
        return;
    };
    if !findings.is_list(&script, "action.key") {
        return;
    }
    for step in script.items() {
        if !findings.is_mapping(&step, "action.key") {
            continue;
        }
        for (key, value) in step.entries() {
            if !STEP.contains(&key.text.as_str()) {
                let message = format!("unknown key `{}`{}", key.text, did_you_mean(&key.text, &STEP));
                findings.push(
                    value.warning_at_name("action.key", message).help(format!("known here: {}", STEP.join(", "))),
                );
            }
        }
    }
}

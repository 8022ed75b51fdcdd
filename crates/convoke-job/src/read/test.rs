//! Test blocks: exactly one kind, and its shape (job-definition.md §9; rules 40, 46).

use super::actions::Scope;
use super::block::check_keys;
use super::cursor::{At, Findings};
use super::hints::did_you_mean;
use super::{definition, deploy, monitor, script, tables};
use crate::member::TestKind;

const KINDS: [&str; 4] = ["definitions", "monitors", "interactive", "services"];
const METHOD: tables::Keys = tables::Keys { name: "test", required: &[], optional: &[], open: false };

pub(crate) fn test(at: &At<'_>, scope: &Scope<'_>, findings: &mut Findings) -> Option<TestKind> {
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
        "monitors" => TestKind::Monitors(list.items().filter_map(|item| monitor::monitor(&item, findings)).collect()),
        "interactive" => {
            TestKind::Interactive(list.items().filter_map(|item| script::script(&item, scope, findings)).collect())
        }
        _ => {
            list.items().for_each(|item| service(&item, findings));
            TestKind::Services(list.items().map(|item| item.node.to_value()).collect())
        }
    })
}

/// Shape only: services belong to a lab's dispatcher.
fn service(at: &At<'_>, findings: &mut Findings) {
    if !findings.is_mapping(at, "action.key") {
        return;
    }
    if let Some(name) = findings.required(at, "name") {
        definition::name(&name, findings);
    }
    for key in ["from", "repository", "path"] {
        if let Some(value) = findings.required(at, key) {
            findings.filled_text(&value, "action.key");
        }
    }
}

//! One entry of `definitions` (job-definition.md §9.1, device-side.md §5.1; rules 35 and 46).

use std::collections::HashMap;

use super::cursor::{At, Findings, did_you_mean};
use crate::member::{Definition, DefinitionFrom};
use crate::node::NodeKind;

const KEYS: &[&str] = &[
    "name",
    "path",
    "from",
    "repository",
    "skip_install",
    "lava-signal",
    "expected",
    "parameters",
    "params",
    "branch",
    "revision",
    "shallow",
    "history",
    "recursive",
    "compression",
    "strip-components",
    "headers",
    "md5sum",
    "sha256sum",
    "sha512sum",
    "role",
];
const INLINE_KEYS: &[&str] = &["metadata", "install", "parameters", "params", "parse", "run", "expected"];
const SKIPS: [&str; 6] = ["keys", "sources", "deps", "steps", "git-repos", "all"];

pub(crate) fn definition(at: &At<'_>, findings: &mut Findings) -> Option<Definition> {
    if !findings.is_mapping(at, "testdef.type") {
        return None;
    }
    for (key, value) in at.entries() {
        if !KEYS.contains(&key.text.as_str()) {
            let message = format!("unknown key `{}`{}", key.text, did_you_mean(&key.text, KEYS));
            findings.push(value.warning_at_name("testdef.key", message).help("remove it, it has no effect"));
        }
    }
    let name = required(at, "name", findings).and_then(|at| name(&at, findings));
    let path = required(at, "path", findings).and_then(|at| findings.filled_text(&at, "testdef.type"));
    if let Some(path) = path.as_ref().filter(|path| path.starts_with('/') || path.split('/').any(|part| part == "..")) {
        let at = at.get("path").unwrap_or_else(|| at.clone());
        let finding = at.error("testdef.path", format!("{path:?} leads out of the repository"));
        findings.push(finding.help("give the path below the repository's root"));
    }
    let from = required(at, "from", findings)
        .and_then(|at| findings.word(&at, "testdef.from", &["git", "inline", "url", "tar"]));
    let repository = required(at, "repository", findings);
    let from = from.zip(repository).and_then(|(from, repository)| source(at, &from, &repository, findings));
    let mut parameters = Vec::new();
    for key in ["parameters", "params"] {
        if let Some(at) = at.get(key) {
            parameters.extend(self::parameters(&at, findings));
        }
    }
    let skip_install = at.get("skip_install").map(|at| skip_install(&at, findings)).unwrap_or_default();
    let signal = at.get("lava-signal").and_then(|at| findings.word(&at, "testdef.signal", &["stdout", "kmsg"]));
    let expected = at.get("expected").map(|at| findings.texts(&at, "testdef.expected"));
    Some(Definition {
        name: name?,
        from: from?,
        path: path?,
        parameters,
        skip_install,
        kmsg: signal.as_deref() == Some("kmsg"),
        expected,
    })
}

fn required<'a>(at: &At<'a>, key: &'static str, findings: &mut Findings) -> Option<At<'a>> {
    let found = at.get(key);
    if found.is_none() {
        let finding = at.error_at_name("testdef.missing", format!("`{key}` is required"));
        findings.push(finding.help(match key {
            "from" => "say where the definition comes from: git, inline or url",
            "path" => "add the path of the definition in its source",
            "name" => "add a name, it becomes the name of the test suite",
            _ => "add the repository, or the definition itself for `from: inline`",
        }));
    }
    found
}

/// Rule 46.
pub(crate) fn name(at: &At<'_>, findings: &mut Findings) -> Option<String> {
    let name = findings.filled_text(at, "testdef.name")?;
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name == "lava" {
        let finding = at.error("testdef.name", "the name \"lava\" is reserved for the results of the pipeline");
        findings.push(finding.help("choose another name"));
    } else if !name.chars().all(|c| sound(c) || c == '.') {
        let mended: String = name.chars().map(|c| if sound(c) { c } else { '-' }).collect();
        let finding = at.error("testdef.name", format!("{name:?} is no name of a test"));
        findings.push(finding.help(format!("use letters, digits, `-` and `_`, for example {mended}")));
    } else if name.contains('.') {
        let finding =
            at.warning("testdef.name", format!("the name {name:?} has a dot, which LAVA's dispatcher refuses"));
        findings.push(finding.help(format!("write {}", name.replace('.', "-"))));
    }
    Some(name)
}

fn skip_install(at: &At<'_>, findings: &mut Findings) -> Vec<String> {
    let given = match at.node.kind {
        NodeKind::List(_) => at.items().collect(),
        _ => vec![at.clone()],
    };
    given.iter().filter_map(|item| findings.word(item, "testdef.skip-install", &SKIPS)).collect()
}

/// Parameters become shell variables.
fn parameters(at: &At<'_>, findings: &mut Findings) -> Vec<(String, Option<String>)> {
    let parameters = findings.scalars(at, "testdef.parameters");
    for (key, value) in at.entries() {
        let identifier = key.text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && key.text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if key.is_text && !identifier {
            let finding =
                value.error_at_name("testdef.parameters", format!("{:?} is no name of a shell variable", key.text));
            findings.push(finding.help("use letters, digits and `_`, not starting with a digit"));
        }
    }
    parameters
}

fn source(at: &At<'_>, from: &str, repository: &At<'_>, findings: &mut Findings) -> Option<DefinitionFrom> {
    let text = |key: &str, findings: &mut Findings| {
        at.get(key).filter(|at| at.node.kind != NodeKind::Null).and_then(|at| findings.filled_text(&at, "testdef.type"))
    };
    let flag = |key: &str, default: bool, findings: &mut Findings| {
        at.get(key).and_then(|at| findings.boolean(&at, "testdef.type")).unwrap_or(default)
    };
    match from {
        "inline" => {
            inline(repository, findings);
            Some(DefinitionFrom::Inline(repository.node.to_value()))
        }
        "git" => {
            let url = findings.filled_text(repository, "testdef.repository");
            let revision = text("revision", findings);
            let shallow = flag("shallow", revision.is_none(), findings);
            if let (Some(_), true, Some(shallow_at)) = (&revision, shallow, at.get("shallow")) {
                let finding = shallow_at
                    .error("testdef.shallow", "`revision` needs the whole history, `shallow: true` leaves it out");
                findings.push(finding.help("remove `shallow`"));
            }
            Some(DefinitionFrom::Git {
                repository: url?,
                branch: text("branch", findings),
                revision,
                shallow,
                history: flag("history", true, findings),
                recursive: flag("recursive", false, findings),
            })
        }
        _ => {
            let url = findings.filled_text(repository, "testdef.repository")?;
            if from == "tar" && !url.contains("://") {
                let finding =
                    repository.error("testdef.repository", "an archive inside the job is no longer supported");
                findings.push(finding.help("put the archive on a server and give its URL with `from: url`"));
                return None;
            }
            let headers = at.get("headers").map(|at| findings.scalars(&at, "testdef.type")).unwrap_or_default();
            let checksums = ["md5sum", "sha256sum", "sha512sum"]
                .into_iter()
                .filter_map(|key| Some((key.to_owned(), text(key, findings)?)))
                .collect();
            Some(DefinitionFrom::Url {
                repository: url,
                compression: text("compression", findings),
                strip_components: at
                    .get("strip-components")
                    .and_then(|at| findings.integer(&at, "testdef.type", 0))
                    .unwrap_or(0),
                headers: headers.into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect(),
                checksums,
            })
        }
    }
}

/// The shape of a definition that stands in the job (device-side.md §5.2).
fn inline(at: &At<'_>, findings: &mut Findings) {
    if at.node.as_map().is_none() {
        let message = format!("the definition itself expected for `from: inline`, got {}", at.node.describe());
        findings.push(
            at.error("testdef.inline", message).help("write the definition here, or use `from: git` or `from: url`"),
        );
        return;
    }
    for (key, value) in at.entries() {
        if !INLINE_KEYS.contains(&key.text.as_str()) {
            let message = format!("unknown key `{}`{}", key.text, did_you_mean(&key.text, INLINE_KEYS));
            findings.push(value.warning_at_name("testdef.key", message).help("remove it, it has no effect"));
        }
    }
    match at.get("metadata") {
        None => {
            let finding = at.error_at_name("testdef.inline", "`metadata` is required");
            findings.push(finding.help("add `metadata: {format: Lava-Test Test Definition 1.0, name: NAME}`"));
        }
        Some(metadata) if findings.is_mapping(&metadata, "testdef.inline") => {
            for key in ["format", "name"] {
                match metadata.get(key) {
                    Some(at) => {
                        findings.filled_text(&at, "testdef.inline");
                    }
                    None => {
                        let finding = metadata.error_at_name("testdef.inline", format!("`{key}` is required"));
                        findings.push(finding.help(format!("add `{key}`")));
                    }
                }
            }
        }
        Some(_) => {}
    }
    for key in ["params", "parameters"] {
        if let Some(at) = at.get(key) {
            parameters(&at, findings);
        }
    }
    match at.get("run") {
        None => {
            findings.push(at.error_at_name("testdef.inline", "`run` is required").help("add `run: {steps: [...]}`"));
        }
        Some(run) if findings.is_mapping(&run, "testdef.inline") => match run.get("steps") {
            Some(steps) => self::steps(&steps, findings),
            None => {
                let finding = run.error_at_name("testdef.inline", "`steps` is required");
                findings.push(finding.help("add the list of shell lines to run"));
            }
        },
        Some(_) => {}
    }
    if let Some(install) = at.get("install").filter(|at| at.node.kind != NodeKind::Null)
        && findings.is_mapping(&install, "testdef.inline")
        && let Some(steps) = install.get("steps")
    {
        self::steps(&steps, findings);
    }
    if let Some(expected) = at.get("expected") {
        findings.texts(&expected, "testdef.expected");
    }
}

/// Shell lines. `- echo a: b` is a mapping in YAML, which is seen only when the test fails.
fn steps(at: &At<'_>, findings: &mut Findings) {
    if at.node.kind == NodeKind::Null || !findings.is_list(at, "testdef.steps") {
        return;
    }
    for step in at.items() {
        match &step.node.kind {
            NodeKind::Text(_) | NodeKind::Null => {}
            kind => {
                let message = format!("a shell line expected, got {}", step.node.describe());
                let help = match kind {
                    NodeKind::Map(_) => "`: ` makes a mapping in YAML: put the whole line in quotes",
                    _ => "put the line in quotes",
                };
                findings.push(step.error("testdef.steps", message).help(help));
            }
        }
    }
}

/// The names of calls in inline steps, for checks that look at them.
pub(crate) fn calls(value: &serde_json::Value) -> HashMap<&'static str, usize> {
    let mut found = HashMap::new();
    let steps = value.get("run").and_then(|run| run.get("steps")).and_then(serde_json::Value::as_array);
    for line in steps.into_iter().flatten().filter_map(serde_json::Value::as_str) {
        for word in line.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))) {
            for call in ["lava-sync", "lava-wait-all", "lava-wait", "lava-send"] {
                if word == call {
                    *found.entry(call).or_default() += 1;
                }
            }
        }
    }
    found
}

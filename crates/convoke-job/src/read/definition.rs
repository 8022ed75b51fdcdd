//! One entry of `definitions` (job-definition.md §9.1, device-side.md §5.1; rules 35 and 46).

use super::cursor::{At, Findings};
use super::hints::did_you_mean;
use super::inline;
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
];
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
pub(crate) fn parameters(at: &At<'_>, findings: &mut Findings) -> Vec<(String, Option<String>)> {
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
            inline::inline(repository, findings);
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

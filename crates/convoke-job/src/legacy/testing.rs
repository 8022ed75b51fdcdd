//! Test blocks from `lava_test_shell` and `lava_command_run` (legacy-json.md §5).

use serde_json::{Map, Value, json};

use crate::diagnostic::Diagnostic;
use crate::legacy::Notes;
use crate::legacy::commands::Command;
use crate::legacy::deploy::file_name;
use crate::legacy::model::{Action, MOST};
use crate::node::{Node, NodeKind};

/// The names of definitions given so far, with the roles that run them: a name is used once a role.
#[derive(Default)]
pub(crate) struct Names(Vec<(String, Vec<usize>)>);

impl Names {
    /// A name of letters, digits, `_` and `-` that no other definition of these roles has.
    fn give(&mut self, wanted: &str, roles: &[usize]) -> String {
        let valid = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '-' };
        let mut stem: String = wanted.chars().map(valid).collect();
        if stem.is_empty() || stem == "lava" {
            stem.push_str("-test");
        }
        let taken = |name: &str| self.0.iter().any(|(known, of)| known == name && of.iter().any(|r| roles.contains(r)));
        let mut name = stem.clone();
        let mut number = 2;
        while taken(&name) {
            name = format!("{stem}-{number}");
            number += 1;
        }
        self.0.push((name.clone(), roles.to_vec()));
        name
    }
}

/// The keys of a test block, or `None` when something is wrong with the action.
pub(crate) fn test(action: &Action<'_>, names: &mut Names, notes: &mut Notes) -> Option<Map<String, Value>> {
    let definitions = match action.command {
        Command::RunLines => vec![commands(action, names, notes)?],
        _ => definitions(action, names, notes),
    };
    let given = |name: &str| action.parameter(name).and_then(Node::as_list).is_some_and(|list| !list.is_empty());
    if definitions.is_empty() && (given("testdef_repos") || given("testdef_urls")) {
        return None;
    }
    if definitions.is_empty() {
        let message = format!("{} names no test definition", action.name);
        let finding = Diagnostic::error("legacy.value", format!("{}.parameters", action.path), action.span, message);
        notes.add(finding.help("give \"testdef_repos\" or \"testdef_urls\""));
        return None;
    }
    let mut body = Map::new();
    body.insert("definitions".to_owned(), definitions.into());
    Some(body)
}

fn definitions(action: &Action<'_>, names: &mut Names, notes: &mut Notes) -> Vec<Value> {
    let skip = match action.parameter("skip_install").map(|node| &node.kind) {
        Some(NodeKind::Bool(skip)) => *skip,
        Some(NodeKind::Text(text)) => text.eq_ignore_ascii_case("true"),
        _ => false,
    };
    let mut found = Vec::new();
    for (place, item) in list(action, "testdef_repos", notes).iter().enumerate() {
        let path = format!("{}.parameters.testdef_repos[{place}]", action.path);
        found.extend(repository(item, &path, action, names, notes));
    }
    for (place, item) in list(action, "testdef_urls", notes).iter().enumerate() {
        let path = format!("{}.parameters.testdef_urls[{place}]", action.path);
        let Some(url) = item.as_text().filter(|url| !url.is_empty()) else {
            let message = format!("a URL of a test definition is a string, not {}", item.describe());
            notes.add(Diagnostic::error("legacy.value", path, item.span, message));
            continue;
        };
        let message = "a definition that is one file at a URL: dispatchers fetch archives and git repositories";
        let finding = Diagnostic::warning("legacy.testdef-url", path, item.span, message);
        notes.add(finding.help("put the file into a repository, and name it with \"testdef_repos\""));
        let file = file_name(url);
        let name = names.give(stem(file), &action.roles);
        found.push(object(json!({"from": "url", "repository": url, "path": file, "name": name})));
    }
    if skip {
        for definition in &mut found {
            definition.insert("skip_install".to_owned(), json!(["all"]));
        }
    }
    found.into_iter().map(Value::Object).collect()
}

fn repository(
    item: &Node,
    path: &str,
    action: &Action<'_>,
    names: &mut Names,
    notes: &mut Notes,
) -> Option<Map<String, Value>> {
    let Some(entries) = item.as_map() else {
        let message = format!("a test definition is an object with \"git-repo\", not {}", item.describe());
        notes.add(Diagnostic::error("legacy.value", path, item.span, message));
        return None;
    };
    let known = ["git-repo", "bzr-repo", "tar-repo", "testdef", "revision", "branch", "parameters"];
    for (key, _) in entries {
        if !known.contains(&key.text.as_str()) {
            let message = format!("\"{}\" of a test definition has no counterpart and is dropped", key.text);
            notes.add(Diagnostic::warning("legacy.dropped-key", format!("{path}.{}", key.text), key.span, message));
        }
    }
    if let Some((key, _)) = item.entry("bzr-repo") {
        let finding = Diagnostic::error(
            "legacy.bzr",
            format!("{path}.bzr-repo"),
            key.span,
            "Bazaar repositories are not fetched",
        );
        notes.add(finding.help("move the test definition to git, and name it with \"git-repo\""));
        return None;
    }
    let from = [("git-repo", "git"), ("tar-repo", "url")];
    let source = from.into_iter().find_map(|(key, from)| Some((from, key, item.get(key)?)));
    let Some((from, key, node)) = source else {
        let finding =
            Diagnostic::error("legacy.value", path, item.span, "a test definition needs \"git-repo\" or \"tar-repo\"");
        notes.add(finding);
        return None;
    };
    let Some(url) = node.as_text().filter(|url| !url.is_empty()) else {
        let message = format!("\"{key}\" is a URL, not {}", node.describe());
        notes.add(Diagnostic::error("legacy.value", format!("{path}.{key}"), node.span, message));
        return None;
    };
    let file = match item.get("testdef") {
        None => {
            notes.assume("a repository without \"testdef\" holds `lavatest.yaml`");
            "lavatest.yaml"
        }
        Some(node) => node.as_text().unwrap_or_else(|| {
            let message = format!("\"testdef\" is a path, not {}", node.describe());
            notes.add(Diagnostic::error("legacy.value", format!("{path}.testdef"), node.span, message));
            "lavatest.yaml"
        }),
    };
    let name = names.give(stem(file), &action.roles);
    let mut definition = object(json!({"from": from, "repository": url, "path": file, "name": name}));
    for key in ["branch", "revision"] {
        let text =
            item.get(key).and_then(|node| node.as_text().map(str::to_owned).or(node.as_int().map(|n| n.to_string())));
        if let Some(text) = text {
            definition.insert(key.to_owned(), text.into());
        }
    }
    if let Some(parameters) = item.get("parameters").filter(|node| node.as_map().is_some()) {
        definition.insert("parameters".to_owned(), parameters.to_value());
    }
    Some(definition)
}

/// One inline definition that runs the commands, once or `iterations` times.
fn commands(action: &Action<'_>, names: &mut Names, notes: &mut Notes) -> Option<Value> {
    let items = list(action, "commands", notes);
    let steps: Vec<&str> = items.iter().filter_map(Node::as_text).collect();
    if steps.is_empty() || steps.len() < items.len() {
        let message = "\"commands\" is a list of at least one command, each a string";
        notes.add(Diagnostic::error(
            "legacy.value",
            format!("{}.parameters.commands", action.path),
            action.span,
            message,
        ));
        return None;
    }
    let iterations = action.parameter("iterations").and_then(Node::as_int).unwrap_or(1);
    let iterations = usize::try_from(iterations).unwrap_or(MOST + 1).max(1);
    if steps.len().saturating_mul(iterations) > MOST {
        let message = format!("the commands run {iterations} times are more than {MOST} steps");
        notes.add(Diagnostic::error(
            "legacy.size",
            format!("{}.parameters.iterations", action.path),
            action.span,
            message,
        ));
        return None;
    }
    let steps: Vec<&str> = steps.iter().copied().cycle().take(steps.len() * iterations).collect();
    let name = names.give("command-run", &action.roles);
    let metadata = json!({
        "format": "Lava-Test Test Definition 1.0", "name": name, "description": "commands of lava_command_run",
    });
    let mut repository = object(json!({"metadata": metadata}));
    if let Some(pattern) = action.text("parser") {
        repository.insert("parse".to_owned(), json!({ "pattern": pattern }));
    }
    repository.insert("run".to_owned(), json!({ "steps": steps }));
    let path = format!("inline/{name}.yaml");
    Some(json!({"from": "inline", "name": name, "path": path, "repository": repository}))
}

/// The items of a parameter that is a list; anything else there is an error.
fn list<'a>(action: &Action<'a>, name: &str, notes: &mut Notes) -> &'a [Node] {
    let Some(node) = action.parameter(name) else { return &[] };
    node.as_list().unwrap_or_else(|| {
        let message = format!("\"{name}\" is a list, not {}", node.describe());
        notes.add(Diagnostic::error("legacy.value", format!("{}.parameters.{name}", action.path), node.span, message));
        &[]
    })
}

fn stem(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or_default();
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

//! From a document's value to a [`TestDefinition`]. Every error names the path of the value it is about.

use serde_json::{Map, Value};

use super::{DefinitionError, GitRepo, ParsePattern, TestDefinition};
use crate::quote::is_identifier;

type Result<T> = std::result::Result<T, DefinitionError>;

/// Names the overlay itself puts into a definition's directory.
pub(crate) const RESERVED: [&str; 5] = ["run.sh", "install.sh", "testdef.yaml", "testdef_metadata", "uuid"];

pub(super) fn definition(value: &Value) -> Result<TestDefinition> {
    let document = mapping("test definition", value)?;
    let mut out = TestDefinition::default();
    for (key, value) in document {
        match key.as_str() {
            "metadata" => out.metadata = value.clone(),
            "params" | "parameters" | "parse" | "expected" | "install" | "run" => {}
            other => out.warnings.push(format!("{other}: unknown key of a test definition; ignored")),
        }
    }
    metadata(&mut out)?;
    for key in ["params", "parameters"] {
        if let Some(value) = given(document, key) {
            parameters(key, value, &mut out)?;
        }
    }
    if let Some(value) = given(document, "install") {
        out.has_install = true;
        install(mapping("install", value)?, &mut out)?;
    }
    match given(document, "run") {
        Some(value) => run(mapping("run", value)?, &mut out)?,
        None => out.warnings.push("run: missing; the suite has no steps".into()),
    }
    if let Some(value) = given(document, "parse") {
        out.parse = parse(mapping("parse", value)?, &mut out.warnings)?;
    }
    if let Some(value) = given(document, "expected") {
        out.expected = Some(list("expected", value, &mut out.warnings)?);
    }
    Ok(out)
}

fn metadata(out: &mut TestDefinition) -> Result<()> {
    if out.metadata.is_null() {
        return Err(DefinitionError::new("metadata", "missing; a test definition needs metadata with format and name"));
    }
    let map = mapping("metadata", &out.metadata)?;
    match map.get("name") {
        Some(Value::String(name)) if !name.is_empty() => {}
        None | Some(Value::Null) => return Err(DefinitionError::new("metadata.name", "missing")),
        Some(other) => {
            if scalar("metadata.name", other, &mut Vec::new())?.is_none_or(|name| name.is_empty()) {
                return Err(DefinitionError::new("metadata.name", "empty"));
            }
        }
    }
    match map.get("format").and_then(Value::as_str) {
        None => out.warnings.push("metadata.format: missing; \"Lava-Test Test Definition 1.0\" is assumed".into()),
        Some(format) if !format.starts_with("Lava-Test Test Definition") => {
            out.warnings.push(format!("metadata.format: {format:?} is not \"Lava-Test Test Definition 1.0\""));
        }
        Some(_) => {}
    }
    Ok(())
}

fn parameters(key: &str, value: &Value, out: &mut TestDefinition) -> Result<()> {
    for (name, value) in mapping(key, value)? {
        let path = format!("{key}.{name}");
        if !is_identifier(name) {
            return Err(DefinitionError::new(
                path,
                "not a shell variable name; use letters, digits and _, not starting with a digit",
            ));
        }
        let text = match value {
            Value::Array(_) | Value::Object(_) => {
                out.warnings.push(format!("{path}: not a scalar; its JSON text is used"));
                Some(value.to_string())
            }
            // Booleans as the established dispatchers write them (§5.5).
            Value::Bool(true) => Some("True".into()),
            Value::Bool(false) => Some("False".into()),
            other => scalar(&path, other, &mut out.warnings)?,
        };
        if text.as_deref().is_some_and(|text| text.contains('\0')) {
            return Err(DefinitionError::new(path, "holds a NUL character, which no shell variable can"));
        }
        out.parameters.push((name.clone(), text));
    }
    Ok(())
}

fn install(map: &Map<String, Value>, out: &mut TestDefinition) -> Result<()> {
    for (key, value) in map {
        let path = format!("install.{key}");
        if value.is_null() {
            continue;
        }
        match key.as_str() {
            "keys" => out.keys = words(&path, value, &mut out.warnings)?,
            "sources" => out.sources = list(&path, value, &mut out.warnings)?,
            "deps" => out.deps = words(&path, value, &mut out.warnings)?,
            "steps" => out.install_steps = steps(&path, value, &mut out.warnings)?,
            "git-repos" => out.git_repos = git_repos(&path, value, &mut out.warnings)?,
            other => match other.strip_prefix("deps-") {
                Some(distro) => {
                    out.distro_deps.push((distro.to_string(), words(&path, value, &mut out.warnings)?));
                }
                None => out.warnings.push(format!("{path}: unknown key; ignored")),
            },
        }
    }
    Ok(())
}

fn run(map: &Map<String, Value>, out: &mut TestDefinition) -> Result<()> {
    for key in map.keys().filter(|key| *key != "steps") {
        out.warnings.push(format!("run.{key}: unknown key; ignored"));
    }
    match given(map, "steps") {
        Some(value) => out.run_steps = steps("run.steps", value, &mut out.warnings)?,
        None => out.warnings.push("run.steps: missing; the suite has no steps".into()),
    }
    Ok(())
}

fn parse(map: &Map<String, Value>, warnings: &mut Vec<String>) -> Result<Option<ParsePattern>> {
    let pattern = match given(map, "pattern") {
        Some(Value::String(pattern)) if !pattern.is_empty() => pattern.clone(),
        Some(Value::String(_)) | None => {
            if map.contains_key("fixupdict") {
                warnings.push("parse.fixupdict: without parse.pattern it has no effect".into());
            }
            return Ok(None);
        }
        Some(_) => return Err(DefinitionError::new("parse.pattern", "must be a string")),
    };
    let mut fixup = Vec::new();
    if let Some(value) = given(map, "fixupdict") {
        for (from, to) in mapping("parse.fixupdict", value)? {
            let path = format!("parse.fixupdict.{from}");
            let to = scalar(&path, to, warnings)?.unwrap_or_default();
            if !["pass", "fail", "skip", "unknown"].contains(&to.as_str()) {
                return Err(DefinitionError::new(path, format!("{to:?} is not pass, fail, skip or unknown")));
            }
            fixup.push((from.clone(), to));
        }
    }
    let parse = ParsePattern { pattern, fixup };
    parse.compile()?;
    Ok(Some(parse))
}

fn git_repos(path: &str, value: &Value, warnings: &mut Vec<String>) -> Result<Vec<GitRepo>> {
    let Value::Array(items) = value else {
        return Err(DefinitionError::new(path, "must be a list of URLs or of mappings with url"));
    };
    let mut out = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let path = format!("{path}[{at}]");
        let repo = match item {
            Value::Null => continue,
            Value::String(url) => GitRepo { url: url.clone(), branch: None, destination: String::new() },
            Value::Object(map) => {
                for key in map.keys().filter(|key| !["url", "branch", "destination"].contains(&key.as_str())) {
                    warnings.push(format!("{path}.{key}: unknown key; ignored"));
                }
                let mut text = |key: &str| -> Result<Option<String>> {
                    match map.get(key) {
                        None => Ok(None),
                        Some(value) => scalar(&format!("{path}.{key}"), value, warnings),
                    }
                };
                GitRepo {
                    url: text("url")?.unwrap_or_default(),
                    branch: text("branch")?,
                    destination: text("destination")?.unwrap_or_default(),
                }
            }
            _ => return Err(DefinitionError::new(path, "must be a URL or a mapping with url")),
        };
        if repo.url.is_empty() {
            return Err(DefinitionError::new(path, "has no url"));
        }
        if !repo.destination.is_empty() {
            check_destination(&path, &repo.destination)?;
        }
        out.push(repo);
    }
    Ok(out)
}

/// The directory `git clone` would choose: the last part of the URL without `.git`.
pub(super) fn destination_of(url: &str) -> String {
    let url = url.trim_end_matches('/');
    let last = url.rsplit(['/', ':']).next().unwrap_or(url);
    last.strip_suffix(".git").unwrap_or(last).to_string()
}

pub(super) fn check_destination(path: &str, destination: &str) -> Result<()> {
    let child = !destination.is_empty()
        && destination != "."
        && destination != ".."
        && destination != ".git"
        && !destination.contains('/')
        && !destination.chars().any(char::is_control);
    if !child {
        return Err(DefinitionError::new(
            path,
            format!("destination {destination:?} is not a direct child of the definition's directory"),
        ));
    }
    if RESERVED.contains(&destination) {
        return Err(DefinitionError::new(path, format!("destination {destination:?} is used by the overlay itself")));
    }
    Ok(())
}

fn steps(path: &str, value: &Value, warnings: &mut Vec<String>) -> Result<Vec<String>> {
    let Value::Array(items) = value else {
        return Err(DefinitionError::new(path, "must be a list of shell lines"));
    };
    let mut out = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let path = format!("{path}[{at}]");
        let text = match item {
            Value::Object(_) => {
                return Err(DefinitionError::new(
                    path,
                    "is a mapping, not a shell line; put a line that holds \": \" between quotes",
                ));
            }
            Value::Array(_) => return Err(DefinitionError::new(path, "is a list, not a shell line")),
            other => scalar(&path, other, warnings)?,
        };
        match text {
            Some(text) if text.contains('\0') => {
                return Err(DefinitionError::new(path, "holds a NUL character, which no script can"));
            }
            Some(text) => out.push(text),
            None => {}
        }
    }
    Ok(out)
}

/// A list of scalars, or one scalar. Nulls are dropped.
fn list(path: &str, value: &Value, warnings: &mut Vec<String>) -> Result<Vec<String>> {
    match value {
        Value::Array(items) => {
            let mut out = Vec::new();
            for (at, item) in items.iter().enumerate() {
                out.extend(scalar(&format!("{path}[{at}]"), item, warnings)?);
            }
            Ok(out)
        }
        Value::Object(_) => Err(DefinitionError::new(path, "must be a list")),
        other => Ok(scalar(path, other, warnings)?.into_iter().collect()),
    }
}

/// As [`list`], every entry without blanks at its ends, empty entries dropped.
fn words(path: &str, value: &Value, warnings: &mut Vec<String>) -> Result<Vec<String>> {
    let items = list(path, value, warnings)?;
    Ok(items.iter().map(|item| item.trim().to_string()).filter(|item| !item.is_empty()).collect())
}

/// A scalar as text; null is `None`.
fn scalar(path: &str, value: &Value, warnings: &mut Vec<String>) -> Result<Option<String>> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(flag) => {
            warnings.push(format!("{path}: a boolean; put it between quotes (taken as {flag})"));
            Ok(Some(flag.to_string()))
        }
        Value::Array(_) | Value::Object(_) => Err(DefinitionError::new(path, "must be text")),
    }
}

fn mapping<'a>(path: &str, value: &'a Value) -> Result<&'a Map<String, Value>> {
    value.as_object().ok_or_else(|| DefinitionError::new(path, "must be a mapping"))
}

/// The value of `key` unless it is missing or null.
fn given<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    map.get(key).filter(|value| !value.is_null())
}

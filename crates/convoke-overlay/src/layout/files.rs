//! The generated files of an overlay, in the order of the archive (device-side.md §1.1, §1.3).

use convoke_job::member::DefinitionFrom;
use serde_json::{Map, Value, json};

use super::environment::{environment, secrets};
use super::{Entry, EntryKind, GroupTable, OverlayError, OverlayPlan, StagedDefinition};
use crate::definition::RESERVED;
use crate::helpers;
use crate::quote::is_safe_path;
use crate::script::{ScriptContext, install_script, run_script};

/// The entries of an overlay in archive order. A [`EntryKind::Trees`] entry stands where the fetched trees of a
/// definition go; the generated files of that definition come after it, so that a tree cannot replace them.
pub fn entries(plan: &OverlayPlan) -> Result<Vec<Entry>, OverlayError> {
    let mut out = Files { base: base(plan)?, entries: Vec::new() };
    out.directory("");
    out.directory("bin");
    for helper in helpers::all().iter().filter(|helper| plan.group.is_some() || !helper.multinode) {
        out.file(&format!("bin/{}", helper.name), 0o755, with_shell(helper.text, &plan.shell));
    }
    out.file("environment", 0o644, environment(&plan.environment, &plan.job_id).text);
    if !plan.secrets.is_empty() {
        out.file("secrets", 0o600, secrets(&plan.secrets).text);
    }
    if let Some(group) = &plan.group {
        multinode(&mut out, group)?;
    }
    if !plan.device_files.is_empty() {
        out.directory("device");
    }
    for (name, text) in &plan.device_files {
        if !is_safe_path(name) {
            return Err(OverlayError::plan(format!("device file {name:?}"), "is not a file name"));
        }
        out.parents("device", name);
        out.file(&format!("device/{name}"), 0o644, text.clone());
    }
    if let Some(key) = &plan.authorized_key {
        authorized(&mut out, key)?;
    }
    out.directory("results");
    out.directory("tests");
    let mut suites = std::collections::HashSet::new();
    for (number, stage) in plan.stages.iter().enumerate() {
        out.directory(&number.to_string());
        let conf: String = stage
            .definitions
            .iter()
            .map(|definition| format!("{}/{number}/tests/{}\n", plan.results_dir, definition.suite()))
            .collect();
        out.file(&format!("{number}/lava-test-runner.conf"), 0o644, conf);
        out.directory(&format!("{number}/results"));
        out.directory(&format!("{number}/tests"));
        for (at, definition) in stage.definitions.iter().enumerate() {
            if !suites.insert(definition.suite()) {
                return Err(OverlayError::plan(definition.suite(), "two definitions have this suite name"));
            }
            staged(&mut out, plan, (number, at), definition)?;
        }
    }
    Ok(out.entries)
}

/// What was changed while the generated files were made, one line each.
pub(super) fn warnings(plan: &OverlayPlan) -> Vec<String> {
    let mut out = environment(&plan.environment, &plan.job_id).warnings;
    out.extend(secrets(&plan.secrets).warnings);
    out
}

/// The results directory without its leading slash.
pub(super) fn base(plan: &OverlayPlan) -> Result<String, OverlayError> {
    let base = plan.results_dir.strip_prefix('/').map(|path| path.trim_end_matches('/')).unwrap_or_default();
    if !is_safe_path(base) {
        return Err(OverlayError::plan(
            format!("results directory {:?}", plan.results_dir),
            "must be an absolute path below the device's root",
        ));
    }
    Ok(base.to_string())
}

/// The directory of a definition, below the results directory.
pub(super) fn definition_directory(stage: usize, definition: &StagedDefinition) -> String {
    format!("{stage}/tests/{}", definition.suite())
}

fn multinode(out: &mut Files, group: &GroupTable) -> Result<(), OverlayError> {
    let check = |what: &str, text: &str| {
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(OverlayError::plan(format!("{what} {text:?}"), "must be one line without control characters"));
        }
        Ok(())
    };
    check("member name", &group.self_name)?;
    check("role", &group.role)?;
    for member in &group.members {
        check("member name", &member.name)?;
        check("role", member.role.as_str())?;
    }
    let table = |guests: bool| -> String {
        let listed = group.members.iter().filter(|member| guests || !member.guest);
        listed.map(|member| format!("{}\t{}\n", member.name, member.role.as_str())).collect()
    };
    out.directory("multinode");
    out.file("multinode/self", 0o644, format!("{}\n", group.self_name));
    out.file("multinode/role", 0o644, format!("{}\n", group.role));
    out.file("multinode/group", 0o644, table(false));
    out.file("multinode/all", 0o644, table(true));
    Ok(())
}

/// Root's list of keys, and the same in the results directory for an overlay of which only that reaches the device.
fn authorized(out: &mut Files, key: &str) -> Result<(), OverlayError> {
    if key.is_empty() || key.chars().any(char::is_control) {
        return Err(OverlayError::plan("authorized key", "must be one line"));
    }
    let text = format!("{key}\n");
    out.file("authorized_keys", 0o600, text.clone());
    let folder = "root/.ssh".to_owned();
    out.entries.push(Entry { path: folder.clone(), mode: 0o700, kind: EntryKind::Directory });
    let file = EntryKind::File(text.into_bytes());
    out.entries.push(Entry { path: format!("{folder}/authorized_keys"), mode: 0o600, kind: file });
    Ok(())
}

fn staged(
    out: &mut Files,
    plan: &OverlayPlan,
    place: (usize, usize),
    staged: &StagedDefinition,
) -> Result<(), OverlayError> {
    let suite = staged.suite();
    let word = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if staged.entry.name.is_empty() || !staged.entry.name.chars().all(word) {
        return Err(OverlayError::plan(
            format!("test definition name {:?}", staged.entry.name),
            "must be made of letters, digits, _ and -",
        ));
    }
    if !is_safe_path(&staged.entry.path) {
        return Err(OverlayError::plan(
            format!("path {:?} of test definition {}", staged.entry.path, staged.entry.name),
            "must be relative and stay inside its repository",
        ));
    }
    if staged.uuid.is_empty() || !staged.uuid.chars().all(word) {
        return Err(OverlayError::plan(format!("uuid {:?} of {suite}", staged.uuid), "must be one plain word"));
    }
    let directory = definition_directory(place.0, staged);
    out.directory(&directory);
    if !staged.files.is_empty() {
        out.entries.push(Entry {
            path: format!("{}/{directory}", out.base),
            mode: 0o755,
            kind: EntryKind::Trees(place.0, place.1),
        });
    }
    let inline = matches!(staged.entry.from, DefinitionFrom::Inline(_));
    if (inline || staged.files.is_empty()) && !RESERVED.contains(&staged.entry.path.as_str()) {
        out.parents(&directory, &staged.entry.path);
        out.file(&format!("{directory}/{}", staged.entry.path), 0o644, yaml(&suite, &staged.document)?);
    }
    let absolute = format!("{}/{directory}", plan.results_dir.trim_end_matches('/'));
    let context = ScriptContext {
        suite: &suite,
        directory: &absolute,
        parameters: &staged.entry.parameters,
        skip_install: &staged.entry.skip_install,
        kmsg: staged.entry.kmsg,
        distro: plan.distro.as_deref(),
        character_delay: plan.character_delay,
    };
    out.file(&format!("{directory}/run.sh"), 0o755, run_script(&staged.definition, &context));
    if let Some(install) = install_script(&staged.definition, &context) {
        out.file(&format!("{directory}/install.sh"), 0o755, install);
    }
    out.file(&format!("{directory}/testdef.yaml"), 0o644, yaml(&suite, &staged.document)?);
    out.file(&format!("{directory}/testdef_metadata"), 0o644, yaml(&suite, &metadata(staged))?);
    out.file(&format!("{directory}/uuid"), 0o644, staged.uuid.clone());
    Ok(())
}

/// `testdef_metadata`: what a later reader asks of a definition without reading it.
fn metadata(staged: &StagedDefinition) -> Value {
    let mut out = Map::new();
    for key in ["os", "devices", "environment"] {
        if let Some(value) = staged.definition.metadata.get(key).filter(|value| !value.is_null()) {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
            let joined = match value {
                Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
                other => text(other),
            };
            out.insert(key.into(), json!(joined));
        }
    }
    if let DefinitionFrom::Git { repository, .. } = &staged.entry.from {
        out.insert("branch_vcs".into(), json!("git"));
        out.insert("project_name".into(), json!(repository));
    }
    if let Some(commit) = &staged.commit {
        out.insert("commit_id".into(), json!(commit));
    }
    Value::Object(out)
}

fn yaml(suite: &str, value: &Value) -> Result<String, OverlayError> {
    serde_saphyr::to_string(value)
        .map_err(|cause| OverlayError::plan(format!("test definition of {suite}"), format!("no YAML text: {cause}")))
}

/// A helper's text under the device's shell: its own first line gives way to `#!<shell>` and an empty line (§1.1).
fn with_shell(text: &str, shell: &str) -> String {
    let rest = match text.strip_prefix("#!") {
        Some(rest) => rest.split_once('\n').map_or("", |(_, rest)| rest),
        None => text,
    };
    format!("#!{shell}\n\n{}", rest.trim_start_matches('\n'))
}

struct Files {
    base: String,
    entries: Vec<Entry>,
}

impl Files {
    fn path(&self, path: &str) -> String {
        if path.is_empty() { self.base.clone() } else { format!("{}/{path}", self.base) }
    }

    fn directory(&mut self, path: &str) {
        let path = self.path(path);
        if !self.entries.iter().any(|entry| entry.path == path) {
            self.entries.push(Entry { path, mode: 0o755, kind: EntryKind::Directory });
        }
    }

    /// The directories between `from` and the file `path` in it.
    fn parents(&mut self, from: &str, path: &str) {
        for (at, _) in path.match_indices('/') {
            self.directory(&format!("{from}/{}", &path[..at]));
        }
    }

    fn file(&mut self, path: &str, mode: u32, text: String) {
        let path = self.path(path);
        self.entries.push(Entry { path, mode, kind: EntryKind::File(text.into_bytes()) });
    }
}

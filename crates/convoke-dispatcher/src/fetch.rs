//! Fetching test definitions (device-side.md §5.1): git repositories, archives, and what a definition itself asks for.
//!
//! ```text
//! convoke ── setup ──────────────→ stage `fetch`: own mount and PID namespace, tmpfs over the work folder
//!    │                                  │ hands its channel over and ends
//!    │── what to fetch, two files ──→ stage `fetch-work`: PID 1 of that namespace; git runs below it
//!    │←─ commit, document ───────────   │ (streams the tree as tar into the first file, the document into the second)
//!    │── the document's git-repos ──→   │
//!    └←─ done ───────────────────────   ┘
//! ```
//!
//! Invariant: nothing stays behind however this ends. The files have no name, the checkout lives in the stage's tmpfs,
//! and PID 1 ends, and with it git and whatever git started, as soon as the channel is closed: when the future is
//! dropped (limit, cancel) as well as when convoke is killed.
//!
//! It fails with one line that names the source: a job error when the source is wrong (no such repository, branch, file,
//! a checksum that differs), an infrastructure error when the network, the disk or git is missing.

mod archive;
mod format;
mod git;
mod message;
mod setup;
mod source;
mod work;

pub(crate) use convoke_artifact::place::shown;

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoke_children::{Process, Stage, StageEntry, StageError};
use convoke_job::member::{Definition, DefinitionFrom};
use convoke_job::source::Source as Text;
use convoke_job::yaml::{self, Limits};
use convoke_overlay::definition::{GitRepo, TestDefinition};
use convoke_overlay::layout::Tree;
use serde_json::Value;

use crate::error::ActionError;
use message::{Answer, Repos, Setup, Work};

/// The stages of this module, for the table of the program's `main`.
pub const STAGES: [(&str, StageEntry); 2] =
    [("fetch", StageEntry::Controlled(setup::run)), ("fetch-work", StageEntry::Orphan(work::run))];

/// A definition that was fetched.
#[derive(Debug)]
pub struct Fetched {
    /// Its document.
    pub document: Value,
    /// The definition.
    pub definition: TestDefinition,
    /// The commit of a git source.
    pub commit: Option<String>,
    /// What goes into its directory: the checkout or archive, then its `git-repos`, in one tree. Empty for an inline
    /// definition without them.
    pub files: Vec<Arc<dyn Tree>>,
}

/// Where the source of a definition is, when it is on this machine; an inline one has none.
pub fn path_of(entry: &Definition) -> Option<PathBuf> {
    match source::Source::of(entry).ok()?? {
        source::Source::Git(source) => source.place,
        source::Source::Archive(source) => source.place,
    }
    .here()
}

/// Fetches what `entry` names. `scratch` is an existing directory: nameless files are made in it, and the stage hides it
/// from itself. Dropping the future ends everything.
pub async fn fetch(entry: &Definition, scratch: &Path) -> Result<Fetched, ActionError> {
    let source = source::Source::of(entry)?;
    if let (DefinitionFrom::Inline(document), None) = (&entry.from, &source) {
        let definition = read(entry, document)?;
        let repos = repos(entry, &definition)?;
        let document = document.clone();
        if repos.is_empty() {
            return Ok(Fetched { document, definition, commit: None, files: Vec::new() });
        }
        let mut run = Run::start(entry, scratch, None).await?;
        run.answer().await?;
        run.finish(repos).await?;
        return Ok(Fetched { document, definition, commit: None, files: run.files() });
    }
    let mut run = Run::start(entry, scratch, source).await?;
    let commit = run.answer().await?;
    let document = run.document(entry)?;
    let definition = read(entry, &document)?;
    run.finish(repos(entry, &definition)?).await?;
    Ok(Fetched { document, definition, commit, files: run.files() })
}

fn read(entry: &Definition, document: &Value) -> Result<TestDefinition, ActionError> {
    TestDefinition::from_value(document).map_err(|error| wrong(entry, &error))
}

fn repos(entry: &Definition, definition: &TestDefinition) -> Result<Vec<GitRepo>, ActionError> {
    if entry.skip_install.iter().any(|skip| skip == "git-repos" || skip == "all") {
        return Ok(Vec::new());
    }
    definition.resolved_git_repos(&entry.parameters).map_err(|error| wrong(entry, &error))
}

fn wrong(entry: &Definition, why: &dyn std::fmt::Display) -> ActionError {
    ActionError::job(format!("test definition {}: {why}", entry.name))
}

/// One running fetch.
struct Run {
    stage: Stage,
    /// The PID 1 of the stage's namespace; it ends when this is dropped.
    worker: Process,
    name: String,
    archive: File,
    document: File,
}

impl Run {
    async fn start(entry: &Definition, scratch: &Path, source: Option<source::Source>) -> Result<Run, ActionError> {
        let disk = |error: io::Error| {
            ActionError::infrastructure(format!("cannot make a file in {}: {error}", scratch.display()))
        };
        let archive = tempfile::tempfile_in(scratch).map_err(disk)?;
        let document = tempfile::tempfile_in(scratch).map_err(disk)?;
        let scratch = std::path::absolute(scratch).map_err(disk)?;
        let stage = Stage::spawn("fetch", &Setup { work: scratch }, &[]).await.map_err(|e| failed(&entry.name, &e))?;
        let (Answer::Entered, mut worker) = stage.recv().await.map_err(|e| failed(&entry.name, &e))? else {
            return Err(unexpected(&entry.name));
        };
        let worker = worker.pop().ok_or_else(|| unexpected(&entry.name))?;
        let worker = Process::new(worker).map_err(|error| ActionError::infrastructure(error.to_string()))?;
        let work = Work { source, path: entry.path.clone() };
        let files = [archive.as_fd(), document.as_fd()];
        stage.send(&work, &files).await.map_err(|e| failed(&entry.name, &e))?;
        Ok(Run { stage, worker, name: entry.name.clone(), archive, document })
    }

    /// The stage's next answer: the commit, if there is one.
    async fn answer(&mut self) -> Result<Option<String>, ActionError> {
        match self.stage.recv().await.map_err(|error| failed(&self.name, &error))?.0 {
            Answer::Done { commit } => Ok(commit),
            Answer::Failed { class, message } => {
                Err(ActionError::new(class, format!("test definition {}: {message}", self.name)))
            }
            Answer::Entered => Err(unexpected(&self.name)),
        }
    }

    fn document(&mut self, entry: &Definition) -> Result<Value, ActionError> {
        let mut bytes = Vec::new();
        let length = u64::try_from(Limits::default().bytes).unwrap_or(u64::MAX);
        self.document
            .rewind()
            .and_then(|()| (&self.document).take(length + 1).read_to_end(&mut bytes))
            .map_err(|error| ActionError::infrastructure(format!("cannot read back {}: {error}", entry.path)))?;
        let finding = |text: Option<&Text>, finding: &convoke_job::diagnostic::Diagnostic| {
            let place = text.zip(finding.labels.first()).map(|(text, label)| text.position(label.span.start));
            let place = place.map(|place| format!(":{}:{}", place.line, place.column)).unwrap_or_default();
            wrong(entry, &format!("{}{place}: {}", entry.path, finding.message))
        };
        let text = Text::from_bytes(entry.path.as_str(), bytes).map_err(|error| finding(None, &error))?;
        let (tree, findings) = yaml::parse(&text, Limits::default());
        if let Some(error) = findings.iter().find(|finding| finding.is_error()) {
            return Err(finding(Some(&text), error));
        }
        tree.map(|tree| tree.to_value()).ok_or_else(|| wrong(entry, &format!("{} is empty", entry.path)))
    }

    async fn finish(&mut self, repos: Vec<GitRepo>) -> Result<(), ActionError> {
        let repos = repos.into_iter().map(message::Repo::from).collect();
        self.stage.send(&Repos(repos), &[]).await.map_err(|error| failed(&self.name, &error))?;
        self.answer().await?;
        self.worker.wait().await.map_err(|error| ActionError::infrastructure(error.to_string()))
    }

    fn files(self) -> Vec<Arc<dyn Tree>> {
        vec![Arc::new(Archive(self.archive))]
    }
}

fn failed(name: &str, error: &StageError) -> ActionError {
    ActionError::infrastructure(format!("test definition {name}: {error}"))
}

fn unexpected(name: &str) -> ActionError {
    ActionError::new(crate::error::ErrorClass::Bug, format!("test definition {name}: the stage answers out of order"))
}

/// A fetched tree in a nameless file.
#[derive(Debug)]
struct Archive(File);

impl Tree for Archive {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(io::BufReader::with_capacity(64 * 1024, FromStart { file: &self.0, at: 0 })))
    }
}

/// Reads a file without moving its position, so that it can be read more than once.
struct FromStart<'a> {
    file: &'a File,
    at: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read_at(buffer, self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}

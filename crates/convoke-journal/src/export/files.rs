//! The files of a run's folder, written while the run goes on, and written again from its journal.
//!
//! ```text
//! DIR/journal.jsonl                     (the writer's)
//! DIR/results.yaml  junit.xml  results.tap        at the end, each in one step (written aside, then renamed)
//! DIR/members/<sub_id>-<role>/definition.yaml     when the definition is known
//!                            /console.log         bytes as they came, secrets masked
//!                            /console-NAME.log    the same of a further connection, named by its namespace
//!                            /log.yaml            the log in LAVA's form
//!                            /results.yaml        at the end
//! ```
//! Invariant: the files depend on the events alone, so [`render`] gives the same bytes. A file that cannot be written does
//! not keep the others from being written; the first error is told at the end.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{group, junit, lava, tap, yaml};
use crate::event::{Body, Event};
use crate::model::{LogLine, RunModel};
use crate::reader::{ReadError, Reader};
use crate::view::View;

/// The view that writes them.
#[derive(Debug)]
pub struct Files {
    dir: PathBuf,
    /// Added to the names of the growing files; they are renamed at the end.
    aside: &'static str,
    model: RunModel,
    members: BTreeMap<u32, Growing>,
    error: Option<io::Error>,
}

/// A member's files that grow.
#[derive(Debug)]
struct Growing {
    folder: PathBuf,
    console: Option<BufWriter<File>>,
    /// Of further connections, by namespace.
    connections: BTreeMap<String, Option<BufWriter<File>>>,
    log: Option<BufWriter<File>>,
}

/// The file of a further connection.
fn connection_log(namespace: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    format!("console-{}.log", namespace.chars().map(safe).take(100).collect::<String>())
}

impl Growing {
    fn discard(&self, aside: &str) {
        let further = self.connections.keys().map(|name| connection_log(name));
        for name in ["console.log".to_owned(), "log.yaml".to_owned()].into_iter().chain(further) {
            // What cannot be removed is only in the way, not wrong.
            let _ = fs::remove_file(self.folder.join(format!("{name}{aside}")));
        }
    }
}

impl Files {
    /// Files below `dir`, the folder of the run.
    pub fn new(dir: &Path) -> Self {
        Self::with(dir, "")
    }

    fn with(dir: &Path, aside: &'static str) -> Self {
        Files { dir: dir.to_owned(), aside, model: RunModel::default(), members: BTreeMap::new(), error: None }
    }

    fn note(&mut self, path: &Path, outcome: io::Result<()>) -> bool {
        let failed = outcome.is_err();
        if let (None, Err(error)) = (&self.error, outcome) {
            self.error = Some(io::Error::new(error.kind(), format!("{}: {error}", path.display())));
        }
        !failed
    }

    fn lines(&mut self, lines: Vec<LogLine>) {
        for line in lines {
            let Some(member) = line.member else { continue };
            let Some(growing) = self.open(member) else { continue };
            let path = growing.folder.join("log.yaml");
            let Some(log) = &mut growing.log else { continue };
            let outcome = writeln!(log, "- {}", line.to_lava(None));
            if !self.note(&path, outcome) {
                self.members.entry(member).and_modify(|growing| growing.log = None);
            }
        }
    }

    /// The member's files, made when they are needed first.
    fn open(&mut self, sub_id: u32) -> Option<&mut Growing> {
        if !self.members.contains_key(&sub_id) {
            let folder = self.dir.join("members").join(self.model.member(sub_id)?.folder());
            let made = fs::create_dir_all(&folder);
            self.note(&folder, made);
            let mut create = |name: &str| {
                let path = folder.join(format!("{name}{}", self.aside));
                match File::create(&path) {
                    Ok(file) => Some(BufWriter::new(file)),
                    Err(error) => {
                        self.note(&path, Err(error));
                        None
                    }
                }
            };
            let (console, log) = (create("console.log"), create("log.yaml"));
            self.members.insert(sub_id, Growing { folder, console, connections: BTreeMap::new(), log });
        }
        self.members.get_mut(&sub_id)
    }

    /// Leaves the growing files as they were before.
    fn discard(mut self) {
        for growing in std::mem::take(&mut self.members).into_values() {
            growing.discard(self.aside);
        }
    }

    fn write(&mut self, path: &Path, content: &str) {
        let outcome = replace(path, content.as_bytes());
        self.note(path, outcome);
    }
}

/// Writes a file in one step: a reader sees the old one or the new one.
///
/// # Errors
/// The file cannot be written; the old one is still there then.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".part");
    let outcome = fs::write(&aside, content).and_then(|()| fs::rename(&aside, path));
    if outcome.is_err() {
        // The error is what counts; the remains may be gone already.
        let _ = fs::remove_file(&aside);
    }
    outcome
}

impl View for Files {
    fn event(&mut self, event: &Event) {
        let lines = self.model.apply(event);
        if let Body::RunStarted { .. } = event.body {
            let ids: Vec<u32> = self.model.members.iter().map(|member| member.info.sub_id).collect();
            for sub_id in ids {
                self.open(sub_id);
            }
        }
        self.lines(lines);
        let Some(sub_id) = event.member else { return };
        match &event.body {
            Body::Console { connection: Some(name), .. } => {
                let bytes = event.body.console_bytes().unwrap_or_default();
                let aside = self.aside;
                let Some(growing) = self.open(sub_id) else { return };
                let path = growing.folder.join(format!("{}{aside}", connection_log(name)));
                let file = growing.connections.entry(name.clone());
                let mut outcome = Ok(());
                let file = file.or_insert_with(|| match File::create(&path) {
                    Ok(file) => Some(BufWriter::new(file)),
                    Err(error) => {
                        outcome = Err(error);
                        None
                    }
                });
                if let Some(open) = file {
                    outcome = open.write_all(&bytes);
                    if outcome.is_err() {
                        *file = None;
                    }
                }
                self.note(&path, outcome);
            }
            Body::Console { .. } => {
                let bytes = event.body.console_bytes().unwrap_or_default();
                let Some(growing) = self.open(sub_id) else { return };
                let path = growing.folder.join("console.log");
                let Some(console) = &mut growing.console else { return };
                let outcome = console.write_all(&bytes);
                if !self.note(&path, outcome) {
                    self.members.entry(sub_id).and_modify(|growing| growing.console = None);
                }
            }
            Body::Definition { definition } => {
                let Some(growing) = self.open(sub_id) else { return };
                let path = growing.folder.join("definition.yaml");
                self.write(&path, &yaml::document(definition));
            }
            _ => {}
        }
    }

    fn idle(&mut self, elapsed_ns: u64) {
        let lines = self.model.tick(elapsed_ns);
        self.lines(lines);
        let mut failed = Vec::new();
        for growing in self.members.values_mut() {
            let own = [("console.log".to_owned(), &mut growing.console), ("log.yaml".to_owned(), &mut growing.log)];
            let further = growing.connections.iter_mut().map(|(name, file)| (connection_log(name), file));
            for (name, file) in own.into_iter().chain(further) {
                if let Some(Err(error)) = file.as_mut().map(Write::flush) {
                    failed.push((growing.folder.join(name), error));
                    *file = None;
                }
            }
        }
        for (path, error) in failed {
            self.note(&path, Err(error));
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        let lines = self.model.finish();
        self.lines(lines);
        self.idle(0);
        for (sub_id, mut growing) in std::mem::take(&mut self.members) {
            (growing.console, growing.log) = (None, None);
            growing.connections.values_mut().for_each(|file| *file = None);
            if !self.aside.is_empty() && self.error.is_some() {
                // Whole files from before are better than new ones that are not.
                growing.discard(self.aside);
            } else if !self.aside.is_empty() {
                let further = growing.connections.keys().map(|name| connection_log(name));
                for name in ["console.log".to_owned(), "log.yaml".to_owned()].into_iter().chain(further) {
                    let path = growing.folder.join(&name);
                    let outcome = fs::rename(growing.folder.join(format!("{name}{}", self.aside)), &path);
                    self.note(&path, outcome);
                }
            }
            if let Some(results) = self.model.member(sub_id).map(lava::results) {
                self.write(&growing.folder.join("results.yaml"), &results);
            }
        }
        let documents = [
            ("results.yaml", group::results(&self.model)),
            ("junit.xml", junit::document(&self.model)),
            ("results.tap", tap::document(&self.model)),
        ];
        for (name, content) in documents {
            self.write(&self.dir.join(name), &content);
        }
        self.error.take().map_or(Ok(()), Err)
    }
}

/// A run rendered again.
#[derive(Debug)]
pub struct Rendered {
    /// What the run came to.
    pub model: RunModel,
    /// Whether the journal's last line was cut off.
    pub torn: bool,
    /// Events left out because only a newer program knows them.
    pub skipped: u64,
}

/// Why a run cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// Its journal cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Its files cannot be written.
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// Makes all files of a finished run again from its journal, in bounded memory. `views` see the same events; the run's
/// end is told to them only when the journal could be read to its end.
///
/// # Errors
/// The journal cannot be read, or a file cannot be written; consoles and logs are left as they were then.
pub fn render(dir: &Path, views: &mut [&mut dyn View]) -> Result<Rendered, RenderError> {
    let mut reader = Reader::open(dir)?;
    let mut files = Files::with(dir, ".part");
    for event in reader.by_ref() {
        match event {
            Ok(event) => {
                files.event(&event);
                views.iter_mut().for_each(|view| view.event(&event));
            }
            Err(error) => {
                files.discard();
                return Err(error.into());
            }
        }
    }
    let mut outcome = files.finish();
    for view in views {
        outcome = outcome.and(view.finish());
    }
    outcome?;
    Ok(Rendered { torn: reader.torn(), skipped: reader.skipped(), model: files.model })
}

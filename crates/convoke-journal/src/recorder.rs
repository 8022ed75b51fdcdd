//! Writing a journal: one owner of the file, many recorders.

use std::path::Path;

use crate::event::Body;

/// Where members and the run record what happens. Cheap to clone; recording never blocks on the disk.
#[derive(Clone, Debug)]
pub struct Recorder {}

impl Recorder {
    /// Records an event of the group.
    pub fn group(&self, _body: Body) {}

    /// Records an event of one member.
    pub fn member(&self, _sub_id: u32, _body: Body) {}

    /// A number for a MultiNode call, unique in the run.
    pub fn next_call_id(&self) -> u64 {
        0
    }

    /// From now on every occurrence of these values is recorded as `[MASKED]`.
    pub fn mask(&self, _secrets: Vec<String>) {}
}

/// The open journal: owns the file and the views that see each event as it comes.
#[derive(Debug)]
pub struct Journal {}

impl Journal {
    /// Creates `journal.jsonl` in `dir` and gives a recorder for it.
    pub fn create(_dir: &Path) -> std::io::Result<(Journal, Recorder)> {
        Ok((Journal {}, Recorder {}))
    }

    /// Waits until everything recorded is on disk and every view has seen it.
    pub fn close(self) -> std::io::Result<()> {
        Ok(())
    }
}

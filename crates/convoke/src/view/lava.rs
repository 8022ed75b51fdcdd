//! `--format lava`: LAVA's log lines of all members (device-side.md §10), each with the member added.

use std::io::{self, Write};

use convoke_journal::{Event, LogLine, RunModel, View};

use super::Out;

/// The view.
pub(crate) struct Lava<W> {
    out: Out<W>,
    model: RunModel,
}

impl<W: Write> Lava<W> {
    pub(crate) fn new(to: W) -> Self {
        Lava { out: Out::new(to), model: RunModel::default() }
    }

    fn write(&mut self, lines: &[LogLine]) {
        for line in lines {
            let label = line.member.map(|member| self.model.label(member));
            self.out.write(format!("- {}\n", line.to_lava(label.as_deref())).as_bytes());
        }
    }
}

impl<W: Write + Send> View for Lava<W> {
    fn event(&mut self, event: &Event) {
        let lines = self.model.apply(event);
        self.write(&lines);
    }

    fn idle(&mut self, elapsed_ns: u64) {
        let lines = self.model.tick(elapsed_ns);
        self.write(&lines);
    }

    fn tick(&self) -> Option<std::time::Duration> {
        Some(std::time::Duration::from_secs(1))
    }

    fn finish(&mut self) -> io::Result<()> {
        let lines = self.model.finish();
        self.write(&lines);
        self.out.outcome()
    }
}

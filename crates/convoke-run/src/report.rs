//! What people look at after a run: `report.html` in its folder, and a trace on demand. Both are made from the events alone.

use std::io;
use std::path::{Path, PathBuf};

use convoke_journal::{Event, RenderError, Rendered, View, replace};
use convoke_report::{Teller, page, trace};

/// Name of the page in the folder of a run.
pub const REPORT: &str = "report.html";

/// The view that writes the page at the end, and the trace when one is wanted.
pub(crate) struct Report {
    page: PathBuf,
    trace: Option<PathBuf>,
    teller: Teller,
}

impl Report {
    pub(crate) fn new(dir: &Path) -> Self {
        Report { page: dir.join(REPORT), trace: None, teller: Teller::default() }
    }
}

impl View for Report {
    fn event(&mut self, event: &Event) {
        self.teller.event(event);
    }

    fn finish(&mut self) -> io::Result<()> {
        let story = std::mem::take(&mut self.teller).end();
        let named = |path: &Path, outcome: io::Result<()>| {
            outcome.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        };
        let mut outcome = named(&self.page, replace(&self.page, page::render(&story).as_bytes()));
        if let Some(path) = &self.trace {
            outcome = outcome.and(named(path, replace(path, &trace::render(&story))));
        }
        outcome
    }
}

/// Makes all files of a finished run again from its journal, and a trace for Perfetto when it is given a place.
///
/// # Errors
/// The journal cannot be read, or a file cannot be written.
pub fn render(dir: &Path, trace: Option<&Path>) -> Result<Rendered, RenderError> {
    let mut report = Report { trace: trace.map(Path::to_owned), ..Report::new(dir) };
    convoke_journal::render(dir, &mut [&mut report])
}

//! What looks at the stream of events: terminal, files, pages.
//!
//! A view sees every event once, in order, on the thread that writes the journal. It never holds up the run: an error is
//! kept until [`View::finish`], and a view that panics is taken out of the stream.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::event::Event;

/// A consumer of the stream.
pub trait View: Send {
    /// The next event.
    fn event(&mut self, event: &Event);

    /// The queue is empty for the moment: the time to bring a screen up to date. Every event recorded up to this time
    /// (nanoseconds since the run started) has been seen, and none will come that is older.
    fn idle(&mut self, _elapsed_ns: u64) {}

    /// How often [`View::idle`] is wanted even when nothing happens, for what depends on the time alone, such as how
    /// long a member has waited.
    fn tick(&self) -> Option<Duration> {
        None
    }

    /// No more events will come, whether or not the run came to its end.
    ///
    /// # Errors
    /// The first error the view met, for example a full disk.
    fn finish(&mut self) -> io::Result<()>;
}

/// All views of a journal.
#[derive(Default)]
pub(crate) struct Views {
    views: Vec<Box<dyn View>>,
    panicked: bool,
}

impl Views {
    pub(crate) fn add(&mut self, view: Box<dyn View>) {
        self.views.push(view);
    }

    /// The shortest tick any view wants.
    pub(crate) fn tick(&self) -> Option<Duration> {
        self.views.iter().filter_map(|view| view.tick()).min()
    }

    pub(crate) fn event(&mut self, event: &Event) {
        self.each(|view| view.event(event));
    }

    pub(crate) fn idle(&mut self, elapsed_ns: u64) {
        self.each(|view| view.idle(elapsed_ns));
    }

    fn each(&mut self, mut call: impl FnMut(&mut Box<dyn View>)) {
        let panicked = &mut self.panicked;
        self.views.retain_mut(|view| {
            let outcome = catch_unwind(AssertUnwindSafe(|| call(view)));
            *panicked |= outcome.is_err();
            outcome.is_ok()
        });
    }

    /// Ends every view, also when one of them fails; the first error.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let mut first = if self.panicked {
            Err(io::Error::other("a view of the journal panicked; this is a bug, the journal itself is complete"))
        } else {
            Ok(())
        };
        for view in &mut self.views {
            let outcome = catch_unwind(AssertUnwindSafe(|| view.finish()))
                .unwrap_or_else(|_| Err(io::Error::other("a view of the journal panicked at its end; this is a bug")));
            first = first.and(outcome);
        }
        first
    }
}

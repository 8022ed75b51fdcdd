//! Somebody who wants to look at the device while its test waits (see `desk`): a helper gives the console to a shell.
//!
//! While a shell has the console nothing is typed for helpers: it would be a command there. What they miss is typed again.

use convoke_overlay::link::{Frame, Kind};

use crate::console::ConsoleLink;
use crate::desk::{EXIT, Visiting};
use crate::testshell::shell::Shell;

/// Until a visitor would like a shell.
pub(super) async fn wanted(link: &ConsoleLink) {
    let mut changes = link.visiting().subscribe();
    if changes.wait_for(|state| *state == Visiting::Wanted).await.is_err() {
        std::future::pending().await
    }
}

impl Shell<'_> {
    /// Asks a helper that waits for a shell; without one there is none.
    pub(super) fn ask_for_shell(&mut self) {
        let Some(id) = self.requests.waiting() else {
            self.link.visiting().send_replace(Visiting::Ready);
            return;
        };
        self.link.visiting().send_replace(Visiting::Asked);
        self.link.type_line(&Frame::about(Kind::Visit, id, 1, 1).line());
    }

    /// A helper says how it stands with a visit.
    pub(super) fn visited(&mut self, frame: &Frame) {
        let state = *self.link.visiting().borrow();
        match (frame.text.as_str(), state) {
            ("in", Visiting::Asked) => self.link.visiting().send_replace(Visiting::Shell),
            // It was too late, and the visitor sits at the bare console.
            ("in", _) => {
                self.link.type_raw(EXIT);
                return;
            }
            _ => self.link.visiting().send_replace(Visiting::Ready),
        };
        if frame.text == "out" {
            self.link.hush();
        }
    }

    /// Whether a shell has the console.
    pub(super) fn is_visited(&self) -> bool {
        matches!(*self.link.visiting().borrow(), Visiting::Asked | Visiting::Shell)
    }
}

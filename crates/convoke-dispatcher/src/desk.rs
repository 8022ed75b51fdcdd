//! A member's console for somebody beside its pipeline: who stopped the group and wants to look.
//!
//! The dispatcher goes on reading the console, recording it and looking for signals; a seat at the desk hears what comes
//! and may type. What is typed there is recorded like everything else that is typed, and its echo is no signal.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::mpsc;

use crate::console::{Shared, Typed};

/// Chunks that a seat may be behind; what comes then is not shown to it.
const BEHIND: usize = 1024;

/// Where the console of a member is found while it has one. Clones are the same desk.
#[derive(Clone, Debug, Default)]
pub struct Desk(Arc<Mutex<Option<Line>>>);

/// The way to an open console.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) shared: Weak<Shared>,
    pub(crate) lines: mpsc::WeakUnboundedSender<Typed>,
}

/// Somebody who types at a console.
#[derive(Debug)]
pub struct Seat(Line);

impl Desk {
    pub(crate) fn put(&self, line: Line) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
    }

    /// Takes a seat at the console, and gives what comes from it, until it is closed; of several seats the newest hears.
    /// `None` while there is no console: the member has not booted yet, or it has ended.
    pub fn sit(&self) -> Option<(mpsc::Receiver<Vec<u8>>, Seat)> {
        let line = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let (tell, output) = mpsc::channel(BEHIND);
        line.shared.upgrade()?.listen(tell);
        Some((output, Seat(line)))
    }
}

impl Seat {
    /// Types bytes, as they are.
    pub fn type_bytes(&self, bytes: &[u8]) {
        if let (Some(shared), Some(lines)) = (self.0.shared.upgrade(), self.0.lines.upgrade()) {
            shared.typed_beside(bytes);
            // The typing task ends only with the console: then reading says so.
            let shown = String::from_utf8_lossy(bytes).into_owned();
            let _ = lines.send(Typed { bytes: bytes.to_vec(), shown, pace: std::time::Duration::ZERO });
        }
    }
}

//! A member's console for somebody beside its pipeline: who stopped the group and wants to look.
//!
//! The dispatcher goes on reading the console, recording it and looking for signals; a seat at the desk hears what comes
//! and may type. What is typed there is recorded like everything else that is typed, and its echo is no signal.
//!
//! A helper that waits on the checked link reads frames only: it is asked to give the console to a shell meanwhile, which
//! stands where the test stands.
//!
//! ```text
//!             sit()            the test shell types `v`        `V in`
//! Nobody ──▶ (the bare console)
//! Ready  ──▶ Wanted ──────────────────▶ Asked ─────────────────────▶ Shell ── leave() or `exit`, `V out` ──▶ Ready
//!              └── nobody waits ──▶ Ready └── `V no`, no answer ──▶ Ready         (the bare console)
//! ```

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::console::{Shared, Typed};
use crate::limits::{VISIT_BEGINS, VISIT_ENDS, VISIT_INTERRUPTED};

/// Chunks that a seat may be behind; what comes then is not shown to it.
const BEHIND: usize = 1024;
/// Gets at the shell behind whatever runs in the foreground: ends that; or stops it, for a shell started by a helper in
/// the background has children that do not heed Ctrl-C. The last time a shell may have been started in the shell, or it
/// said something of stopped jobs.
const FREE: [&[u8]; 3] = [b"\x03", b"\x1a", b"\x03"];
/// Empties the line and ends the shell.
pub(crate) const EXIT: &[u8] = b"\x15exit\n";

/// How a visitor and the test shell of a console agree; see the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Visiting {
    /// No test shell runs.
    #[default]
    Nobody,
    /// A test shell runs.
    Ready,
    /// A visitor would like a shell.
    Wanted,
    /// A helper on the device was asked for it.
    Asked,
    /// A shell has the console.
    Shell,
}

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
pub struct Seat {
    line: Line,
    shell: bool,
}

impl Desk {
    pub(crate) fn put(&self, line: Line) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
    }

    /// Takes a seat at the console, and gives what comes from it, until it is closed or its shell has ended; of several
    /// seats the newest hears. `None` while there is no console: the member has not booted yet, or it has ended.
    pub async fn sit(&self) -> Option<(mpsc::Receiver<Vec<u8>>, Seat)> {
        let line = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let shared = line.shared.upgrade()?;
        let shell = shell(&shared).await;
        let (tell, output) = mpsc::channel(BEHIND);
        shared.listen(tell);
        let seat = Seat { line, shell };
        if shell {
            // The prompt that greets has gone by.
            seat.type_bytes(b"\n");
        }
        Some((output, seat))
    }
}

/// Asks for a shell at the console; false where only the bare console is to be had.
async fn shell(shared: &Shared) -> bool {
    let mut changes = shared.visiting.subscribe();
    let ready = |state: &mut Visiting| {
        let ready = *state == Visiting::Ready;
        if ready {
            *state = Visiting::Wanted;
        }
        ready
    };
    if !shared.visiting.send_if_modified(ready) {
        return false;
    }
    let settled = changes.wait_for(|state| !matches!(state, Visiting::Wanted | Visiting::Asked));
    match tokio::time::timeout(VISIT_BEGINS, settled).await {
        Ok(Ok(state)) => *state == Visiting::Shell,
        Ok(Err(_)) => false,
        Err(_) => {
            // Whoever was asked does not know what that is. A shell that comes after all is ended at once by its reader.
            shared.visiting.send_if_modified(|state| {
                let asked = matches!(state, Visiting::Wanted | Visiting::Asked);
                if asked {
                    *state = Visiting::Ready;
                }
                asked
            });
            *shared.visiting.borrow() == Visiting::Shell
        }
    }
}

impl Seat {
    /// Whether a shell has the console, beside the test; else what is typed reaches whatever runs there.
    pub fn is_shell(&self) -> bool {
        self.shell
    }

    /// Types bytes, as they are.
    pub fn type_bytes(&self, bytes: &[u8]) {
        if let (Some(shared), Some(lines)) = (self.line.shared.upgrade(), self.line.lines.upgrade()) {
            shared.typed_beside(bytes);
            // The typing task ends only with the console: then reading says so.
            let shown = String::from_utf8_lossy(bytes).into_owned();
            let _ = lines.send(Typed { bytes: bytes.to_vec(), shown, pace: Duration::ZERO });
        }
    }

    /// Leaves: a shell at the console is ended, with what runs in its foreground. False when it does not end: then the
    /// test cannot go on before somebody ends it.
    pub async fn leave(&self) -> bool {
        let Some(shared) = self.line.shared.upgrade() else { return true };
        let mut changes = shared.visiting.subscribe();
        for free in FREE {
            if *changes.borrow_and_update() != Visiting::Shell {
                return true;
            }
            // A shell throws away what was typed before it was interrupted, so it gets a moment for that.
            for (keys, patience) in [(free, VISIT_INTERRUPTED), (EXIT, VISIT_ENDS)] {
                self.type_bytes(keys);
                let ended = changes.wait_for(|state| *state != Visiting::Shell);
                if tokio::time::timeout(patience, ended).await.is_ok() {
                    return true;
                }
            }
        }
        false
    }
}

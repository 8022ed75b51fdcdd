//! What went over a line, as it was sent: how many frames, and how many of them a line without damage would not have had.

use std::collections::BTreeSet;
use std::ops::AddAssign;

/// The frames of one side or of both.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    frames: u64,
    /// What was sent before, or only because something was lost: a probe, a request for a part.
    again: u64,
    /// Everything that was sent once.
    sent: BTreeSet<String>,
}

impl Tally {
    /// Text that is sent, of whole lines or not: a line that is cut here would be missed, so callers pass whole output.
    pub(crate) fn count(&mut self, text: &[u8]) {
        for line in String::from_utf8_lossy(text).split(['\r', '\n']) {
            let Some(head) = line.strip_prefix("<LAVA2 ") else { continue };
            self.frames += 1;
            let asks = matches!(head.chars().next(), Some('P' | 'n' | 'u'));
            self.again += u64::from(!self.sent.insert(line.to_owned()) || asks);
        }
    }

    pub(crate) fn frames(&self) -> u64 {
        self.frames
    }

    pub(crate) fn again(&self) -> u64 {
        self.again
    }
}

impl AddAssign for Tally {
    /// Two lines, each with frames of its own.
    fn add_assign(&mut self, other: Tally) {
        self.frames += other.frames;
        self.again += other.again;
    }
}

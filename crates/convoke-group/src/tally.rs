//! How many members have done something, so that nobody has to be looked at to know whether all have.
//!
//! Counts go with what is counted. Of those who have left it is looked at once whether they had done it before: the list
//! of the gone only grows, and the gone do nothing more.

use crate::roster::Slot;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) done: usize,
    /// So many of the gone, in their order, are known to have done it.
    settled: usize,
}

impl Tally {
    /// Whether one of the gone had not done it.
    pub(crate) fn lacks(&mut self, gone: &[Slot], has_done: impl Fn(Slot) -> bool) -> bool {
        while let Some(slot) = gone.get(self.settled) {
            if !has_done(*slot) {
                return true;
            }
            self.settled += 1;
        }
        false
    }
}

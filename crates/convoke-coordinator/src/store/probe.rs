//! Where tests look at the disk, or make it fail: between any two steps that a kill could separate.

use std::fmt;
use std::io;
use std::sync::Arc;

/// A step, named before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// Lines are written to the open segment.
    Write,
    /// They are synced.
    Sync,
    /// What was not acknowledged is cut off again.
    Cut,
    /// A segment is made.
    Create,
    /// A segment is written anew beside the old one.
    RewriteBegin,
    /// It is synced.
    RewriteSync,
    /// It takes the old one's place.
    RewriteRename,
    /// The folder is synced.
    RewriteSyncDir,
    /// A segment is removed.
    Remove,
    /// The folder is synced.
    RemoveSyncDir,
}

type Look = Arc<dyn Fn(Step) -> io::Result<()> + Send + Sync>;

/// Asked before every step; an error is that of the step. Nobody looks unless a test does.
#[derive(Clone, Default)]
pub(crate) struct Probe(Option<Look>);

impl Probe {
    #[cfg(test)]
    pub(crate) fn new(look: impl Fn(Step) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(look)))
    }

    /// Whether a test looks. Then everything is done in one thread, so that steps have an order.
    pub(crate) fn looks(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn at(&self, step: Step) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |look| look(step))
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}

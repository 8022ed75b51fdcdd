//! The group's verdict: a view that tells it as soon as the last member has ended. Its model is what the run itself knows
//! of its members meanwhile.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use convoke_journal::{Body, Event, Failure, Health, RunModel, View};
use tokio::sync::oneshot;

/// What the run came to.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) health: Health,
    pub(crate) first_failure: Option<(u32, Failure)>,
    pub(crate) exit_status: i32,
}

/// What has happened so far. The journal's thread writes it; others look for a moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known(Arc<Mutex<RunModel>>);

impl Known {
    /// Looks at it. Do not wait in there: the journal does.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&RunModel) -> T) -> T {
        at(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Follows the stream until every member has ended. The verdict comes from the same model that all other views use.
pub(crate) struct VerdictView {
    model: Known,
    running: usize,
    tell: Option<oneshot::Sender<Verdict>>,
}

impl VerdictView {
    pub(crate) fn new(members: usize) -> (VerdictView, oneshot::Receiver<Verdict>) {
        let (tell, told) = oneshot::channel();
        (VerdictView { model: Known::default(), running: members, tell: Some(tell) }, told)
    }

    pub(crate) fn known(&self) -> Known {
        self.model.clone()
    }
}

impl View for VerdictView {
    fn event(&mut self, event: &Event) {
        self.model.0.lock().unwrap_or_else(PoisonError::into_inner).apply(event);
        if matches!(event.body, Body::MemberEnded { .. }) {
            self.running = self.running.saturating_sub(1);
        }
        if self.running == 0
            && let Some(tell) = self.tell.take()
        {
            let verdict = self.model.look(|model| Verdict {
                health: model.health().unwrap_or(Health::Incomplete),
                first_failure: model.first_failure().map(|first| (first.member, first.failure)),
                exit_status: model.exit_status(),
            });
            let _ = tell.send(verdict);
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

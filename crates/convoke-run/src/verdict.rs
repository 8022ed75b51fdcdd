//! The group's verdict: a view that tells it as soon as the last member has ended.

use std::io;

use convoke_journal::{Body, Event, Failure, Health, RunModel, View};
use tokio::sync::oneshot;

/// What the run came to.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) health: Health,
    pub(crate) first_failure: Option<(u32, Failure)>,
    pub(crate) exit_status: i32,
}

/// Follows the stream until every member has ended. The verdict comes from the same model that all other views use.
pub(crate) struct VerdictView {
    model: RunModel,
    running: usize,
    tell: Option<oneshot::Sender<Verdict>>,
}

impl VerdictView {
    pub(crate) fn new(members: usize) -> (VerdictView, oneshot::Receiver<Verdict>) {
        let (tell, told) = oneshot::channel();
        (VerdictView { model: RunModel::default(), running: members, tell: Some(tell) }, told)
    }
}

impl View for VerdictView {
    fn event(&mut self, event: &Event) {
        self.model.apply(event);
        if matches!(event.body, Body::MemberEnded { .. }) {
            self.running = self.running.saturating_sub(1);
        }
        if self.running == 0
            && let Some(tell) = self.tell.take()
        {
            let _ = tell.send(Verdict {
                health: self.model.health().unwrap_or(Health::Incomplete),
                first_failure: self.model.first_failure().map(|first| (first.member, first.failure)),
                exit_status: self.model.exit_status(),
            });
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

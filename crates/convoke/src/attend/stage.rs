//! The terminal is drawn by the live view; whoever asks the user something shares it with that view.
//!
//! A question stands below the view's block, and is drawn with it. A visit to a device needs the whole terminal: the view
//! wipes its block, says so, and draws nothing until it gets the terminal back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The terminal, shared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stage(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    free: Notify,
}

#[derive(Debug, Default)]
struct State {
    question: Vec<String>,
    wanted: bool,
    /// The view draws nothing.
    given: bool,
    /// There is no view any more.
    ended: bool,
}

impl Stage {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lines that stand below the block; none ends the question.
    pub(crate) fn ask(&self, lines: Vec<String>) {
        self.lock().question = lines;
    }

    /// Gets the terminal for oneself, until the loan is dropped.
    pub(crate) async fn lend(&self) -> Loan {
        self.lock().wanted = true;
        let loan = Loan(self.clone());
        loop {
            let free = self.0.free.notified();
            {
                let state = self.lock();
                if state.given || state.ended {
                    return loan;
                }
            }
            free.await;
        }
    }

    /// For the view: the question.
    pub(crate) fn question(&self) -> Vec<String> {
        self.lock().question.clone()
    }

    /// For the view: whether somebody else wants the terminal, or has it.
    pub(crate) fn is_wanted(&self) -> bool {
        self.lock().wanted
    }

    /// For the view: whether somebody else has it.
    pub(crate) fn is_given(&self) -> bool {
        self.lock().given
    }

    /// For the view: it has wiped its block and draws nothing.
    pub(crate) fn give(&self) {
        let mut state = self.lock();
        if !state.given {
            state.given = true;
            self.0.free.notify_one();
        }
    }

    /// For the view: it is at its end.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.0.free.notify_one();
    }
}

/// The terminal is somebody else's.
#[derive(Debug)]
pub(crate) struct Loan(Stage);

impl Drop for Loan {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.wanted = false;
        state.given = false;
    }
}

//! What runs beside the script: `command &`, `$!` and `wait`.
//!
//! A job is told apart by its number, for which one character stands where a script writes `$!`, as for the name of a
//! member. Jobs that make no calls are of no matter to the flow but for their status.

use std::rc::Rc;

use convoke_job::Span;

use super::Follower;
use super::draft::Draft;
use super::expand::Field;
use super::state::{Input, State, Status};
use crate::model::{Step, Why};
use crate::shell::ast::Item;

/// The first of the characters that stand for jobs; those for members and directories come before.
const FIRST_JOB: u32 = 0x10_0000;

/// What stands for a job in a text.
pub(super) fn name(number: u32) -> String {
    char::from_u32(FIRST_JOB + number).map(String::from).unwrap_or_default()
}

fn number(text: &str) -> Option<u32> {
    let mut chars = text.chars();
    let number = chars.next().map(u32::from)?.checked_sub(FIRST_JOB)?;
    chars.next().is_none().then_some(number)
}

impl Follower<'_> {
    pub(super) fn background(&mut self, item: &Item, mut state: State, out: &mut Vec<Draft>) -> State {
        let mut body = Vec::new();
        let mut inner = state.clone();
        inner.input = Input::Outside;
        let left = std::mem::take(&mut self.left);
        let end = self.subshell(inner, &mut body, |follower, state, out| follower.chain(item, state, out));
        self.left = left;
        // More jobs than there are characters for have no number.
        let started = u32::try_from(self.jobs.len()).ok().filter(|number| *number < 0xF000);
        self.jobs.push(end.map(|end| end.status));
        state.last_job = started;
        if !body.is_empty() {
            self.push(Draft::Beside(body), out);
            match started {
                Some(number) => drop(state.jobs.insert(number)),
                None => self.left = true,
            }
        }
        state.status = Status::DONE;
        state
    }

    /// `wait` is for all jobs of the shell, or for those that are named. Those that were left behind by another shell run on;
    /// to wait for some of those that call, but not for others, is not followed.
    pub(super) fn wait(&mut self, arguments: &[Field], span: Span, state: &mut State, out: &mut Vec<Draft>) {
        let named: Vec<Option<u32>> = arguments.iter().map(|field| field.value.known().and_then(number)).collect();
        let is_sure = named.iter().all(Option::is_some) && arguments.iter().all(|field| !field.many);
        let is_named = |job: &u32| named.is_empty() || named.contains(&Some(*job));
        let waited = state.jobs.iter().filter(|job| is_named(job)).count();
        let status = match named.last() {
            None => Some(Status::DONE),
            Some(last) => last.and_then(|job| self.jobs.get(job as usize).cloned().flatten()),
        };
        state.status = match status {
            Some(status) => status,
            None => Status::Unknown(Rc::new(self.unknown(Why::Command("wait".into()), span))),
        };
        state.takes_time();
        if state.jobs.is_empty() || (is_sure && waited == 0) {
            return;
        }
        if is_sure && waited == state.jobs.len() && !self.left {
            state.jobs.clear();
            self.push(Draft::Step(Box::new(Step::Join)), out);
        } else {
            let unknown = self.unknown(Why::Command("wait".into()), span);
            *state = self.stranger(unknown, state.clone(), out);
        }
    }
}

//! Functions: called with arguments of their own, variables shared but for those declared local.

use std::rc::Rc;

use convoke_job::Span;

use super::Follower;
use super::draft::{self, Draft, Frame, FrameKind};
use super::state::{Content, Function, State, Variable};
use super::value::Value;
use crate::model::{Unknown, Why};

/// Functions and scripts within each other.
pub(super) const MOST_CALLS: usize = 12;

/// `$1` and on, or why they are not known.
pub(super) type Arguments = Result<Rc<[Value]>, Rc<Unknown>>;

impl Follower<'_> {
    pub(super) fn function(
        &mut self,
        function: &Function,
        arguments: Arguments,
        span: Span,
        mut state: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        if self.calls >= MOST_CALLS {
            return self.give_up(Why::TooMuch("functions call each other too deeply".into()), span, state, out);
        }
        self.calls += 1;
        let outer = std::mem::replace(&mut state.arguments, arguments);
        state.locals.push(Vec::new());
        let unit = std::mem::replace(&mut self.unit, Rc::clone(&function.unit));
        let id = self.enter(Frame::of(FrameKind::Function));
        let mut steps = Vec::new();
        let end = self.command(&function.body, state, &mut steps);
        let returns = self.leave();
        self.unit = unit;
        self.calls -= 1;
        out.extend(draft::resolve(steps, id));
        let back = returns.into_iter().chain(end).map(|state| {
            let mut state = without_locals(state);
            state.arguments = outer.clone();
            state
        });
        self.meet(back)
    }

    /// `local`
    pub(super) fn make_local(&mut self, name: &str, state: &mut State) {
        if state.locals.is_empty() {
            return;
        }
        let before = state.variables.get(name).cloned();
        if let Some(locals) = state.locals.last_mut() {
            locals.push((name.into(), before));
        }
    }
}

fn without_locals(mut state: State) -> State {
    for (name, before) in state.locals.pop().unwrap_or_default().into_iter().rev() {
        match before {
            Some(variable) => {
                state.variables.insert(name, variable);
            }
            None => {
                state.variables.remove(&name);
            }
        }
    }
    state
}

impl Variable {
    pub(super) fn unset() -> Variable {
        Variable { content: Content::Unset, exported: false }
    }
}

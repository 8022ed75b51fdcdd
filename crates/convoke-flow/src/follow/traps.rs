//! `trap`: what a shell runs when it ends.
//!
//! A shell ends once, after everything else it does, so its last commands are known as well as the others. Signals come
//! from outside of the flow: that somebody interrupts a test, or ends it, is not looked at. When anything else is trapped,
//! it is not known when the commands run; that matters only when they make calls.

use std::rc::Rc;

use convoke_job::Span;

use super::draft::{self, Draft, Frame};
use super::expand::Field;
use super::state::{State, Status};
use super::value::Value;
use super::{Follower, Unit};
use crate::model::{Unknown, Why};

/// Commands that a shell runs at its end.
#[derive(Clone)]
pub(crate) struct AtExit {
    commands: Value,
    span: Span,
    unit: Rc<Unit>,
}

impl std::fmt::Debug for AtExit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AtExit").field("commands", &self.commands).finish_non_exhaustive()
    }
}

/// What a shell runs at its end, or what decides that.
pub(crate) type Last = Option<Result<Rc<AtExit>, Rc<Unknown>>>;

/// What is run where two ways meet.
pub(crate) fn joined(one: Last, other: Last, unknown: &Rc<Unknown>) -> Last {
    match (one, other) {
        (None, None) => None,
        (Some(Ok(one)), Some(Ok(other))) if one.span == other.span && one.commands == other.commands => Some(Ok(one)),
        _ => Some(Err(Rc::clone(unknown))),
    }
}

impl Follower<'_> {
    pub(super) fn trap(
        &mut self,
        arguments: &[Field],
        span: Span,
        mut state: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        state.status = Status::DONE;
        let arguments = match arguments {
            [first, rest @ ..] if first.value.known() == Some("--") => rest,
            all => all,
        };
        let (action, signals) = match arguments {
            [] => return Some(state),
            // A signal alone: nothing of its own is done any more.
            [signal] => (None, std::slice::from_ref(signal)),
            [action, signals @ ..] => (Some(action), signals),
        };
        let action = action.filter(|action| !matches!(action.value.known(), Some("" | "-")));
        let names: Vec<&str> = signals.iter().map(|signal| signal.value.known().unwrap_or_default()).collect();
        if names.iter().any(|name| matches!(*name, "EXIT" | "0")) {
            let at_exit = |action: &Field| {
                Ok(Rc::new(AtExit { commands: action.value.clone(), span: action.span, unit: Rc::clone(&self.unit) }))
            };
            state.last = action.map(at_exit);
        }
        let is_outside = |name: &str| {
            let name = name.strip_prefix("SIG").unwrap_or(name);
            matches!(name, "EXIT" | "0" | "HUP" | "1" | "INT" | "2" | "QUIT" | "3" | "PIPE" | "13" | "TERM" | "15")
        };
        let Some(action) = action.filter(|_| !names.iter().all(|name| is_outside(name))) else { return Some(state) };
        let mut steps = Vec::new();
        let inner = State { errexit: false, ..state.clone() };
        self.subshell(inner, &mut steps, |follower, state, out| {
            follower.trapped(&action.value, action.span, state, out)
        });
        if !steps.is_empty() {
            let unknown = self.unknown(Why::Command("trap".into()), span);
            state = self.stranger(unknown, state, out);
            state.status = Status::DONE;
        }
        Some(state)
    }

    fn trapped(&mut self, commands: &Value, span: Span, state: State, out: &mut Vec<Draft>) -> Option<State> {
        match commands {
            Value::Known(text) => self.text_of_commands(text, span, state, out),
            Value::Unknown(unknown) => Some(self.unknown_commands(unknown.as_ref().clone(), span, state, out)),
        }
    }

    /// What a shell does at its end. Its status stays what it was, unless these commands end it with another.
    pub(super) fn last_commands(&mut self, mut state: State, out: &mut Vec<Draft>) -> Option<State> {
        let at_exit = match state.last.take() {
            None => return Some(state),
            Some(Err(unknown)) => return Some(self.stranger(unknown.as_ref().clone(), state, out)),
            Some(Ok(at_exit)) => at_exit,
        };
        let status = state.status.clone();
        let id = self.enter(Frame::shell());
        let unit = std::mem::replace(&mut self.unit, Rc::clone(&at_exit.unit));
        let mut steps = Vec::new();
        let end = self.trapped(&at_exit.commands, at_exit.span, state, &mut steps);
        self.unit = unit;
        let exits = self.leave();
        out.extend(draft::resolve(steps, id));
        self.meet(exits.into_iter().chain(end.map(|state| State { status, ..state })))
    }
}

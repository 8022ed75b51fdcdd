//! Simple commands: assignments, and what a command's name means.

use std::rc::Rc;

use convoke_job::Span;

use super::draft::Draft;
use super::{Follower, MOST_LEVELS};

use super::expand::Field;
use super::state::{Content, Input, Output, State, Status, Variable};
use super::value::Value;
use crate::model::{Step, Unknown, Why};
use crate::shell::ast::{Assigned, Assignment, Command, Word};

/// Builtins that keep the assignments before them.
const SPECIAL: [&str; 12] =
    [":", ".", "eval", "exec", "exit", "export", "readonly", "return", "set", "shift", "trap", "unset"];

impl Follower<'_> {
    pub(super) fn simple(
        &mut self,
        command: &Command,
        assignments: &[Assignment],
        words: &[Word],
        mut state: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        let fields = self.fields(words, &mut state, out);
        let (before, mut state) = self.redirected(&command.redirects, state, out)?;
        let Some(first) = fields.first() else {
            // The status is that of the last substitution; until there is one, `$?` is what it was.
            self.substituted = false;
            for assignment in assignments {
                self.assign(assignment, &mut state, out);
            }
            if !self.substituted {
                state.status = Status::DONE;
            }
            return Some(before.restore(state));
        };
        let keeps = first.value.known().is_some_and(|name| SPECIAL.contains(&name));
        let mut saved: Vec<(Rc<str>, Option<Variable>)> = Vec::new();
        let status = state.status.clone();
        for assignment in assignments {
            saved.push((assignment.name.as_str().into(), state.variables.get(assignment.name.as_str()).cloned()));
            self.assign(assignment, &mut state, out);
            if !keeps {
                state.export(&assignment.name);
            }
        }
        state.status = status;
        let mut state = self.dispatch(&fields, command.span, state, out)?;
        if !keeps {
            for (name, variable) in saved.into_iter().rev() {
                match variable {
                    Some(variable) => state.variables.insert(name, variable),
                    None => state.variables.remove(&name),
                };
            }
        }
        Some(before.restore(state))
    }

    pub(super) fn assign(&mut self, assignment: &Assignment, state: &mut State, out: &mut Vec<Draft>) {
        let name = assignment.name.as_str();
        match &assignment.value {
            Assigned::Word(word) => {
                let mut value = self.text(word, state, out);
                if assignment.append {
                    let before = state.variables.get(name).map(|variable| variable.content.clone());
                    value = match (before, value) {
                        (Some(Content::One(Value::Known(before))), Value::Known(text)) => {
                            Value::from(format!("{before}{text}"))
                        }
                        (Some(Content::One(unknown @ Value::Unknown(_))), _) => unknown,
                        (None, Value::Known(_)) => self.outside(name, word.span),
                        (_, value) => value,
                    };
                }
                state.set(name, value);
            }
            Assigned::Array(words) => {
                let fields = self.fields(words, state, out);
                let mut values: Vec<Value> = Vec::new();
                if assignment.append
                    && let Some(Content::Array(before)) = state.variables.get(name).map(|variable| &variable.content)
                {
                    values.extend(before.iter().cloned());
                }
                let many = fields.iter().find(|field| field.many).map(|field| (field.value.clone(), field.span));
                match many {
                    Some((Value::Unknown(unknown), _)) => state.set(name, Value::Unknown(unknown)),
                    Some((Value::Known(_), span)) => {
                        let unknown = self.unknown(Why::Command("the names of files".into()), span);
                        state.set(name, Value::unknown(unknown));
                    }
                    None => {
                        values.extend(fields.into_iter().map(|field| field.value));
                        state.set_content(name, Content::Array(values.into()));
                    }
                }
            }
            Assigned::Element(word) => {
                let _ = self.text(word, state, out);
                let unknown = self.unknown(Why::Variable(name.to_owned()), word.span);
                state.set(name, Value::unknown(unknown));
            }
        }
    }

    /// What a command does by its name. Commands that run commands come back to this.
    pub(super) fn dispatch(
        &mut self,
        fields: &[Field],
        span: Span,
        state: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        if self.level >= MOST_LEVELS {
            return self.give_up(Why::TooMuch("commands are nested too deeply".into()), span, state, out);
        }
        self.level += 1;
        let state = self.by_name(fields, span, state, out);
        self.level -= 1;
        state
    }

    fn by_name(&mut self, fields: &[Field], span: Span, mut state: State, out: &mut Vec<Draft>) -> Option<State> {
        let Some((first, arguments)) = fields.split_first() else {
            state.status = Status::DONE;
            return Some(state);
        };
        let name = match &first.value {
            Value::Known(name) => Rc::clone(name),
            Value::Unknown(unknown) => {
                let unknown = unknown.as_ref().clone();
                return Some(self.stranger(unknown, state, out));
            }
        };
        if let Some(function) = state.functions.get(&name).cloned() {
            return self.function(&function, arguments_of(arguments), span, state, out);
        }
        match self.builtin(&name, arguments, span, state, out) {
            Ok(after) => after,
            Err(state) => self.external(&name, first.span, arguments, span, *state, out),
        }
    }

    /// A program: a helper, a script, something that runs another command, or something that makes no call.
    pub(super) fn external(
        &mut self,
        name: &str,
        name_span: Span,
        arguments: &[Field],
        span: Span,
        state: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        let whole = Span::new(name_span.start, arguments.last().map_or(name_span.end, |last| last.span.end));
        if let Some(helper) = super::helpers::name_of(name) {
            return self.helper(helper, arguments, whole, state, out);
        }
        let state = match self.runner(name, arguments, whole, state, out) {
            Ok(after) => return after,
            Err(state) => *state,
        };
        if name.contains('/') && !super::scripts::is_of_the_system(name) {
            return self.run_path(name, arguments, whole, state, out);
        }
        Some(self.program(name, arguments, span, state, out))
    }

    /// Something that may make any call.
    pub(super) fn stranger(&mut self, unknown: Unknown, mut state: State, out: &mut Vec<Draft>) -> State {
        let shared = Rc::new(unknown.clone());
        self.push(Draft::Step(Box::new(Step::Opaque(unknown))), out);
        state.print(&Value::Unknown(Rc::clone(&shared)));
        state.status = Status::Unknown(shared);
        state.waited = None;
        state.takes_time();
        state
    }

    /// What programs do to files that the script has written.
    fn touch_files(&self, program: &str, arguments: &[Field], state: &mut State) {
        let paths: Vec<Option<String>> =
            arguments.iter().map(|field| super::scripts::key(field.value.known()?, state)).collect();
        match (program, paths.as_slice()) {
            ("cp" | "mv", [.., Some(from), Some(to)]) => {
                let content = state.files.get(from).cloned();
                match content {
                    Some(content) => state.files.insert(to.clone(), content),
                    None => state.files.remove(to),
                };
                if program == "mv" {
                    state.files.remove(from);
                }
            }
            ("rm" | "sed" | "dd" | "patch" | "install" | "truncate" | "ln" | "touch" | "git", paths) => {
                let edits = program != "sed"
                    || arguments.iter().any(|field| field.value.known().is_some_and(|word| word.starts_with("-i")));
                for path in paths.iter().flatten().filter(|_| edits && program != "touch") {
                    state.files.remove(path);
                }
            }
            _ => {}
        }
    }

    /// A program that makes no call.
    fn program(
        &mut self,
        name: &str,
        arguments: &[Field],
        span: Span,
        mut state: State,
        out: &mut Vec<Draft>,
    ) -> State {
        let base = name.rsplit('/').next().unwrap_or(name);
        if let Some(field) = self.cache_argument(base, arguments) {
            let key = super::tools::key(base, arguments);
            let unknown = Rc::new(self.read_cache(key, field, &mut state, out));
            state.print(&Value::Unknown(Rc::clone(&unknown)));
            state.status = Status::Unknown(unknown);
            return state;
        }
        if base == "sleep" {
            let times: Option<Vec<_>> =
                arguments.iter().map(|field| super::programs::seconds(field.value.known()?)).collect();
            match times {
                Some(times) => times.into_iter().for_each(|time| state.sleep(time, self.place(span))),
                None => state.takes_time(),
            }
        }
        self.touch_files(base, arguments, &mut state);
        if let Some((value, status)) = self.tool(base, arguments, span, &mut state) {
            state.print(&value);
            state.status = status;
            return state;
        }
        if base != "sleep" {
            state.takes_time();
            // What passes a text on runs for the program that makes it.
            if !super::tools::is_filter(base) {
                state.runs(self.written(span), self.place(span));
            }
        }
        let mention = arguments.iter().find(|field| {
            field.value.known().is_some_and(super::helpers::mentions_call) && !super::tools::only_shows(base)
        });
        if let Some(field) = mention {
            let unknown = self.unknown(Why::Command(base.to_owned()), field.span);
            return self.stranger(unknown, state, out);
        }
        let unknown = match (&state.input, super::tools::is_filter(base)) {
            (Input::Unknown(unknown), true) => {
                if let Some(key) = super::tools::key(base, arguments) {
                    self.wanted_key.get_or_insert(key);
                }
                Rc::clone(unknown)
            }
            _ => Rc::new(self.unknown(Why::Command(base.to_owned()), span)),
        };
        if state.output != Output::Away && !super::tools::is_silent(base) {
            state.print(&Value::Unknown(Rc::clone(&unknown)));
        }
        state.status = if super::tools::is_certain(base) { Status::DONE } else { Status::Unknown(unknown) };
        state
    }
}

/// Fields as the arguments of a function or a script.
pub(super) fn arguments_of(fields: &[Field]) -> super::functions::Arguments {
    match fields.iter().find(|field| field.many) {
        Some(Field { value: Value::Unknown(unknown), .. }) => Err(Rc::clone(unknown)),
        _ => Ok(fields.iter().map(|field| field.value.clone()).collect()),
    }
}

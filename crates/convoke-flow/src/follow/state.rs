//! What is known at one point of a script.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Duration;

use super::Unit;
use super::traps::{self, Last};
use super::value::Value;
use crate::model::{Pause, Place, Run, Sleep, Unknown};
use crate::shell::ast::Command;

/// Longer texts are not kept. What every member of a large group prints on a line is well within it.
pub(crate) const MOST_BYTES: usize = 256 * 1024;

/// Programs between two calls that are told one by one.
const MOST_RUNS: usize = 10;

/// Sleeps between two calls that are told one by one.
const MOST_SLEEPS: usize = 8;

/// The exit status of the last command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Status {
    Known(i32),
    Unknown(Rc<Unknown>),
}

impl Status {
    pub(crate) const DONE: Status = Status::Known(0);
    pub(crate) const FAILED: Status = Status::Known(1);

    pub(crate) fn of(success: bool) -> Status {
        if success { Status::DONE } else { Status::FAILED }
    }

    /// It certainly is not 0.
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self, Status::Known(status) if *status != 0)
    }

    /// Of a condition, when it can be told.
    pub(crate) fn decided(answer: Result<bool, Unknown>) -> Status {
        match answer {
            Ok(answer) => Status::of(answer),
            Err(unknown) => Status::Unknown(Rc::new(unknown)),
        }
    }
}

/// A variable.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Variable {
    pub(crate) content: Content,
    pub(crate) exported: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    /// It is certain that it is not set.
    Unset,
    One(Value),
    Array(Rc<[Value]>),
}

/// A function, with the text it is written in.
#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) body: Rc<Command>,
    pub(crate) unit: Rc<Unit>,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Function").finish_non_exhaustive()
    }
}

/// Where standard output goes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output {
    /// Somewhere nobody reads it.
    Away,
    /// It becomes a text.
    Text(String),
    /// It becomes a text of which this is not known.
    Unknown(Rc<Unknown>),
}

impl Output {
    /// The text, without line ends at its end, as a substitution takes it.
    pub(crate) fn value(self) -> Value {
        match self {
            Output::Away => Value::empty(),
            Output::Text(text) => Value::from(text.trim_end_matches('\n')),
            Output::Unknown(unknown) => Value::Unknown(unknown),
        }
    }
}

/// What comes in on standard input.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Input {
    /// Nothing is known of it.
    Outside,
    /// This, from a byte on.
    Text(Rc<str>, usize),
    Unknown(Rc<Unknown>),
}

/// What is known at one point of a script.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) variables: HashMap<Rc<str>, Variable>,
    pub(crate) functions: HashMap<Rc<str>, Function>,
    /// `$0`
    pub(crate) zero: Rc<str>,
    /// `$1` and on. One that is not known may be any number.
    pub(crate) arguments: Result<Rc<[Value]>, Rc<Unknown>>,
    pub(crate) status: Status,
    pub(crate) errexit: bool,
    pub(crate) pipefail: bool,
    /// Within the definition's directory: empty for itself. None is elsewhere.
    pub(crate) directory: Option<String>,
    pub(crate) output: Output,
    pub(crate) input: Input,
    /// What functions one stands in have declared local, with what it was before.
    pub(crate) locals: Vec<Vec<(Rc<str>, Option<Variable>)>>,
    /// The message ID of the last wait.
    pub(crate) waited: Option<Rc<str>>,
    /// Files that the script has written.
    pub(crate) files: HashMap<String, Output>,
    /// Jobs with calls that this shell has started and not waited for, by number.
    pub(crate) jobs: BTreeSet<u32>,
    /// `$!`
    pub(crate) last_job: Option<u32>,
    /// What the shell runs at its end.
    pub(crate) last: Last,
    /// What is known of a text that is too long.
    pub(crate) too_long: Rc<Unknown>,
    /// What has passed since the last call.
    pub(crate) pause: Pause,
    /// It is within a substitution: what runs there makes a text for the script.
    pub(crate) substituted: bool,
}

impl State {
    pub(crate) fn new(
        environment: &[(String, String)],
        parameters: &[(String, String)],
        errexit: bool,
        too_long: Unknown,
    ) -> State {
        let mut state = State {
            variables: HashMap::new(),
            functions: HashMap::new(),
            zero: "run.sh".into(),
            arguments: Ok(Rc::from([])),
            status: Status::DONE,
            errexit,
            pipefail: false,
            directory: Some(String::new()),
            output: Output::Away,
            input: Input::Outside,
            locals: Vec::new(),
            waited: None,
            files: HashMap::new(),
            jobs: BTreeSet::new(),
            last_job: None,
            last: None,
            too_long: Rc::new(too_long),
            pause: Pause::default(),
            substituted: false,
        };
        for (name, value) in environment {
            state.set(name, Value::from(value.as_str()));
            state.export(name);
        }
        for (name, value) in parameters {
            state.set(name, Value::from(value.as_str()));
        }
        state
    }

    pub(crate) fn set(&mut self, name: &str, value: Value) {
        self.set_content(name, Content::One(value));
    }

    pub(crate) fn set_content(&mut self, name: &str, content: Content) {
        match self.variables.get_mut(name) {
            Some(variable) => variable.content = content,
            None => {
                self.variables.insert(name.into(), Variable { content, exported: false });
            }
        }
    }

    pub(crate) fn export(&mut self, name: &str) {
        if let Some(variable) = self.variables.get_mut(name) {
            variable.exported = true;
        }
    }

    /// Something takes a time that is not known.
    pub(crate) fn takes_time(&mut self) {
        self.pause.is_exact = false;
    }

    /// Sleeps.
    pub(crate) fn sleep(&mut self, time: Duration, place: Place) {
        let mut sleeps = self.pause.sleeps.to_vec();
        // The rounds of a loop are one.
        let known = sleeps.iter().position(|sleep| sleep.place == place);
        match known.or_else(|| sleeps.len().checked_sub(1).filter(|last| *last + 1 >= MOST_SLEEPS)) {
            Some(known) => sleeps[known].time = sleeps[known].time.saturating_add(time),
            None => sleeps.push(Sleep { time, place }),
        }
        self.pause.sleeps = sleeps.into();
    }

    /// Runs a program; what only makes a text for the script is none.
    pub(crate) fn runs(&mut self, text: &str, place: Place) {
        let runs = &self.pause.runs;
        if !self.substituted && runs.len() < MOST_RUNS && !runs.iter().any(|run| run.place == place) {
            // Of a command that a test case runs, the command.
            let (_, inner) =
                text.split_once(" --shell ").filter(|_| text.starts_with("lava-test-case")).unwrap_or(("", text));
            let quoted = ['"', '\''].iter().find_map(|quote| inner.trim().strip_prefix(*quote)?.strip_suffix(*quote));
            let words: Vec<&str> = quoted.unwrap_or(inner).split_whitespace().collect();
            self.pause.runs = runs.iter().cloned().chain([Run { text: words.join(" ").into(), place }]).collect();
        }
    }

    /// Prints.
    pub(crate) fn print(&mut self, value: &Value) {
        match (&mut self.output, value) {
            (Output::Away | Output::Unknown(_), _) => {}
            (Output::Text(text), Value::Known(more)) if text.len() + more.len() <= MOST_BYTES => text.push_str(more),
            (Output::Text(_), Value::Known(_)) => self.output = Output::Unknown(Rc::clone(&self.too_long)),
            (Output::Text(_), Value::Unknown(unknown)) => self.output = Output::Unknown(Rc::clone(unknown)),
        }
    }

    /// What is known after another shell has ended, which was started from here.
    pub(crate) fn after(self, end: State) -> State {
        State {
            status: end.status,
            output: end.output,
            input: end.input,
            waited: end.waited,
            files: end.files,
            pause: end.pause,
            ..self
        }
    }

    /// What both know; the rest depends on what made them differ.
    pub(crate) fn join(mut self, other: State, unknown: &Rc<Unknown>) -> State {
        let value = || Content::One(Value::Unknown(Rc::clone(unknown)));
        for (name, variable) in &mut self.variables {
            if other.variables.get(name).is_none_or(|there| there.content != variable.content) {
                variable.content = value();
            }
        }
        for (name, variable) in other.variables {
            self.variables.entry(name).or_insert(Variable { content: value(), exported: variable.exported });
        }
        // A function that only one of them has is still the likelier meaning of its name.
        for (name, function) in other.functions {
            self.functions.entry(name).or_insert(function);
        }
        if self.arguments != other.arguments {
            self.arguments = Err(Rc::clone(unknown));
        }
        self.status = super::outcomes::succeeded(self.status);
        if self.status != super::outcomes::succeeded(other.status) {
            self.status = Status::Unknown(Rc::clone(unknown));
        }
        self.errexit &= other.errexit;
        self.pipefail &= other.pipefail;
        if self.directory != other.directory {
            self.directory = None;
        }
        if self.output != other.output {
            self.output = Output::Unknown(Rc::clone(unknown));
        }
        if self.input != other.input {
            self.input = Input::Unknown(Rc::clone(unknown));
        }
        self.jobs.extend(other.jobs);
        if self.last_job != other.last_job {
            self.last_job = None;
        }
        self.last = traps::joined(self.last, other.last, unknown);
        if self.waited != other.waited {
            self.waited = None;
        }
        self.pause = either(self.pause, other.pause);
        for (path, content) in &mut self.files {
            if other.files.get(path).is_none_or(|there| there != content) {
                *content = Output::Unknown(Rc::clone(unknown));
            }
        }
        for path in other.files.into_keys() {
            self.files.entry(path).or_insert_with(|| Output::Unknown(Rc::clone(unknown)));
        }
        self
    }

    /// What all of several know.
    pub(crate) fn joined(states: impl IntoIterator<Item = State>, unknown: &Rc<Unknown>) -> Option<State> {
        states.into_iter().reduce(|one, other| one.join(other, unknown))
    }
}

/// What passes on either of two ways at least.
fn either(one: Pause, other: Pause) -> Pause {
    let (one_time, other_time) = (one.time(), other.time());
    let is_exact = one.is_exact && other.is_exact && one_time == other_time;
    let runs = if one.runs.is_empty() { &other.runs } else { &one.runs }.clone();
    Pause { is_exact, runs, ..if other_time < one_time { other } else { one } }
}

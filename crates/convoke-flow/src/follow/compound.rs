//! Compound commands, and where their input and output go.

use std::rc::Rc;

use convoke_job::Span;

use super::Follower;
use super::draft::Draft;
use super::lists::{Decision, Way};
use super::state::{Function, Input, Output, State, Status};
use super::value::Value;
use crate::model::Unknown;
use crate::shell::ast::{Arm, Command, Kind, List, Redirect, RedirectKind, Word};

impl Follower<'_> {
    pub(super) fn kind(&mut self, command: &Command, state: State, out: &mut Vec<Draft>) -> Option<State> {
        if let Kind::Simple { assignments, words } = &command.kind {
            return self.simple(command, assignments, words, state, out);
        }
        let (before, mut state) = self.redirected(&command.redirects, state, out)?;
        state = match &command.kind {
            Kind::Simple { .. } => Some(state),
            Kind::Group(list) => self.list(list, state, out),
            Kind::Subshell(list) => {
                let inner = state.clone();
                let end = self.subshell(inner, out, |follower, state, out| follower.list(list, state, out))?;
                Some(state.after(end))
            }
            Kind::If { arms, otherwise } => self.conditional(arms, otherwise.as_ref(), state, out),
            Kind::Loop { until, condition, body } => self.repeated(*until, condition, body, command.span, state, out),
            Kind::For { name, words, body } => self.each(name, words.as_deref(), body, command.span, state, out),
            Kind::Count { parts, body } => self.counted(parts, body, command.span, state, out),
            Kind::Case { word, arms } => self.case(word, arms, state, out),
            Kind::Function { name, body } => {
                let function = Function { body: Rc::clone(body), unit: Rc::clone(&self.unit) };
                state.functions.insert(name.as_str().into(), function);
                state.status = Status::DONE;
                Some(state)
            }
            Kind::Test(parts) => {
                let answer = self.double_test(parts, &mut state, out);
                state.status = Status::decided(answer);
                Some(state)
            }
            Kind::Arithmetic(word) => {
                let value = self.calculate(word, &mut state, out);
                state.status = Status::decided(value.map(|number| number != 0));
                Some(state)
            }
        }?;
        Some(before.restore(state))
    }

    /// Applies redirections; what undoes them.
    pub(super) fn redirected(
        &mut self,
        redirects: &[Redirect],
        mut state: State,
        out: &mut Vec<Draft>,
    ) -> Option<(Before, State)> {
        let mut before = Before::default();
        for redirect in redirects {
            match &redirect.kind {
                RedirectKind::Here(number) => {
                    let unit = Rc::clone(&self.unit);
                    if let Some(word) = unit.script.documents.get(*number) {
                        let value = self.text(word, &mut state, out);
                        before.input(&mut state, input(value));
                    }
                }
                RedirectKind::HereString(word) => {
                    let value = match self.text(word, &mut state, out) {
                        Value::Known(text) => Value::from(format!("{text}\n")),
                        unknown => unknown,
                    };
                    before.input(&mut state, input(value));
                }
                RedirectKind::Input(word) => {
                    let value = self.text(word, &mut state, out);
                    if redirect.descriptor.unwrap_or(0) == 0 {
                        let new = self.file_input(&value, word.span, &mut state, out);
                        before.input(&mut state, new);
                    }
                }
                RedirectKind::Output { word, append } => {
                    let value = self.text(word, &mut state, out);
                    if redirect.descriptor.unwrap_or(1) == 1 && value.known() != Some("1") {
                        let file = value.known().and_then(|path| super::scripts::key(path, &state));
                        let new = match &file {
                            None => Output::Away,
                            Some(file) if *append => match state.files.get(file) {
                                Some(content) => content.clone(),
                                None => Output::Unknown(Rc::new(self.unknown(
                                    crate::model::Why::Command(format!("the file {}", self.naming.shown(file))),
                                    word.span,
                                ))),
                            },
                            Some(_) => Output::Text(String::new()),
                        };
                        let old = std::mem::replace(&mut state.output, new);
                        before.ends_file(&mut state, old, file);
                    }
                }
                RedirectKind::Other(word) => {
                    self.text(word, &mut state, out);
                }
            }
        }
        Some((before, state))
    }

    /// What one reads from a file.
    fn file_input(&mut self, path: &Value, span: Span, state: &mut State, out: &mut Vec<Draft>) -> Input {
        if self.is_cache(path) {
            return Input::Unknown(Rc::new(self.read_cache(None, span, state, out)));
        }
        match path {
            Value::Unknown(unknown) => Input::Unknown(Rc::clone(unknown)),
            Value::Known(path) => match self.file_text(path, state) {
                Some(text) => Input::Text(text, 0),
                None => {
                    let why = crate::model::Why::Command(format!("the file {}", self.naming.shown(path)));
                    Input::Unknown(Rc::new(self.unknown(why, span)))
                }
            },
        }
    }

    fn conditional(
        &mut self,
        arms: &[(List, List)],
        otherwise: Option<&List>,
        state: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        let Some(((condition, body), rest)) = arms.split_first() else {
            return match otherwise {
                Some(list) => self.list(list, state, out),
                None => Some(State { status: Status::DONE, ..state }),
            };
        };
        let Decision { yes, no, unknown } = self.condition(condition, state, out);
        let Some(unknown) = unknown else {
            return match (yes, no) {
                (Some(way), _) => self.list(body, way.state, out),
                (None, Some(way)) => self.conditional(rest, otherwise, way.state, out),
                (None, None) => None,
            };
        };
        let mut ways = Vec::new();
        if let Some(Way { mut steps, state }) = yes {
            let end = self.list(body, state, &mut steps);
            ways.push((steps, end));
        }
        if let Some(Way { mut steps, state }) = no {
            let end = self.conditional(rest, otherwise, state, &mut steps);
            ways.push((steps, end));
        }
        self.choose(&unknown, ways, out)
    }

    fn case(&mut self, word: &Word, arms: &[Arm], mut state: State, out: &mut Vec<Draft>) -> Option<State> {
        let subject = self.text(word, &mut state, out);
        let mut ways = Vec::new();
        let mut why: Option<Rc<Unknown>> = None;
        let mut decided = false;
        state.status = Status::DONE;
        for (at, arm) in arms.iter().enumerate() {
            let matches = self.arm_matches(&subject, arm, word.span, &mut state, out);
            match matches {
                Ok(false) => continue,
                Ok(true) => decided = true,
                Err(unknown) => why = Some(why.unwrap_or(unknown)),
            }
            if why.is_none() {
                return self.arm(arms, at, state, out);
            }
            let mut steps = Vec::new();
            let end = self.arm(arms, at, state.clone(), &mut steps);
            ways.push((steps, end));
            if decided {
                break;
            }
        }
        let Some(why) = why else { return Some(state) };
        if !decided {
            ways.push((Vec::new(), Some(state)));
        }
        self.choose(&why, ways, out)
    }

    /// The commands of an arm, and of those it falls through to.
    fn arm(&mut self, arms: &[Arm], at: usize, mut state: State, out: &mut Vec<Draft>) -> Option<State> {
        for arm in &arms[at..] {
            state = self.list(&arm.body, state, out)?;
            if !arm.falls {
                break;
            }
        }
        Some(state)
    }

    fn arm_matches(
        &mut self,
        subject: &Value,
        arm: &Arm,
        span: Span,
        state: &mut State,
        out: &mut Vec<Draft>,
    ) -> Result<bool, Rc<Unknown>> {
        let mut doubt = None;
        for pattern in &arm.patterns {
            let pattern = self.pattern(pattern, state, out);
            match self.matches(subject, &pattern, span) {
                Ok(true) if doubt.is_none() => return Ok(true),
                Ok(true) => break,
                Ok(false) => {}
                Err(unknown) => doubt = Some(unknown),
            }
        }
        doubt.map_or(Ok(false), Err)
    }
}

fn input(value: Value) -> Input {
    match value {
        Value::Known(text) => Input::Text(text, 0),
        Value::Unknown(unknown) => Input::Unknown(unknown),
    }
}

/// Input and output before a redirection.
#[derive(Default)]
pub(super) struct Before {
    input: Option<Input>,
    output: Option<Output>,
    /// The file that output goes to.
    file: Option<String>,
}

impl Before {
    /// Output goes to another file, or nowhere; where it went before is done with.
    fn ends_file(&mut self, state: &mut State, old: Output, file: Option<String>) {
        match self.file.take() {
            Some(done) => {
                state.files.insert(done, old);
            }
            None => {
                self.output.get_or_insert(old);
            }
        }
        self.file = file;
    }

    fn input(&mut self, state: &mut State, new: Input) {
        self.input.get_or_insert(std::mem::replace(&mut state.input, new));
    }

    pub(super) fn restore(self, mut state: State) -> State {
        if let Some(input) = self.input {
            state.input = input;
        }
        if let Some(output) = self.output {
            let written = std::mem::replace(&mut state.output, output);
            if let Some(file) = self.file {
                state.files.insert(file, written);
            }
        }
        state
    }
}

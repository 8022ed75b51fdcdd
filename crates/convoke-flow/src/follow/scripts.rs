//! Texts of commands: scripts that are at hand, files that are sourced, `eval` and `sh -c`.

use std::rc::Rc;
use std::sync::Arc;

use convoke_job::Span;

use super::draft::{self, Draft, Frame, FrameKind};
use super::expand::Field;
use super::functions::{Arguments, MOST_CALLS};
use super::simple::arguments_of;
use super::state::{Input, Output, State, Status};
use super::value::{HOME, Value};
use super::{Follower, Unit};
use crate::model::Why;
use crate::read::ByteMap;
use crate::shell::parse;

/// The files of a definition's directory.
pub(crate) trait Files {
    /// A file by its path within the directory.
    fn file(&mut self, path: &str) -> File;
}

/// A file of a definition's directory.
pub(crate) enum File {
    /// Whether it is there is not known.
    Elsewhere,
    /// It is there and is no text.
    Binary,
    /// A text, and its index in the texts of the flow.
    Text(Rc<str>, usize),
    /// The script itself has written it.
    Written(Rc<str>),
}

/// The name of a file among those that the script writes: a path from the root; none for devices and where it is unknown.
pub(super) fn key(path: &str, state: &State) -> Option<String> {
    if path.starts_with("/dev/") {
        return None;
    }
    match inside(path, state) {
        Some(path) => Some(format!("{HOME}/{path}")),
        None if path.starts_with('/') => Some(path.to_owned()),
        None => None,
    }
}

/// Whether a path leads to what comes with the operating system, which makes no calls.
pub(super) fn is_of_the_system(path: &str) -> bool {
    ["/bin/", "/sbin/", "/usr/", "/etc/", "/lib/", "/dev/", "/proc/", "/sys/"]
        .iter()
        .any(|start| path.starts_with(start))
}

/// A path within the definition's directory; none leads out of it.
pub(super) fn inside(path: &str, state: &State) -> Option<String> {
    let (mut parts, rest): (Vec<&str>, &str) = match path.strip_prefix(HOME) {
        Some(rest) => (Vec::new(), rest.strip_prefix('/').unwrap_or(rest)),
        None if path.starts_with('/') => return None,
        None => (state.directory.as_deref()?.split('/').filter(|part| !part.is_empty()).collect(), path),
    };
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

impl Follower<'_> {
    fn file(&mut self, path: &str, state: &State) -> File {
        match key(path, state).and_then(|key| state.files.get(&key)) {
            Some(Output::Text(text)) => return File::Written(text.as_str().into()),
            Some(_) => return File::Elsewhere,
            None => {}
        }
        inside(path, state).map_or(File::Elsewhere, |path| self.files.file(&path))
    }

    /// The text of a file at hand, or of a process substitution.
    pub(super) fn file_text(&mut self, path: &str, state: &State) -> Option<Rc<str>> {
        if path == "/dev/null" {
            return Some("".into());
        }
        if let Some(process) = path.strip_prefix("/dev/fd/").and_then(|number| number.parse::<usize>().ok()) {
            return match self.processes.get(process) {
                Some(Output::Text(text)) => Some(text.as_str().into()),
                _ => None,
            };
        }
        match self.file(path, state) {
            File::Text(text, _) | File::Written(text) => Some(text),
            File::Binary | File::Elsewhere => None,
        }
    }

    pub(super) fn has_file(&mut self, path: &str, state: &State) -> bool {
        super::helpers::name_of(path).is_some_and(|_| path.contains('/'))
            || !matches!(self.file(path, state), File::Elsewhere)
    }

    /// The path under which the output of `<(…)` is read.
    pub(super) fn keep_process(&mut self, output: Output) -> String {
        self.processes.push(output);
        format!("/dev/fd/{}", self.processes.len() - 1)
    }

    /// `$(<file)` and the like.
    pub(super) fn file_value(&mut self, path: &Value, span: Span, state: &mut State, out: &mut Vec<Draft>) -> Value {
        if self.is_cache(path) {
            let unknown = self.read_cache(None, span, state, out);
            return Value::unknown(unknown);
        }
        match path {
            Value::Unknown(_) => path.clone(),
            Value::Known(path) => match self.file_text(path, state) {
                Some(text) => text.trim_end_matches('\n').into(),
                None => {
                    let shown = self.naming.shown(path);
                    Value::unknown(self.unknown(Why::Command(format!("the file {shown}")), span))
                }
            },
        }
    }

    /// A script by its path.
    pub(super) fn run_path(
        &mut self,
        path: &str,
        arguments: &[Field],
        span: Span,
        state: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        let (text, index) = match self.file(path, &state) {
            File::Text(text, index) => (text, Some(index)),
            File::Written(text) => (text, None),
            File::Binary => return Some(self.nothing(path, span, state)),
            File::Elsewhere => return Some(self.elsewhere(path, span, state, out)),
        };
        let first = text.lines().next().unwrap_or_default().to_owned();
        let interpreter = first.strip_prefix("#!").unwrap_or("/bin/sh").trim();
        let mut words = interpreter.split_whitespace();
        let mut program = base(words.next().unwrap_or_default());
        let mut options: Vec<&str> = words.collect();
        if program == "env" {
            options.retain(|word| *word != "-S");
            program = if options.is_empty() { "" } else { base(options.remove(0)) };
        }
        if !is_shell(program) {
            return Some(self.foreign(path, &text, span, state, out));
        }
        let errexit = options.iter().any(|option| option.starts_with('-') && option.contains('e'));
        let bash = program == "bash";
        let child = Child { text, index, path, bash, errexit };
        self.child(child, arguments_of(arguments), span, state, out)
    }

    /// A script that a shell is given, and its arguments: `sh FILE`.
    pub(super) fn run_file(
        &mut self,
        shell: &str,
        file: &[Field],
        errexit: bool,
        span: Span,
        state: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        let Some((path, arguments)) = file.split_first() else { return Some(state) };
        let name = match &path.value {
            Value::Known(name) => Rc::clone(name),
            Value::Unknown(unknown) => {
                let unknown = unknown.as_ref().clone();
                return Some(self.stranger(unknown, state, out));
            }
        };
        if self.is_cache(&path.value) {
            return Some(state);
        }
        match self.file(&name, &state) {
            File::Written(text) => {
                let child = Child { text, index: None, path: &name, bash: shell == "bash", errexit };
                self.child(child, arguments_of(arguments), span, state, out)
            }
            File::Text(text, index) => {
                let child = Child { text, index: Some(index), path: &name, bash: shell == "bash", errexit };
                self.child(child, arguments_of(arguments), span, state, out)
            }
            File::Binary => Some(self.nothing(&name, span, state)),
            File::Elsewhere if is_of_the_system(&name) => Some(self.nothing(&name, span, state)),
            File::Elsewhere => Some(self.elsewhere(&name, span, state, out)),
        }
    }

    /// A script of another language: it calls when it names a helper that does.
    pub(super) fn run_foreign(&mut self, path: &Field, span: Span, state: State, out: &mut Vec<Draft>) -> State {
        let name = match &path.value {
            Value::Known(name) => Rc::clone(name),
            Value::Unknown(unknown) => {
                let unknown = unknown.as_ref().clone();
                return self.stranger(unknown, state, out);
            }
        };
        match self.file(&name, &state) {
            File::Text(text, _) | File::Written(text) => self.foreign(&name, &text, span, state, out),
            File::Binary => self.nothing(&name, span, state),
            File::Elsewhere if is_of_the_system(&name) => self.nothing(&name, span, state),
            File::Elsewhere => self.elsewhere(&name, span, state, out),
        }
    }

    fn foreign(&mut self, path: &str, text: &str, span: Span, state: State, out: &mut Vec<Draft>) -> State {
        if super::helpers::mentions_call(text) {
            let why = Why::Unreadable(format!("{} is no shell script", self.naming.shown(path)));
            let unknown = self.unknown(why, span);
            return self.stranger(unknown, state, out);
        }
        self.nothing(path, span, state)
    }

    fn nothing(&mut self, path: &str, span: Span, mut state: State) -> State {
        state.runs(self.written(span), self.place(span));
        let unknown = Rc::new(self.unknown(Why::Command(base(path).to_owned()), span));
        state.print(&Value::Unknown(Rc::clone(&unknown)));
        state.status = Status::Unknown(unknown);
        state
    }

    fn elsewhere(&mut self, path: &str, span: Span, state: State, out: &mut Vec<Draft>) -> State {
        let unknown = self.unknown(Why::Elsewhere(self.naming.shown(path).to_string()), span);
        self.stranger(unknown, state, out)
    }

    fn child(
        &mut self,
        child: Child<'_>,
        arguments: Arguments,
        span: Span,
        state: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        if self.calls >= MOST_CALLS {
            return self.give_up(Why::TooMuch("scripts run each other too deeply".into()), span, state, out);
        }
        let unit = self.unit_of(&child, span);
        let mut inner = self.child_state(&state, arguments);
        inner.errexit = child.errexit;
        inner.zero = child.path.into();
        let outer = std::mem::replace(&mut self.unit, unit);
        self.calls += 1;
        let (runs, mark) = (Arc::clone(&state.pause.runs), out.len());
        let end = self.as_child(inner, out, |follower, state, out| {
            let script = Rc::clone(&follower.unit.script);
            follower.script(&script, state, out)
        });
        self.calls -= 1;
        self.unit = outer;
        let mut state = state.after(end?);
        if out.len() == mark {
            // Whoever reads what a member does knows the script, not what is in it.
            state.pause.runs = runs;
            state.runs(self.written(span), self.place(span));
        }
        Some(state)
    }

    /// A script as a unit; each file is read once.
    fn unit_of(&mut self, child: &Child<'_>, span: Span) -> Rc<Unit> {
        let script = match child.index.and_then(|index| self.parsed.get(&index)) {
            Some(script) => Rc::clone(script),
            None => {
                let script = Rc::new(parse::script(&child.text));
                if let Some(index) = child.index {
                    self.parsed.insert(index, Rc::clone(&script));
                }
                script
            }
        };
        let place = self.place(span);
        // What the script has written itself stands where it is run.
        let (map, index, from) = match child.index {
            Some(index) => (None, index, Some(Arc::new(place))),
            None => (Some(ByteMap::whole(child.text.len(), place.span)), place.text, place.from),
        };
        Rc::new(Unit { script, text: Rc::clone(&child.text), map, index, from, bash: child.bash })
    }

    /// `. FILE`
    pub(super) fn source(
        &mut self,
        arguments: &[Field],
        span: Span,
        mut state: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        let Some((path, arguments)) = arguments.split_first() else {
            state.status = Status::FAILED;
            return Some(state);
        };
        if self.is_cache(&path.value) {
            let unknown = self.read_cache(None, span, &mut state, out);
            state.status = Status::Unknown(Rc::new(unknown));
            return Some(state);
        }
        let name = match &path.value {
            Value::Known(name) => Rc::clone(name),
            Value::Unknown(unknown) => {
                let unknown = unknown.as_ref().clone();
                return Some(self.stranger(unknown, state, out));
            }
        };
        let (text, index) = match self.file(&name, &state) {
            File::Text(text, index) => (text, Some(index)),
            File::Written(text) => (text, None),
            // Settings of the system: what they set is not known, and was not before.
            _ if is_of_the_system(&name) || name.starts_with("/lava-") => {
                state.status = Status::DONE;
                return Some(state);
            }
            _ => return Some(self.elsewhere(&name, span, state, out)),
        };
        if self.calls >= MOST_CALLS {
            return self.give_up(Why::TooMuch("scripts source each other too deeply".into()), span, state, out);
        }
        let child = Child { text, index, path: &name, bash: self.unit.bash, errexit: false };
        let unit = self.unit_of(&child, span);
        let outer_arguments = state.arguments.clone();
        if !arguments.is_empty() {
            state.arguments = arguments_of(arguments);
        }
        let given = !arguments.is_empty();
        let outer = std::mem::replace(&mut self.unit, unit);
        self.calls += 1;
        let id = self.enter(Frame::of(FrameKind::Function));
        let script = Rc::clone(&self.unit.script);
        let mut steps = Vec::new();
        let end = self.script(&script, state, &mut steps);
        let returns = self.leave();
        self.calls -= 1;
        self.unit = outer;
        out.extend(draft::resolve(steps, id));
        let mut end = self.meet(returns.into_iter().chain(end))?;
        if given {
            end.arguments = outer_arguments;
        }
        Some(end)
    }

    /// `eval`
    pub(super) fn eval(
        &mut self,
        arguments: &[Field],
        span: Span,
        mut state: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        let place = match arguments {
            [first, .., last] => Span::new(first.span.start, last.span.end),
            [only] => only.span,
            [] => span,
        };
        let mut text = String::new();
        for (at, field) in arguments.iter().enumerate() {
            match &field.value {
                Value::Known(part) => {
                    text.push_str(if at > 0 { " " } else { "" });
                    text.push_str(part);
                }
                Value::Unknown(unknown) => {
                    let unknown = unknown.as_ref().clone();
                    return Some(self.unknown_commands(unknown, place, state, out));
                }
            }
        }
        state.status = Status::DONE;
        self.text_of_commands(&text, place, state, out)
    }

    /// Commands that are the value of a word. They stand where the word stands; exactly, if it is the same text.
    pub(super) fn text_of_commands(
        &mut self,
        text: &str,
        span: Span,
        state: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        if self.calls >= MOST_CALLS {
            return self.give_up(Why::TooMuch("commands are nested too deeply".into()), span, state, out);
        }
        let written = self.written(span);
        let map = match written.find(text) {
            Some(at) if !text.is_empty() => {
                let mut map = ByteMap::default();
                for byte in 0..text.len() {
                    let from = span.start + at + byte;
                    map.push(self.unit.place(Span::new(from, from + 1)).span);
                }
                map
            }
            _ => ByteMap::whole(text.len(), self.unit.place(span).span),
        };
        let script = Rc::new(parse::script(text));
        let unit = Rc::new(Unit {
            script: Rc::clone(&script),
            text: text.into(),
            map: Some(map),
            index: self.unit.index,
            from: self.unit.from.clone(),
            bash: self.unit.bash,
        });
        let outer = std::mem::replace(&mut self.unit, unit);
        self.calls += 1;
        let end = self.script(&script, state, out);
        self.calls -= 1;
        self.unit = outer;
        end
    }

    /// A shell that reads its commands from its input.
    pub(super) fn read_commands(&mut self, span: Span, state: State, out: &mut Vec<Draft>) -> Option<State> {
        match state.input.clone() {
            Input::Text(text, from) => {
                let mut inner = self.child_state(&state, Ok(Rc::from([])));
                inner.input = Input::Outside;
                let end = self.as_child(inner, out, |follower, state, out| {
                    follower.text_of_commands(&text[from..], span, state, out)
                })?;
                Some(State { input: state.input.clone(), ..state.after(end) })
            }
            Input::Unknown(unknown) => {
                let unknown = unknown.as_ref().clone();
                Some(self.stranger(unknown, state, out))
            }
            Input::Outside => Some(self.nothing("sh", span, state)),
        }
    }
}

/// A script to be run.
struct Child<'a> {
    text: Rc<str>,
    /// Index into the texts of the flow; none for one that the script has written.
    index: Option<usize>,
    path: &'a str,
    bash: bool,
    errexit: bool,
}

pub(super) fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

pub(super) fn is_shell(program: &str) -> bool {
    matches!(program, "sh" | "bash" | "dash" | "ash" | "ksh" | "mksh" | "zsh")
}

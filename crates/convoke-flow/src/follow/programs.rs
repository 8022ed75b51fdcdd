//! Programs that run another command: `timeout`, `sudo`, `sh -c` and the like.

use std::rc::Rc;
use std::time::Duration;

use convoke_job::Span;

use super::Follower;
use super::builtins::Taken;
use super::draft::Draft;
use super::expand::Field;
use super::scripts::{base, is_shell};
use super::simple::arguments_of;
use super::state::{Input, State, Status};
use super::value::Value;
use crate::model::{Pause, Why};

/// Programs that run the rest of their arguments: options that take a value, and arguments before the command.
const RUNNERS: [(&str, &[&str], usize); 18] = [
    ("timeout", &["-k", "-s", "--signal", "--kill-after"], 1),
    ("sudo", &["-u", "-g", "-h", "-p", "-C", "-D"], 0),
    ("doas", &["-u", "-C"], 0),
    ("nohup", &[], 0),
    ("nice", &["-n"], 0),
    ("ionice", &["-c", "-n", "-p"], 0),
    ("time", &["-f", "-o"], 0),
    ("stdbuf", &["-i", "-o", "-e"], 0),
    ("setsid", &[], 0),
    ("unbuffer", &[], 0),
    ("taskset", &[], 1),
    ("chrt", &[], 1),
    ("strace", &["-o", "-e", "-f"], 0),
    ("env", &["-u", "-C"], 0),
    ("busybox", &[], 0),
    ("toybox", &[], 0),
    ("flock", &["-w", "-E"], 1),
    ("watchdog", &[], 0),
];

/// Languages whose programs are files.
const INTERPRETERS: [&str; 11] =
    ["python", "python2", "python3", "perl", "ruby", "lua", "node", "expect", "tclsh", "php", "pytest"];

impl Follower<'_> {
    /// A program that runs another command; the state comes back when it is none.
    pub(super) fn runner(
        &mut self,
        name: &str,
        arguments: &[Field],
        span: Span,
        state: State,
        out: &mut Vec<Draft>,
    ) -> Taken {
        let program = base(name);
        if name.contains('/') && !super::scripts::is_of_the_system(name) {
            return Err(Box::new(state));
        }
        if is_shell(program) {
            return Ok(self.shell(program, arguments, span, state, out));
        }
        let mut state = state;
        if program == "xargs" || INTERPRETERS.contains(&program) {
            state.takes_time();
        }
        if INTERPRETERS.contains(&program) {
            return self.interpreter(arguments, span, state, out);
        }
        if program == "xargs" {
            return Ok(Some(self.xargs(arguments, span, state, out)));
        }
        let Some((_, valued, before)) = RUNNERS.iter().find(|(runner, ..)| *runner == program) else {
            return Err(Box::new(state));
        };
        let mut rest = arguments;
        let mut before = *before;
        let mut variables = Vec::new();
        let mut own_limit = None;
        while let Some((first, after)) = rest.split_first() {
            let Some(word) = first.value.known() else {
                if before > 0 {
                    before -= 1;
                    rest = after;
                    continue;
                }
                break;
            };
            if word.starts_with('-') && word.len() > 1 {
                let skips = usize::from(valued.contains(&word));
                rest = after.get(skips..).unwrap_or_default();
            } else if before > 0 {
                own_limit = seconds(word).filter(|_| program == "timeout");
                before -= 1;
                rest = after;
            } else if let Some((name, value)) = word.split_once('=').filter(|_| matches!(program, "env" | "sudo")) {
                variables.push((name.to_owned(), Value::from(value)));
                rest = after;
            } else {
                break;
            }
        }
        if rest.is_empty() {
            return Err(Box::new(state));
        }
        // It runs programs: no functions, and whatever a builtin would change is lost.
        let mut inner = state.clone();
        inner.functions.clear();
        for (name, value) in variables {
            inner.set(&name, value);
            inner.export(&name);
        }
        if matches!(program, "flock" | "watchdog") {
            inner.takes_time();
        }
        let (limit, mark) = (self.limit, out.len());
        let timed = self.timed;
        if let Some(own) = own_limit.filter(|own| *own < limit) {
            (self.limit, self.timed) = (own, true);
        }
        let end = self.subshell(inner, out, |follower, state, out| follower.dispatch(rest, span, state, out));
        (self.limit, self.timed) = (limit, timed);
        Ok(end.map(|mut end| {
            if program == "timeout" {
                // It may be over before what it runs would be.
                end.pause = if out.len() == mark { state.pause.clone() } else { Pause::default() };
                end.takes_time();
            }
            state.after(end)
        }))
    }

    /// A command in the place of this shell: nothing of this shell is left after it.
    pub(super) fn apart(
        &mut self,
        arguments: &[Field],
        span: Span,
        mut state: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        state.functions.clear();
        let (first, rest) = arguments.split_first()?;
        match &first.value {
            Value::Known(name) => {
                let name = Rc::clone(name);
                self.external(&name, first.span, rest, span, state, out)
            }
            Value::Unknown(_) => self.dispatch(arguments, span, state, out),
        }
    }

    /// `sh -c TEXT`, `sh FILE`, `sh`.
    fn shell(
        &mut self,
        shell: &str,
        arguments: &[Field],
        span: Span,
        state: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        let mut rest = arguments;
        let mut errexit = false;
        let mut is_text = false;
        while let Some((first, after)) = rest.split_first()
            && let Some(option) = first.value.known().filter(|word| word.starts_with(['-', '+']) && word.len() > 1)
        {
            rest = after;
            if option == "--" {
                break;
            }
            if !option.starts_with("--") {
                errexit |= option.starts_with('-') && option.contains('e');
                is_text |= option.contains('c');
                if option.ends_with('o') || option.ends_with('O') {
                    rest = rest.get(1..).unwrap_or_default();
                }
            }
            if is_text {
                break;
            }
        }
        let Some((first, arguments)) = rest.split_first() else {
            return self.read_commands(span, state, out);
        };
        if !is_text {
            return self.run_file(shell, rest, errexit, span, state, out);
        }
        let text = match &first.value {
            Value::Known(text) => Rc::clone(text),
            Value::Unknown(unknown) => {
                let unknown = unknown.as_ref().clone();
                return Some(self.unknown_commands(unknown, first.span, state, out));
            }
        };
        let positional = arguments_of(arguments.get(1..).unwrap_or_default());
        let mut inner = self.child_state(&state, positional);
        inner.errexit = errexit;
        if let Some(zero) = arguments.first().and_then(|field| field.value.known()) {
            inner.zero = zero.into();
        }
        let end =
            self.as_child(inner, out, |follower, state, out| follower.text_of_commands(&text, first.span, state, out))?;
        Some(state.after(end))
    }

    /// `python3 FILE`
    fn interpreter(&mut self, arguments: &[Field], span: Span, state: State, out: &mut Vec<Draft>) -> Taken {
        for field in arguments {
            match field.value.known() {
                // A text or a module on the command line: its mention of a call is looked for as in any program.
                Some("-c" | "-m" | "-e") => return Err(Box::new(state)),
                Some(option) if option.starts_with('-') => {}
                _ => return Ok(Some(self.run_foreign(field, span, state, out))),
            }
        }
        Err(Box::new(state))
    }

    /// `xargs COMMAND`: with known input once, or for every word or line.
    fn xargs(&mut self, arguments: &[Field], span: Span, mut state: State, out: &mut Vec<Draft>) -> State {
        let mut rest = arguments;
        let mut each = None;
        let mut replaced: Option<Rc<str>> = None;
        while let Some((first, after)) = rest.split_first()
            && let Some(option) = first.value.known().filter(|word| word.starts_with('-'))
        {
            let value = after.first().and_then(|field| field.value.known());
            let mut takes = 0;
            match option {
                "-n" | "-L" => {
                    each = value.and_then(|value| value.parse::<usize>().ok());
                    takes = 1;
                }
                "-n1" | "-L1" => each = Some(1),
                "-I" => {
                    replaced = value.map(Rc::from);
                    takes = 1;
                }
                "-P" | "-d" | "-s" => takes = 1,
                option => {
                    if let Some(mark) = option.strip_prefix("-I") {
                        replaced = Some(mark.into());
                    }
                }
            }
            rest = after.get(takes..).unwrap_or_default();
        }
        state.status = Status::DONE;
        if rest.is_empty() {
            return state;
        }
        let text = match state.input.clone() {
            Input::Text(text, from) => text[from..].to_owned(),
            _ => {
                // With unknown input it may run any number of times.
                let mut steps = Vec::new();
                let unknown = match state.input.clone() {
                    Input::Unknown(unknown) => unknown,
                    _ => Rc::new(self.unknown(Why::Command("xargs".into()), span)),
                };
                let mut fields = rest.to_vec();
                fields.push(Field { value: Value::Unknown(Rc::clone(&unknown)), many: true, span });
                let inner = state.clone();
                self.subshell(inner, &mut steps, |follower, state, out| follower.dispatch(&fields, span, state, out));
                if !steps.is_empty() {
                    return self.stranger(unknown.as_ref().clone(), state, out);
                }
                state.status = Status::Unknown(unknown);
                return state;
            }
        };
        let field = |text: &str| Field { value: text.into(), many: false, span };
        let rounds: Vec<Vec<Field>> = match replaced {
            Some(mark) => {
                let put = |line: &str| {
                    let place = |field: &Field| match &field.value {
                        Value::Known(text) => {
                            Field { value: text.replace(mark.as_ref(), line).into(), ..field.clone() }
                        }
                        Value::Unknown(_) => field.clone(),
                    };
                    rest.iter().map(place).collect()
                };
                text.lines().map(put).collect()
            }
            None => {
                let words: Vec<&str> = text.split_whitespace().collect();
                let round = |words: &[&str]| rest.iter().cloned().chain(words.iter().map(|word| field(word))).collect();
                words.chunks(each.unwrap_or(usize::MAX).max(1)).map(round).collect()
            }
        };
        for fields in rounds {
            let mut inner = state.clone();
            inner.functions.clear();
            inner.input = Input::Outside;
            match self.subshell(inner, out, |follower, state, out| follower.dispatch(&fields, span, state, out)) {
                Some(end) => state = state.after(end),
                None => break,
            }
        }
        state
    }
}

/// The time that `sleep` and `timeout` are given: `30`, `0.5`, `2m`.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let unit = match text.chars().last()? {
        's' => 1.0,
        'm' => 60.0,
        'h' => 3_600.0,
        'd' => 86_400.0,
        _ => 1.0,
    };
    let number = text.strip_suffix(['s', 'm', 'h', 'd']).unwrap_or(text);
    let plain = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '.');
    let seconds = number.parse::<f64>().ok().filter(|_| plain)? * unit;
    Duration::try_from_secs_f64(seconds).ok()
}

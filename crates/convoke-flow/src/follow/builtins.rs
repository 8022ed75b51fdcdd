//! The builtins of the shell.

use std::rc::Rc;

use convoke_job::Span;

use super::Follower;
use super::draft::{Draft, FrameKind};
use super::expand::{Field, split_fields};
use super::state::{Content, Input, State, Status, Variable};
use super::value::{HOME, Value};
use crate::model::{Unknown, Why};

/// How far `getopts` is within an argument. No script can name a variable so.
const WITHIN: &str = " within";

/// What became of a command; the state comes back when it is none of these.
pub(super) type Taken = Result<Option<State>, Box<State>>;

impl Follower<'_> {
    pub(super) fn builtin(
        &mut self,
        name: &str,
        arguments: &[Field],
        span: Span,
        mut state: State,
        out: &mut Vec<Draft>,
    ) -> Taken {
        let first = arguments.first();
        if matches!(name, "wait" | "read") {
            state.takes_time();
        }
        match name {
            ":" | "true" | "umask" | "ulimit" | "hash" | "times" | "alias" | "unalias" | "shopt" | "bind"
            | "complete" | "enable" | "disown" => state.status = Status::DONE,
            "false" => state.status = Status::FAILED,
            "wait" => self.wait(arguments, span, &mut state, out),
            "test" => state.status = Status::decided(self.test(arguments, span, &state)),
            "[" | "[[" => {
                let inner = match arguments.split_last() {
                    Some((last, inner)) if matches!(last.value.known(), Some("]" | "]]")) => inner,
                    _ => arguments,
                };
                state.status = Status::decided(self.test(inner, span, &state));
            }
            "echo" => self.echo(arguments, &mut state),
            "printf" => {
                let (into, rest) = match arguments {
                    [option, name, rest @ ..] if option.value.known() == Some("-v") => (name.value.known(), rest),
                    rest => (None, rest),
                };
                let value = match super::tools::printf::printf(rest) {
                    Some(value) => value,
                    None => Value::unknown(self.unknown(Why::Command("printf".into()), span)),
                };
                match into {
                    Some(name) => state.set(name, value),
                    None => state.print(&value),
                }
                state.status = Status::DONE;
            }
            "set" => self.set_options(arguments, &mut state),
            "shift" => shift(first, &mut state),
            "export" | "readonly" | "declare" | "typeset" | "local" => self.declare(name, arguments, span, &mut state),
            "unset" => {
                for field in arguments {
                    if let Some(name) = field.value.known().filter(|name| !name.starts_with('-')) {
                        state.variables.insert(name.into(), Variable::unset());
                        state.functions.remove(name);
                    }
                }
                state.status = Status::DONE;
            }
            "cd" | "pushd" => self.change_directory(first, span, &mut state),
            "popd" => state.directory = None,
            "pwd" => match &state.directory {
                Some(directory) => {
                    let path = if directory.is_empty() { HOME.to_owned() } else { format!("{HOME}/{directory}") };
                    state.print(&Value::from(format!("{path}\n")));
                    state.status = Status::DONE;
                }
                None => {
                    let unknown = self.unknown(Why::Command("pwd".into()), span);
                    state.print(&Value::unknown(unknown));
                    state.status = Status::DONE;
                }
            },
            "read" => self.read(arguments, span, &mut state),
            "mapfile" | "readarray" => self.read_array(arguments, span, &mut state),
            "getopts" => self.getopts(arguments, span, &mut state),
            "let" => {
                let mut answer = Ok(0);
                for field in arguments {
                    answer = match &field.value {
                        Value::Known(text) => self.calculated(&Rc::clone(text), span, &mut state),
                        Value::Unknown(unknown) => Err(unknown.as_ref().clone()),
                    };
                }
                state.status = Status::decided(answer.map(|number| number != 0));
            }
            "exit" => {
                self.set_status(first, &mut state);
                let place = self.place(span);
                return Ok(self.exit(place, state, out));
            }
            "return" => {
                self.set_status(first, &mut state);
                let place = self.place(span);
                return Ok(self.jump(FrameKind::Function, 1, place, state, out));
            }
            "break" | "continue" => {
                let levels = first.and_then(|field| field.value.known()?.parse().ok()).unwrap_or(1);
                let kind = if name == "break" { FrameKind::Loop } else { FrameKind::Round };
                state.status = Status::DONE;
                let place = self.place(span);
                return Ok(self.jump(kind, levels, place, state, out));
            }
            "eval" => return Ok(self.eval(arguments, span, state, out)),
            "." | "source" => return Ok(self.source(arguments, span, state, out)),
            "exec" => {
                if arguments.is_empty() {
                    state.status = Status::DONE;
                    return Ok(Some(state));
                }
                // The shell is no longer there to end.
                state.last = None;
                let state = self.apart(arguments, span, state, out);
                let place = self.place(span);
                return Ok(state.and_then(|state| self.exit(place, state, out)));
            }
            "command" | "builtin" | "type" => return Ok(self.command_builtin(name, arguments, span, state, out)),
            "trap" => return Ok(self.trap(arguments, span, state, out)),
            "kill" | "jobs" | "fg" | "bg" => {
                let unknown = self.unknown(Why::Command(name.to_owned()), span);
                state.status = Status::Unknown(Rc::new(unknown));
            }
            _ => return Err(Box::new(state)),
        }
        Ok(Some(state))
    }

    fn echo(&mut self, arguments: &[Field], state: &mut State) {
        let mut fields = arguments;
        let mut newline = true;
        let mut escapes = false;
        while let Some((first, rest)) = fields.split_first()
            && let Some(option @ ("-n" | "-e" | "-ne" | "-en" | "-E")) = first.value.known()
        {
            newline &= !option.contains('n');
            escapes |= option.contains('e');
            fields = rest;
        }
        for (at, field) in fields.iter().enumerate() {
            if at > 0 {
                state.print(&" ".into());
            }
            match &field.value {
                Value::Known(text) if escapes => state.print(&super::tools::unescaped(text).into()),
                // Some shells take it for an escape without being asked.
                Value::Known(text) if text.contains('\\') => {
                    let unknown = self.unknown(Why::Command("the shell that echoes a backslash".into()), field.span);
                    state.print(&Value::unknown(unknown));
                }
                value => state.print(value),
            }
        }
        if newline {
            state.print(&"\n".into());
        }
        state.status = Status::DONE;
    }

    fn set_options(&mut self, arguments: &[Field], state: &mut State) {
        state.status = Status::DONE;
        let mut rest = arguments.iter();
        while let Some(field) = rest.next() {
            let Some(option) = field.value.known() else {
                state.arguments = super::simple::arguments_of(std::slice::from_ref(field));
                return;
            };
            let on = option.starts_with('-');
            match option {
                "--" => {
                    state.arguments = super::simple::arguments_of(rest.as_slice());
                    return;
                }
                "-o" | "+o" => match rest.next().and_then(|field| field.value.known()) {
                    Some("errexit") => state.errexit = on,
                    Some("pipefail") => state.pipefail = on,
                    _ => {}
                },
                option if option.starts_with(['-', '+']) && option.len() > 1 => {
                    if option.contains('e') {
                        state.errexit = on;
                    }
                    if option.ends_with('o') && rest.next().and_then(|field| field.value.known()) == Some("pipefail") {
                        state.pipefail = on;
                    }
                }
                _ => {
                    let at = arguments.len() - rest.as_slice().len() - 1;
                    state.arguments = super::simple::arguments_of(&arguments[at..]);
                    return;
                }
            }
        }
    }

    fn declare(&mut self, command: &str, arguments: &[Field], span: Span, state: &mut State) {
        state.status = Status::DONE;
        let is_local = command == "local" || (matches!(command, "declare" | "typeset") && !state.locals.is_empty());
        for field in arguments {
            let text = match &field.value {
                Value::Known(text) => Rc::clone(text),
                Value::Unknown(unknown) => {
                    // `export X=$unknown`: the name is as written.
                    let written = self.written(field.span);
                    let Some((name, _)) = written.split_once('=') else { continue };
                    let name = name.to_owned();
                    if is_local {
                        self.make_local(&name, state);
                    }
                    state.set(&name, Value::Unknown(Rc::clone(unknown)));
                    if command == "export" {
                        state.export(&name);
                    }
                    continue;
                }
            };
            if text.starts_with('-') {
                continue;
            }
            let (name, value) = text.split_once('=').map_or((text.as_ref(), None), |(name, value)| (name, Some(value)));
            if is_local {
                self.make_local(name, state);
            }
            match value {
                Some(value) => state.set(name, value.into()),
                None if is_local => state.set(name, Value::empty()),
                None if command == "export" && !state.variables.contains_key(name) => {
                    let value = self.outside(name, span);
                    state.set(name, value);
                }
                None => {}
            }
            if command == "export" {
                state.export(name);
            }
        }
    }

    fn change_directory(&mut self, to: Option<&Field>, span: Span, state: &mut State) {
        let path = to.map(|field| field.value.clone());
        state.directory = match path.as_ref().and_then(Value::known) {
            Some(path) if !path.starts_with('-') => super::scripts::inside(path, state),
            _ => None,
        };
        // Into a directory of the definition one always comes; elsewhere it depends.
        state.status = match &state.directory {
            Some(_) => Status::DONE,
            None => Status::Unknown(Rc::new(self.unknown(Why::Command("cd".into()), span))),
        };
    }

    fn set_status(&mut self, field: Option<&Field>, state: &mut State) {
        match field.map(|field| &field.value) {
            None => {}
            Some(Value::Known(text)) => state.status = Status::Known(text.trim().parse().unwrap_or(2)),
            Some(Value::Unknown(unknown)) => state.status = Status::Unknown(Rc::clone(unknown)),
        }
    }

    fn read(&mut self, arguments: &[Field], span: Span, state: &mut State) {
        let mut names: Vec<&str> = Vec::new();
        let mut rest = arguments.iter().filter_map(|field| field.value.known());
        let mut is_array = false;
        while let Some(word) = rest.next() {
            let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
                names.push(word);
                continue;
            };
            is_array |= letters.contains('a');
            // One that takes a value is the last of its word, or has the value behind it.
            if letters.find(['p', 't', 'd', 'n', 'N', 'u', 'i']) == Some(letters.len() - 1) {
                rest.next();
            }
        }
        if names.is_empty() {
            names.push("REPLY");
        }
        let unknown = match state.input.clone() {
            Input::Text(text, from) => {
                let left = &text[from..];
                if left.is_empty() {
                    for name in names {
                        state.set(name, Value::empty());
                    }
                    state.status = Status::FAILED;
                    return;
                }
                let length = left.find('\n');
                let line = &left[..length.unwrap_or(left.len())];
                let separators = match state.variables.get("IFS").map(|variable| &variable.content) {
                    Some(Content::One(Value::Known(text))) => text.to_string(),
                    _ => " \t\n".into(),
                };
                if is_array {
                    let (_, parts, _) = split_fields(line, &separators);
                    let values: Vec<Value> = parts.into_iter().map(Value::from).collect();
                    state.set_content(names[0], Content::Array(values.into()));
                } else {
                    assign_line(line, &separators, &names, state);
                }
                let end = from + length.map_or(left.len(), |length| length + 1);
                // A last line without an end is read, but `read` fails on it.
                state.status = Status::of(length.is_some());
                state.input = Input::Text(Rc::clone(&text), end);
                return;
            }
            Input::Unknown(unknown) => unknown,
            Input::Outside => Rc::new(self.unknown(Why::Command("read".into()), span)),
        };
        for name in names {
            state.set(name, Value::Unknown(Rc::clone(&unknown)));
        }
        state.status = Status::Unknown(unknown);
    }

    fn read_array(&mut self, arguments: &[Field], span: Span, state: &mut State) {
        let name = arguments.iter().filter_map(|field| field.value.known()).rfind(|word| !word.starts_with('-'));
        let name = name.unwrap_or("MAPFILE");
        state.status = Status::DONE;
        match state.input.clone() {
            Input::Text(text, from) => {
                let values: Vec<Value> = text[from..].lines().map(Value::from).collect();
                state.set_content(name, Content::Array(values.into()));
                state.input = Input::Text(Rc::clone(&text), text.len());
            }
            Input::Unknown(unknown) => state.set(name, Value::Unknown(unknown)),
            Input::Outside => {
                let unknown = self.unknown(Why::Command("mapfile".into()), span);
                state.set(name, Value::unknown(unknown));
            }
        }
    }

    /// One option at a time.
    fn getopts(&mut self, arguments: &[Field], span: Span, state: &mut State) {
        let known: Vec<&str> = arguments.iter().filter_map(|field| field.value.known()).collect();
        let [options, name] = known.as_slice() else {
            let unknown = self.unknown(Why::Command("getopts".into()), span);
            state.status = Status::Unknown(Rc::new(unknown));
            return;
        };
        let given: Vec<Value> = match &state.arguments {
            Ok(values) => values.to_vec(),
            Err(unknown) => {
                let unknown = Rc::clone(unknown);
                return self.unknown_option(name, unknown, state);
            }
        };
        let index = match state.variables.get("OPTIND").map(|variable| &variable.content) {
            Some(Content::One(Value::Known(text))) => text.parse().unwrap_or(1),
            Some(Content::One(Value::Unknown(unknown))) => {
                let unknown = Rc::clone(unknown);
                return self.unknown_option(name, unknown, state);
            }
            _ => 1_usize,
        };
        let option = match index.checked_sub(1).and_then(|index| given.get(index)) {
            Some(Value::Unknown(unknown)) => {
                let unknown = Rc::clone(unknown);
                return self.unknown_option(name, unknown, state);
            }
            Some(Value::Known(text)) if text.starts_with('-') && text.len() > 1 && text.as_ref() != "--" => {
                Rc::clone(text)
            }
            other => {
                let skip = usize::from(other.and_then(Value::known) == Some("--"));
                state.set("OPTIND", (index + skip).to_string().into());
                state.set(name, "?".into());
                state.status = Status::FAILED;
                return;
            }
        };
        // Letters that are put together: how far one is with them, as long as nobody else sets `OPTIND`.
        let place = match state.variables.get(WITHIN).map(|variable| &variable.content) {
            Some(Content::One(Value::Known(text))) => {
                text.strip_prefix(&format!("{index}:")).and_then(|at| at.parse().ok())
            }
            _ => None,
        };
        let place: usize = place.filter(|at| *at < option.len()).unwrap_or(1);
        let letter = option.get(place..).and_then(|rest| rest.chars().next()).unwrap_or('?');
        let after = place + letter.len_utf8();
        let (silent, letters) = options.strip_prefix(':').map_or((false, *options), |letters| (true, letters));
        let takes = letters.split_once(letter).filter(|_| letter != ':').map(|(_, rest)| rest.starts_with(':'));
        let mut next = if after < option.len() { index } else { index + 1 };
        // Without an argument some shells empty it, others unset it.
        let none = self.unknown(Why::Variable("OPTARG".into()), span);
        state.set("OPTARG", Value::unknown(none));
        state.set(name, letter.to_string().into());
        match takes {
            Some(true) if after < option.len() => {
                state.set("OPTARG", option[after..].into());
                next = index + 1;
            }
            Some(true) => match given.get(index) {
                Some(value) => {
                    state.set("OPTARG", value.clone());
                    next = index + 2;
                }
                None => refused(name, if silent { ":" } else { "?" }, silent.then_some(letter), state),
            },
            Some(false) => {}
            None => refused(name, "?", silent.then_some(letter), state),
        }
        let within = if next == index { format!("{index}:{after}") } else { String::new() };
        state.set(WITHIN, within.into());
        state.set("OPTIND", next.to_string().into());
        state.status = Status::DONE;
    }

    fn unknown_option(&mut self, name: &str, unknown: Rc<Unknown>, state: &mut State) {
        for name in [name, "OPTARG", "OPTIND"] {
            state.set(name, Value::Unknown(Rc::clone(&unknown)));
        }
        state.status = Status::Unknown(unknown);
    }

    /// `command NAME …`, `command -v NAME`, `type NAME`.
    fn command_builtin(
        &mut self,
        builtin: &str,
        arguments: &[Field],
        span: Span,
        mut state: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        let mut rest = arguments;
        let mut asks = builtin == "type";
        while let Some((first, after)) = rest.split_first()
            && let Some(option) = first.value.known().filter(|word| word.starts_with('-'))
        {
            asks |= option.contains(['v', 'V']);
            rest = after;
        }
        if asks {
            let name = rest.first().and_then(|field| field.value.known()).unwrap_or_default().to_owned();
            if super::helpers::name_of(&name).is_some() || state.functions.contains_key(name.as_str()) {
                let shown = super::helpers::name_of(&name).map_or_else(|| name.clone(), super::helpers::path_of);
                state.print(&Value::from(shown + "\n"));
                state.status = Status::DONE;
            } else {
                let unknown = Rc::new(self.unknown(Why::Command(format!("whether there is {name}")), span));
                state.print(&Value::Unknown(Rc::clone(&unknown)));
                state.status = Status::Unknown(unknown);
            }
            return Some(state);
        }
        let functions = std::mem::take(&mut state.functions);
        let mut state = self.dispatch(rest, span, state, out)?;
        state.functions = functions;
        Some(state)
    }
}

/// An option that `getopts` does not take: with a colon before all letters it says which one.
fn refused(name: &str, sign: &str, letter: Option<char>, state: &mut State) {
    state.set(name, sign.into());
    if let Some(letter) = letter {
        state.set("OPTARG", letter.to_string().into());
    }
}

fn shift(by: Option<&Field>, state: &mut State) {
    let by = by.and_then(|field| field.value.known()?.parse().ok()).unwrap_or(1_usize);
    state.status = Status::DONE;
    if let Ok(values) = &state.arguments {
        if by > values.len() {
            state.status = Status::FAILED;
        } else {
            state.arguments = Ok(values[by..].into());
        }
    }
}

/// The fields of a line, the last name gets the rest.
fn assign_line(line: &str, separators: &str, names: &[&str], state: &mut State) {
    let is_separator = |c: char| separators.contains(c);
    let is_blank = |c: char| separators.contains(c) && c.is_ascii_whitespace();
    let mut rest = line.trim_start_matches(is_blank);
    for (at, name) in names.iter().enumerate() {
        if at + 1 == names.len() {
            state.set(name, rest.trim_end_matches(is_blank).into());
            return;
        }
        let end = rest.find(is_separator).unwrap_or(rest.len());
        state.set(name, rest[..end].into());
        rest = rest[end..].trim_start_matches(is_blank);
        if let Some(c) = rest.chars().next().filter(|c| is_separator(*c)) {
            rest = rest[c.len_utf8()..].trim_start_matches(is_blank);
        }
    }
}

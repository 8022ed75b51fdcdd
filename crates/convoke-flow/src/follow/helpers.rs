//! The helper commands of a test (device-side.md §6): those that call the group, and what the others print.

use std::rc::Rc;
use std::sync::Arc;

use convoke_group::CallKind;
use convoke_job::Span;

use super::Follower;
use super::draft::{Draft, FrameKind};
use super::expand::Field;
use super::functions::Arguments;
use super::state::{Output, State, Status};
use super::value::{HOME, Value, by_name, has_symbol, same};
use crate::model::{Call, Failing, Origin, Pause, Read, Step, Text, Unknown, Why};

/// The file in which a wait leaves what it received.
const CACHE: &str = "/tmp/lava_multi_node_cache.txt";
/// The message of `lava-network`.
const NETWORK: &str = "network_info";

/// The helpers and the time that each takes itself; the first five make calls.
const HELPERS: [(&str, Takes); 30] = [
    ("lava-send", Takes::NoTime),
    ("lava-wait", Takes::NoTime),
    ("lava-wait-all", Takes::NoTime),
    ("lava-sync", Takes::NoTime),
    ("lava-network", Takes::Time),
    ("lava-self", Takes::NoTime),
    ("lava-role", Takes::NoTime),
    ("lava-group", Takes::NoTime),
    ("lava-test-case", Takes::NoTime),
    ("lava-test-set", Takes::NoTime),
    ("lava-test-reference", Takes::NoTime),
    ("lava-test-raise", Takes::Time),
    ("lava-test-event", Takes::NoTime),
    ("lava-test-feedback", Takes::NoTime),
    ("lava-background-process-start", Takes::Time),
    ("lava-background-process-stop", Takes::Time),
    ("lava-echo-ipv4", Takes::Time),
    ("lava-target-ip", Takes::Time),
    ("lava-target-mac", Takes::Time),
    ("lava-target-storage", Takes::Time),
    ("lava-probe-ip", Takes::Time),
    ("lava-probe-channel", Takes::Time),
    ("lava-os-build", Takes::Time),
    ("lava-installed-packages", Takes::Time),
    ("lava-install-packages", Takes::Time),
    ("lava-add-sources", Takes::Time),
    ("lava-add-keys", Takes::Time),
    ("lava-start-vms", Takes::Time),
    ("lava-wait-for-vms", Takes::Time),
    ("lava-echo-config", Takes::Time),
];

/// How long a helper takes, what it waits for aside.
#[derive(Clone, Copy, PartialEq)]
enum Takes {
    NoTime,
    Time,
}

/// The helper that a command is: by its name, or by its path below the directory of a job.
pub(super) fn name_of(command: &str) -> Option<&'static str> {
    let base = match command.rsplit_once('/') {
        None => command,
        Some((directory, base)) if directory.starts_with("/lava-") && directory.ends_with("/bin") => base,
        Some(_) => return None,
    };
    HELPERS.into_iter().map(|(name, _)| name).find(|name| *name == base)
}

/// Where a helper is: in a directory with the number of the job in its name.
pub(super) fn path_of(name: &'static str) -> String {
    format!("/lava-{}/bin/{name}", HOME.trim_start_matches('/'))
}

/// Whether a text names a helper that makes calls, as a shell would read it.
pub(super) fn mentions_call(text: &str) -> bool {
    let words =
        text.split(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | ')' | '`' | '"' | '\'' | '/'));
    words.into_iter().any(|word| HELPERS[..5].iter().any(|(name, _)| *name == word))
}

impl Follower<'_> {
    pub(super) fn helper(
        &mut self,
        name: &'static str,
        arguments: &[Field],
        span: Span,
        mut state: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        if HELPERS.contains(&(name, Takes::Time)) {
            state.takes_time();
        }
        match name {
            "lava-send" => self.send(arguments, span, &mut state, out),
            "lava-wait" | "lava-sync" => {
                let kind = if name == "lava-wait" { CallKind::Wait } else { CallKind::Sync };
                match arguments {
                    [id] => self.call(kind, id, None, span, &mut state, out),
                    _ => state.status = Status::FAILED,
                }
            }
            "lava-wait-all" => match arguments {
                [id] => self.call(CallKind::WaitAll, id, None, span, &mut state, out),
                [id, role] => self.call(CallKind::WaitAll, id, Some(role), span, &mut state, out),
                _ => state.status = Status::FAILED,
            },
            "lava-network" => self.network(arguments, span, &mut state, out),
            "lava-self" => {
                let name = self.own_name(span);
                state.print(&name);
                state.print(&"\n".into());
                state.status = Status::DONE;
            }
            "lava-role" => self.role(arguments, &mut state),
            "lava-group" => self.group(arguments, span, &mut state),
            "lava-test-case" => return self.test_case(arguments, span, state, out),
            "lava-test-raise" => {
                // The job ends.
                state.last = None;
                state.status = Status::FAILED;
                let place = self.place(span);
                let shells = self.frames.iter().filter(|frame| frame.kind == FrameKind::Shell).count();
                return self.jump(FrameKind::Shell, shells, place, state, out);
            }
            "lava-background-process-start" => {
                if let [_, _, command] = arguments
                    && let Value::Known(text) = &command.value
                {
                    let (text, mut body) = (Rc::clone(text), Vec::new());
                    let inner = self.child_state(&state, Ok(Rc::from([])));
                    self.as_child(inner, &mut body, |follower, state, out| {
                        follower.text_of_commands(&text, command.span, state, out)
                    });
                    if !body.is_empty() {
                        self.push(Draft::Beside(body), out);
                    }
                }
                state.status = Status::DONE;
            }
            "lava-start-vms"
            | "lava-wait-for-vms"
            | "lava-test-set"
            | "lava-test-reference"
            | "lava-test-event"
            | "lava-test-feedback"
            | "lava-background-process-stop"
            | "lava-add-sources"
            | "lava-add-keys" => {
                state.status = Status::DONE;
            }
            _ => {
                let unknown = Rc::new(self.unknown(Why::Command(name.into()), span));
                state.print(&Value::Unknown(Rc::clone(&unknown)));
                state.status = Status::Unknown(unknown);
            }
        }
        Some(state)
    }

    fn send(&mut self, arguments: &[Field], span: Span, state: &mut State, out: &mut Vec<Draft>) {
        let Some((id, pairs)) = arguments.split_first() else {
            state.status = Status::FAILED;
            return;
        };
        let mut data: Vec<(Text, Text)> = Vec::new();
        for pair in pairs {
            let written = self.written(pair.span).to_owned();
            match &pair.value {
                Value::Known(text) => {
                    let Some((key, value)) = text.split_once('=') else { continue };
                    if !is_key(key) {
                        state.status = Status::FAILED;
                        return;
                    }
                    let key = Text::Known(self.naming.shown(key));
                    let value = Text::Known(self.naming.shown(value));
                    // The same key again: the last one wins.
                    data.retain(|(other, _)| *other != key);
                    data.push((key, value));
                }
                Value::Unknown(unknown) => {
                    let unknown = unknown.as_ref().clone();
                    let text = |shown: &str| Text::Unknown { shown: shown.into(), unknown: unknown.clone() };
                    let plain = written.trim_matches(['"', '\'']);
                    data.push(match plain.split_once('=') {
                        Some((key, value)) if is_key(key) => (Text::Known(key.into()), text(value)),
                        _ => (text(&written), text(&written)),
                    });
                }
            }
        }
        self.make(CallKind::Send, id, None, data, span, state, out);
    }

    fn call(
        &mut self,
        kind: CallKind,
        id: &Field,
        role: Option<&Field>,
        span: Span,
        state: &mut State,
        out: &mut Vec<Draft>,
    ) {
        // `lava-wait-all ID ""` names no role.
        let role = role.filter(|role| role.value.known() != Some(""));
        self.make(kind, id, role, Vec::new(), span, state, out);
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one call")]
    fn make(
        &mut self,
        kind: CallKind,
        id: &Field,
        role: Option<&Field>,
        data: Vec<(Text, Text)>,
        span: Span,
        state: &mut State,
        out: &mut Vec<Draft>,
    ) {
        if id.value.known().is_some_and(|id| !is_id(id)) {
            // The helper refuses it.
            state.status = Status::FAILED;
            return;
        }
        let written = self.written(id.span).to_owned();
        let id = self.naming.text(&id.value, &written);
        let role = role.map(|role| {
            let written = self.written(role.span).to_owned();
            self.naming.text(&role.value, &written)
        });
        if matches!(kind, CallKind::Wait | CallKind::WaitAll) {
            state.waited = Some(id.shown().into());
        }
        // Unless the group ends the script of one who waits in vain.
        let goes_on = kind != CallKind::Send && (self.goes_on || self.timed);
        let tested = goes_on && (self.looked_at > 0 || !state.errexit);
        let origin = Origin::Helper { wrapped: self.wrapped.clone(), failing: Failing::Ends, timed: self.timed };
        let after = std::mem::replace(&mut state.pause, Pause { is_exact: true, ..Pause::default() });
        let after = Arc::new(after);
        let call = Call { kind, id, role, data, origin, limit: self.limit, after, place: self.place(span) };
        state.status = Status::DONE;
        let mut call = call;
        if tested {
            let unknown = self.unknown(Why::Outcome { call: crate::words::what(&call), failed: false }, span);
            if let Origin::Helper { failing, .. } = &mut call.origin {
                // Until what the script does then has been followed.
                *failing = Failing::Unknown(Box::new(unknown.clone()));
            }
            state.status = Status::Unknown(Rc::new(unknown));
        }
        self.push(Draft::Step(Box::new(Step::Call(call))), out);
    }

    /// `broadcast` is a send, `collect` a wait-all (device-side.md §6.4).
    fn network(&mut self, arguments: &[Field], span: Span, state: &mut State, out: &mut Vec<Draft>) {
        let what = arguments.first().map(|field| field.value.clone());
        let id = Field { value: NETWORK.into(), many: false, span };
        match (what.as_ref().and_then(Value::known), arguments.len()) {
            (Some("broadcast"), 1 | 2) => self.make(CallKind::Send, &id, None, Vec::new(), span, state, out),
            (Some("collect"), 1..=3) => {
                let waited = state.waited.clone();
                self.call(CallKind::WaitAll, &id, arguments.get(2), span, state, out);
                // It keeps what it received in a file of its own.
                state.waited = waited;
            }
            (Some("query"), 3) => {
                let unknown = Rc::new(self.unknown(Why::Received(NETWORK.into()), span));
                state.print(&Value::Unknown(Rc::clone(&unknown)));
                state.status = Status::Unknown(unknown);
            }
            (Some("hosts" | "alias-hosts"), 2) => state.status = Status::DONE,
            (Some(_), _) | (None, 0) => state.status = Status::FAILED,
            (None, _) => {
                if let Some(Value::Unknown(unknown)) = what {
                    let after = self.stranger(unknown.as_ref().clone(), state.clone(), out);
                    *state = after;
                }
            }
        }
    }

    fn role(&mut self, arguments: &[Field], state: &mut State) {
        let mut text = String::new();
        match arguments {
            [] => text = format!("{}\n", self.naming.role()),
            [list] if list.value.known() == Some("list") => {
                let mut seen: Vec<&str> = Vec::new();
                for (_, role) in self.naming.table(false) {
                    if !seen.contains(&role) {
                        seen.push(role);
                        text.push_str(role);
                        text.push('\n');
                    }
                }
            }
            _ => {
                state.status = Status::FAILED;
                return;
            }
        }
        state.print(&text.into());
        state.status = Status::DONE;
    }

    fn group(&mut self, arguments: &[Field], span: Span, state: &mut State) {
        let wanted = match arguments {
            [] => None,
            [field] => match &field.value {
                Value::Known(text) => Some(Rc::clone(text)),
                Value::Unknown(unknown) => {
                    state.print(&Value::Unknown(Rc::clone(unknown)));
                    state.status = Status::Unknown(Rc::clone(unknown));
                    return;
                }
            },
            _ => {
                state.status = Status::FAILED;
                return;
            }
        };
        if wanted.as_deref().is_some_and(has_symbol) {
            state.status = Status::Unknown(Rc::new(self.unknown(by_name(), span)));
            return;
        }
        if state.output == Output::Away {
            // Only the status counts.
            let found =
                |role: &str| self.naming.members.iter().any(|member| !member.guest && member.role.as_str() == role);
            state.status = Status::of(wanted.as_deref().is_none_or(|role| role == "--all" || found(role)));
            return;
        }
        let mut text = String::new();
        for (name, role) in self.naming.table(wanted.as_deref() == Some("--all")) {
            match wanted.as_deref() {
                None | Some("--all") => text.push_str(&format!("{name}\t{role}\n")),
                Some(wanted) if same(wanted, role) == Some(true) => text.push_str(&format!("{name}\n")),
                Some(_) => {}
            }
        }
        state.status = Status::of(wanted.is_none() || !text.is_empty());
        state.print(&text.into());
    }

    /// `lava-test-case ID --shell COMMAND`: in a shell of its own, and it succeeds whatever the command does.
    fn test_case(&mut self, arguments: &[Field], span: Span, mut state: State, out: &mut Vec<Draft>) -> Option<State> {
        state.status = Status::DONE;
        let at = arguments.iter().position(|field| field.value.known() == Some("--shell"));
        let command = match at {
            Some(at) => &arguments[at + 1..],
            None => return Some(state),
        };
        let place = self.place(span);
        let outer = self.wrapped.replace(place);
        let inner = self.child_state(&state, Ok(Rc::from([])));
        let end = self.as_child(inner, out, |follower, state, out| match command {
            [text] => match &text.value {
                Value::Known(commands) => {
                    let commands = Rc::clone(commands);
                    follower.text_of_commands(&commands, text.span, state, out)
                }
                Value::Unknown(unknown) => {
                    let unknown = unknown.as_ref().clone();
                    Some(follower.unknown_commands(unknown, text.span, state, out))
                }
            },
            command => follower.dispatch(command, span, state, out),
        });
        self.wrapped = outer;
        Some(match end {
            Some(end) => {
                super::outcomes::not_looked_at(&end.status, out);
                State { status: Status::DONE, ..state.after(end) }
            }
            None => state,
        })
    }

    /// Whether a path is that of the cache file.
    pub(super) fn is_cache(&self, path: &Value) -> bool {
        match path {
            Value::Known(path) => path.as_ref() == CACHE,
            Value::Unknown(unknown) => unknown.why == Why::Variable("LAVA_MULTI_NODE_CACHE".into()),
        }
    }

    /// The argument by which a program reads the cache file.
    pub(super) fn cache_argument(&self, program: &str, arguments: &[Field]) -> Option<Span> {
        const OTHERS: [&str; 8] = ["rm", "ls", "touch", "chmod", "stat", "test", "tee", "truncate"];
        if OTHERS.contains(&program) {
            return None;
        }
        arguments.iter().find(|field| self.is_cache(&field.value)).map(|field| field.span)
    }

    /// The script reads the cache file; why what it reads is not known.
    pub(super) fn read_cache(
        &mut self,
        key: Option<String>,
        span: Span,
        state: &mut State,
        out: &mut Vec<Draft>,
    ) -> Unknown {
        let place = self.place(span);
        self.push(Draft::Step(Box::new(Step::Read(Read { key, place: place.clone() }))), out);
        let what = state.waited.as_deref().unwrap_or("the cache file").to_owned();
        Unknown { why: Why::Received(what), place }
    }

    /// Commands of which not even the text is known: they may call, if what is written of them says so.
    pub(super) fn unknown_commands(
        &mut self,
        unknown: Unknown,
        span: Span,
        mut state: State,
        out: &mut Vec<Draft>,
    ) -> State {
        let written = self.written(span).to_owned();
        if self.calls_by_name(&written, &state) || written.trim_matches('"').starts_with('$') {
            return self.stranger(unknown, state, out);
        }
        let unknown = Rc::new(unknown);
        state.print(&Value::Unknown(Rc::clone(&unknown)));
        state.status = Status::Unknown(unknown);
        state
    }

    /// Whether a text of commands may call: a helper, a function, or a script by its path.
    fn calls_by_name(&self, text: &str, state: &State) -> bool {
        let is_script = |word: &str| word.starts_with("./") || word.ends_with(".sh");
        mentions_call(text)
            || text
                .split(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | ')' | '"' | '\''))
                .any(|word| state.functions.contains_key(word) || is_script(word))
    }
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && !id.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '='))
}

fn is_key(key: &str) -> bool {
    let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
    key.starts_with(first) && key.chars().all(|c| first(c) || matches!(c, '.' | '-'))
}

/// The state of a process that a command starts.
impl Follower<'_> {
    /// What a new shell knows: exported variables, and no functions.
    pub(super) fn child_state(&self, state: &State, arguments: Arguments) -> State {
        let exported = state.variables.iter().filter(|(_, variable)| variable.exported);
        State {
            variables: exported.map(|(name, variable)| (Rc::clone(name), variable.clone())).collect(),
            functions: Default::default(),
            zero: Rc::clone(&state.zero),
            arguments,
            status: Status::DONE,
            errexit: false,
            pipefail: false,
            directory: state.directory.clone(),
            output: state.output.clone(),
            input: state.input.clone(),
            locals: Vec::new(),
            waited: state.waited.clone(),
            files: state.files.clone(),
            jobs: Default::default(),
            last_job: None,
            last: None,
            too_long: Rc::clone(&state.too_long),
            pause: state.pause.clone(),
            substituted: state.substituted,
        }
    }

    /// Runs something in a process of its own, where no condition around it matters.
    pub(super) fn as_child(
        &mut self,
        state: State,
        out: &mut Vec<Draft>,
        run: impl FnOnce(&mut Self, State, &mut Vec<Draft>) -> Option<State>,
    ) -> Option<State> {
        let tested = std::mem::take(&mut self.tested);
        let end = self.subshell(state, out, run);
        self.tested = tested;
        end
    }
}

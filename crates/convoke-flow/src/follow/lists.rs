//! Lists, `&&` and `||`, pipelines, and what decides between ways.

use std::rc::Rc;
use std::sync::Arc;

use convoke_job::Span;

use super::draft::{self, Draft, Frame, FrameKind};
use super::outcomes;
use super::state::{Input, Output, State, Status};
use super::{Follower, MOST_LEVELS};
use crate::model::{Pause, Place, Step, Unknown, Why};
use crate::shell::ast::{Command, Item, Joint, Kind, List, Pipeline};

/// The outcome of a condition. Both sides are there when it is not known which.
#[derive(Default)]
pub(super) struct Decision {
    pub(super) yes: Option<Way>,
    pub(super) no: Option<Way>,
    /// What decides, when both are there.
    pub(super) unknown: Option<Rc<Unknown>>,
}

/// The steps of one way, and what is known at its end.
pub(super) struct Way {
    pub(super) steps: Vec<Draft>,
    pub(super) state: State,
}

impl Decision {
    /// By the status.
    pub(super) fn from_state(state: State) -> Decision {
        Decision::of(Some(state))
    }

    fn of(state: Option<State>) -> Decision {
        let Some(state) = state else { return Decision::default() };
        let way = |mut state: State, status| {
            state.status = status;
            Some(Way { steps: Vec::new(), state })
        };
        match state.status.clone() {
            Status::Known(0) => Decision { yes: way(state, Status::DONE), no: None, unknown: None },
            Status::Known(failed) => Decision { yes: None, no: way(state, Status::Known(failed)), unknown: None },
            Status::Unknown(unknown) => Decision {
                yes: way(state.clone(), Status::DONE),
                no: way(state, Status::FAILED),
                unknown: Some(unknown),
            },
        }
    }

    pub(super) fn negated(self) -> Decision {
        let with =
            |way: Option<Way>, status| way.map(|way| Way { steps: way.steps, state: State { status, ..way.state } });
        let unknown = self.unknown.map(|unknown| outcomes::opposite(&unknown));
        Decision { yes: with(self.no, Status::DONE), no: with(self.yes, Status::FAILED), unknown }
    }
}

impl Follower<'_> {
    /// Commands in order. None where the script does not go on after them.
    pub(super) fn list(&mut self, list: &List, mut state: State, out: &mut Vec<Draft>) -> Option<State> {
        for item in &list.0 {
            state = self.item(item, state, out)?;
        }
        Some(state)
    }

    fn item(&mut self, item: &Item, state: State, out: &mut Vec<Draft>) -> Option<State> {
        if item.background {
            return Some(self.background(item, state, out));
        }
        self.chain(item, state, out)
    }

    pub(super) fn chain(&mut self, item: &Item, state: State, out: &mut Vec<Draft>) -> Option<State> {
        let last = item.rest.is_empty();
        let state = self.link(&item.first, last, state, out)?;
        self.links(&item.rest, state, out)
    }

    /// One pipeline of a chain; the status of the last one alone may end the script.
    fn link(&mut self, pipeline: &Pipeline, last: bool, state: State, out: &mut Vec<Draft>) -> Option<State> {
        let tested = usize::from(!last || pipeline.negated);
        self.tested += tested;
        self.looked_at += tested;
        let state = self.pipeline(pipeline, state, out);
        self.tested -= tested;
        self.looked_at -= tested;
        let state = state?;
        if tested > 0 { Some(state) } else { self.survived(pipeline, state, out) }
    }

    fn links(&mut self, rest: &[(Joint, Pipeline)], mut state: State, out: &mut Vec<Draft>) -> Option<State> {
        for (at, (joint, pipeline)) in rest.iter().enumerate() {
            state.status = outcomes::of_last_call_only(state.status, out);
            match state.status.clone() {
                Status::Known(status) => {
                    if (*joint == Joint::And) == (status == 0) {
                        state = self.link(pipeline, at + 1 == rest.len(), state, out)?;
                    }
                }
                Status::Unknown(unknown) => {
                    let ways = [Status::DONE, Status::FAILED].map(|status| {
                        let mut steps = Vec::new();
                        let state = State { status, ..state.clone() };
                        let end = self.links(&rest[at..], state, &mut steps);
                        (steps, end)
                    });
                    return self.choose(&unknown, ways, out);
                }
            }
        }
        Some(state)
    }

    /// `set -e`: a failure that is certain ends the script; where it is not, the script goes on only without it.
    fn survived(&mut self, pipeline: &Pipeline, mut state: State, out: &mut Vec<Draft>) -> Option<State> {
        // A compound command fails by what failed in it, where that was no reason to end; a subshell fails for itself.
        let is_compound = match pipeline.commands.as_slice() {
            [command] => {
                !matches!(command.kind, Kind::Simple { .. } | Kind::Subshell(_) | Kind::Test(_) | Kind::Arithmetic(_))
            }
            _ => false,
        };
        if !state.errexit && self.looked_at == 0 {
            outcomes::not_looked_at(&state.status, out);
        }
        if !state.errexit || self.tested > 0 || is_compound {
            return Some(state);
        }
        match state.status {
            Status::Known(0) => Some(state),
            Status::Known(_) => {
                let place = self.place(pipeline_span(pipeline));
                self.exit(place, state, out)
            }
            Status::Unknown(_) => {
                state.status = Status::DONE;
                Some(state)
            }
        }
    }

    /// Ends the innermost shell.
    pub(super) fn exit(&mut self, place: Place, state: State, out: &mut Vec<Draft>) -> Option<State> {
        self.jump(FrameKind::Shell, 1, place, state, out)
    }

    /// Goes to the end of the innermost frame of a kind, or of one further out. None: nothing follows.
    pub(super) fn jump(
        &mut self,
        kind: FrameKind,
        levels: usize,
        place: Place,
        state: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        // A loop outside of the function or shell one stands in is not reached.
        let within = match kind {
            FrameKind::Loop | FrameKind::Round => self
                .frames
                .iter()
                .rposition(|frame| matches!(frame.kind, FrameKind::Shell | FrameKind::Function))
                .map_or(0, |at| at + 1),
            FrameKind::Function => self.frames.iter().rposition(|frame| frame.kind == FrameKind::Shell).unwrap_or(0),
            FrameKind::Shell => 0,
        };
        let mut frames = self.frames[within..].iter_mut().rev().filter(|frame| frame.kind == kind);
        let mut target = frames.next();
        for _ in 1..levels {
            match frames.next() {
                Some(outer) => target = Some(outer),
                None => break,
            }
        }
        let Some(frame) = target else { return Some(state) };
        frame.states.push(state);
        let id = frame.id;
        out.push(Draft::Jump(id, place));
        None
    }

    /// Either of several ways, and what is known after them.
    pub(super) fn choose(
        &mut self,
        unknown: &Rc<Unknown>,
        ways: impl IntoIterator<Item = (Vec<Draft>, Option<State>)>,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        let ways: Vec<_> = ways.into_iter().collect();
        let ways = match outcomes::choose(unknown, ways, out, self.frames.len() == 1) {
            Ok(end) => return end,
            Err(ways) => ways,
        };
        self.decided_by = Some(Rc::clone(unknown));
        let (steps, states): (Vec<_>, Vec<_>) = ways.into_iter().unzip();
        let choice = draft::choice(steps, unknown.as_ref().clone());
        self.choices += usize::from(choice.is_some());
        out.extend(choice);
        State::joined(states.into_iter().flatten(), unknown)
    }

    /// Runs something in a shell of its own: it cannot end this one, nor change its variables. What is known at its end.
    pub(super) fn subshell(
        &mut self,
        mut state: State,
        out: &mut Vec<Draft>,
        run: impl FnOnce(&mut Self, State, &mut Vec<Draft>) -> Option<State>,
    ) -> Option<State> {
        (state.last, state.last_job) = (None, None);
        state.jobs.clear();
        let id = self.enter(Frame::of(FrameKind::Shell));
        let mut steps = Vec::new();
        let end = run(self, state, &mut steps);
        let exits = self.leave();
        out.extend(draft::resolve(steps, id));
        let end = self.meet(exits.into_iter().chain(end))?;
        let end = self.last_commands(end, out)?;
        self.left |= !end.jobs.is_empty();
        Some(end)
    }

    /// What is known where several ways meet.
    pub(super) fn meet(&self, states: impl IntoIterator<Item = State>) -> Option<State> {
        let mut states = states.into_iter();
        let first = states.next()?;
        let Some(second) = states.next() else { return Some(first) };
        let known = |state: State| State { status: outcomes::succeeded(state.status.clone()), ..state };
        let (first, second) = (known(first), known(second));
        let unknown = match (&first.status, &second.status) {
            (Status::Unknown(unknown), _) | (_, Status::Unknown(unknown)) => Rc::clone(unknown),
            _ => match &self.decided_by {
                Some(unknown) => Rc::clone(unknown),
                None => Rc::new(self.unknown(Why::Command("what comes before".into()), Span::default())),
            },
        };
        State::joined([first, second].into_iter().chain(states), &unknown)
    }

    /// A condition: where it is decided its steps go to `out`.
    pub(super) fn condition(&mut self, list: &List, mut state: State, out: &mut Vec<Draft>) -> Decision {
        self.tested += 1;
        self.looked_at += 1;
        let Some((last, before)) = list.0.split_last() else {
            self.tested -= 1;
            self.looked_at -= 1;
            return Decision::of(Some(State { status: Status::DONE, ..state }));
        };
        for item in before {
            match self.item(item, state, out) {
                Some(next) => state = next,
                None => {
                    self.tested -= 1;
                    self.looked_at -= 1;
                    return Decision::default();
                }
            }
        }
        let decision = self.decide(last, state, out);
        self.tested -= 1;
        self.looked_at -= 1;
        decision
    }

    fn decide(&mut self, item: &Item, state: State, out: &mut Vec<Draft>) -> Decision {
        if item.background {
            return Decision::of(self.item(item, state, out));
        }
        let mut decision = self.decide_pipeline(&item.first, state, out);
        for (joint, pipeline) in &item.rest {
            decision = outcomes::assumed(decision);
            let is_and = *joint == Joint::And;
            let side = if is_and { decision.yes.take() } else { decision.no.take() };
            let Some(Way { mut steps, state }) = side else { continue };
            let Some(unknown) = decision.unknown.clone() else {
                decision = self.decide_pipeline(pipeline, state, out);
                continue;
            };
            let next = outcomes::assumed(self.decide_pipeline(pipeline, state, &mut steps));
            let (on, off) = if is_and { (next.yes, next.no) } else { (next.no, next.yes) };
            let after = |way: Way| Way { steps: steps.iter().cloned().chain(way.steps).collect(), state: way.state };
            let (on, off) = (on.map(after), off.map(after));
            let other = if is_and { decision.no.take() } else { decision.yes.take() };
            let other = merge(other, off, &unknown);
            let (yes, no) = if is_and { (on, other) } else { (other, on) };
            decision = Decision { yes, no, unknown: Some(unknown) };
        }
        decision
    }

    fn decide_pipeline(&mut self, pipeline: &Pipeline, state: State, out: &mut Vec<Draft>) -> Decision {
        let decision = match pipeline.commands.as_slice() {
            [Command { kind: Kind::Group(list), redirects, .. }] if redirects.is_empty() => {
                self.condition(list, state, out)
            }
            commands => Decision::of(
                self.commands(commands, state, out)
                    .map(|state| State { status: outcomes::of_last_call_only(state.status.clone(), out), ..state }),
            ),
        };
        if pipeline.negated { decision.negated() } else { decision }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, state: State, out: &mut Vec<Draft>) -> Option<State> {
        let mut state = self.commands(&pipeline.commands, state, out)?;
        if pipeline.negated {
            state.status = match state.status {
                Status::Known(status) => Status::of(status != 0),
                Status::Unknown(unknown) => Status::Unknown(outcomes::opposite(&unknown)),
            };
        }
        Some(state)
    }

    /// The commands of a pipeline. Each of several runs in a shell of its own.
    fn commands(&mut self, commands: &[Command], state: State, out: &mut Vec<Draft>) -> Option<State> {
        let (last, before) = match commands {
            [command] => return self.command(command, state, out),
            commands => commands.split_last()?,
        };
        let mut input = state.input.clone();
        let mut failed = None;
        let mut waited = state.waited.clone();
        let mut files = state.files.clone();
        let tested = self.tested;
        let mark = out.len();
        self.wanted_key = None;
        let since = |out: &[Draft]| if out.len() == mark { state.pause.clone() } else { Pause::default() };
        // They take time beside each other; what they run is told one after the other.
        let mut runs = Arc::clone(&state.pause.runs);
        for command in before {
            let inner = State {
                pause: Pause { runs, ..since(out) },
                input,
                output: Output::Text(String::new()),
                waited: waited.clone(),
                files: files.clone(),
                ..state.clone()
            };
            // The status of these is not looked at.
            self.tested = tested + usize::from(!state.pipefail);
            let end = self.subshell(inner, out, |follower, state, out| follower.command(command, state, out));
            self.tested = tested;
            runs = Arc::default();
            input = match end {
                Some(end) => {
                    runs = end.pause.runs;
                    if state.pipefail && end.status != Status::DONE {
                        failed = Some(end.status);
                    }
                    waited = end.waited;
                    files = end.files;
                    match end.output {
                        Output::Text(text) => Input::Text(text.into(), 0),
                        Output::Unknown(unknown) => Input::Unknown(unknown),
                        Output::Away => Input::Outside,
                    }
                }
                None => Input::Outside,
            };
        }
        let inner = State { pause: Pause { runs, ..since(out) }, input, waited, files, ..state.clone() };
        let end = self.subshell(inner, out, |follower, state, out| follower.command(last, state, out))?;
        // `cat CACHE | grep key=`: the reader does not know the key, the filter does.
        if let Some(key) = self.wanted_key.take() {
            for draft in &mut out[mark..] {
                if let Draft::Step(step) = draft
                    && let Step::Read(read) = step.as_mut()
                {
                    read.key.get_or_insert_with(|| key.clone());
                }
            }
        }
        let status = if end.status == Status::DONE { failed.unwrap_or(Status::DONE) } else { end.status };
        // They run side by side: it is over when the last command is, and not sooner.
        let pause = Pause { is_exact: false, ..end.pause };
        Some(State { status, output: end.output, waited: end.waited, files: end.files, pause, ..state })
    }

    pub(super) fn command(&mut self, command: &Command, state: State, out: &mut Vec<Draft>) -> Option<State> {
        self.commands += 1;
        let too_much = if self.level >= MOST_LEVELS {
            Some("commands are nested too deeply")
        } else if self.is_exhausted(1) {
            Some("the script has too many commands")
        } else {
            None
        };
        if let Some(why) = too_much {
            return self.give_up(Why::TooMuch(why.into()), command.span, state, out);
        }
        self.level += 1;
        let state = self.kind(command, state, out);
        self.level -= 1;
        state
    }
}

/// Two ways to the same end.
fn merge(one: Option<Way>, other: Option<Way>, unknown: &Rc<Unknown>) -> Option<Way> {
    match (one, other) {
        (Some(one), Some(other)) => {
            let steps = Vec::from_iter(draft::choice(vec![one.steps, other.steps], unknown.as_ref().clone()));
            Some(Way { steps, state: one.state.join(other.state, unknown) })
        }
        (one, other) => one.or(other),
    }
}

fn pipeline_span(pipeline: &Pipeline) -> Span {
    let first = pipeline.commands.first().map(|command| command.span).unwrap_or_default();
    let last = pipeline.commands.last().map(|command| command.span).unwrap_or_default();
    Span::new(first.start, last.end)
}

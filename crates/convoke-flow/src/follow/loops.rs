//! Loops: written out as long as every round is decided, else a body that runs an unknown number of times.

use std::rc::Rc;

use convoke_job::Span;

use super::Follower;
use super::draft::{self, Draft, Frame, FrameId, FrameKind};
use super::lists::{Decision, Way};
use super::state::{Content, State, Status};
use super::value::Value;
use crate::model::{Unknown, Why};
use crate::shell::ast::{Kind, List, Word};

/// Rounds of a loop that are written out.
const MOST_ROUNDS: usize = 2000;
/// Rounds of a loop that something unknown may end in each of them.
const MOST_OPEN_ROUNDS: usize = 32;
/// How often a body is followed until what is known before it does not change.
const MOST_PASSES: usize = 4;

/// The condition of a loop.
enum Condition<'a> {
    List { until: bool, list: &'a List },
    Arithmetic(&'a Word),
}

impl Follower<'_> {
    pub(super) fn repeated(
        &mut self,
        until: bool,
        condition: &List,
        body: &List,
        span: Span,
        state: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        self.circle(&Condition::List { until, list: condition }, body, None, span, state, out)
    }

    /// `for ((a; b; c))`
    pub(super) fn counted(
        &mut self,
        parts: &[Word; 3],
        body: &List,
        span: Span,
        mut state: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        let [first, condition, next] = parts;
        let _ = self.calculate(first, &mut state, out);
        self.circle(&Condition::Arithmetic(condition), body, Some(next), span, state, out)
    }

    fn circle(
        &mut self,
        condition: &Condition<'_>,
        body: &List,
        next: Option<&Word>,
        span: Span,
        entry: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        let id = self.enter(Frame::of(FrameKind::Loop));
        let start = out.len();
        let mut steps = Vec::new();
        let mut state = entry.clone();
        let mut rounds = 0;
        let mut open = 0;
        let end = loop {
            let mark = steps.len();
            // A loop ends with the status of its last command, which the condition is not.
            let status = if rounds == 0 { Status::DONE } else { state.status.clone() };
            let decision = self.ask(condition, state.clone(), &mut steps);
            let Decision { yes, no, unknown } = super::outcomes::assumed(decision);
            if unknown.is_some() {
                steps.truncate(mark);
                break self.unknown_rounds(condition, body, next, state, &mut steps, id);
            }
            let Some(way) = yes else {
                break no.map(|way| State { status, ..way.state });
            };
            let (round, ended) = self.round(body, next, way.state);
            let is_open = ended.is_some() && !self.is_plain(&round);
            steps.extend(round);
            match ended {
                Some(next) => state = next,
                None => break None,
            }
            rounds += 1;
            open += usize::from(is_open);
            let endless = is_open && is_always(condition);
            if rounds >= MOST_ROUNDS || open >= MOST_OPEN_ROUNDS || endless || self.is_exhausted(2) {
                // Not round by round, then: from the beginning, an unknown number of times.
                if let Some(frame) = self.frames.iter_mut().find(|frame| frame.id == id) {
                    frame.states.clear();
                }
                steps.clear();
                let unknown = match endless || open >= MOST_OPEN_ROUNDS {
                    true => self.unknown(Why::Command("what ends the loop".into()), span),
                    false => self.unknown(Why::TooMuch(format!("the loop has more than {MOST_ROUNDS} rounds")), span),
                };
                break self.some_rounds(condition, body, next, entry, &mut steps, id, &Rc::new(unknown));
            }
        };
        let breaks = self.leave();
        out.truncate(start);
        out.extend(draft::resolve(steps, id));
        let breaks = breaks.into_iter().map(|state| State { status: Status::DONE, ..state });
        self.meet(breaks.chain(end))
    }

    /// Whether no step in it may leave it.
    fn is_plain(&self, steps: &[Draft]) -> bool {
        steps.iter().all(|step| match step {
            Draft::Jump(..) => false,
            Draft::Choice { ways, .. } => ways.iter().all(|way| self.is_plain(way)),
            Draft::Repeat { body, .. } => self.is_plain(body),
            Draft::Step(_) | Draft::Beside(_) => true,
        })
    }

    fn ask(&mut self, condition: &Condition<'_>, mut state: State, out: &mut Vec<Draft>) -> Decision {
        match condition {
            Condition::List { until, list } => {
                let decision = self.condition(list, state, out);
                if *until { decision.negated() } else { decision }
            }
            Condition::Arithmetic(word) => {
                let answer = if word.pieces.is_empty() {
                    Ok(true)
                } else {
                    self.calculate(word, &mut state, out).map(|n| n != 0)
                };
                state.status = Status::decided(answer);
                Decision::from_state(state)
            }
        }
    }

    /// One round; where `continue` leads.
    fn round(&mut self, body: &List, next: Option<&Word>, state: State) -> (Vec<Draft>, Option<State>) {
        let id = self.enter(Frame::of(FrameKind::Round));
        let mut steps = Vec::new();
        let end = self.list(body, state, &mut steps);
        let continued = self.leave();
        let mut steps = draft::resolve(steps, id);
        let mut end = self.meet(continued.into_iter().chain(end));
        if let (Some(next), Some(state)) = (next, &mut end) {
            let _ = self.calculate(next, state, &mut steps);
        }
        (steps, end)
    }

    /// The condition cannot be told.
    fn unknown_rounds(
        &mut self,
        condition: &Condition<'_>,
        body: &List,
        next: Option<&Word>,
        entry: State,
        out: &mut Vec<Draft>,
        id: FrameId,
    ) -> Option<State> {
        let mut scratch = Vec::new();
        let unknown = self.ask(condition, entry.clone(), &mut scratch).unknown;
        let unknown =
            unknown.unwrap_or_else(|| Rc::new(self.unknown(Why::Command("the loop".into()), Span::default())));
        self.some_rounds(condition, body, next, entry, out, id, &unknown)
    }

    /// Any number of rounds: what is known in them is what holds in all of them.
    #[expect(clippy::too_many_arguments, reason = "the parts of one loop")]
    fn some_rounds(
        &mut self,
        condition: &Condition<'_>,
        body: &List,
        next: Option<&Word>,
        entry: State,
        out: &mut Vec<Draft>,
        id: FrameId,
        unknown: &Rc<Unknown>,
    ) -> Option<State> {
        let mut known = entry;
        for pass in 1.. {
            let breaks = self.frames.iter().find(|frame| frame.id == id).map_or(0, |frame| frame.states.len());
            let mut before = Vec::new();
            let Decision { yes, no, .. } = super::outcomes::assumed(self.ask(condition, known.clone(), &mut before));
            let mut steps = Vec::new();
            let mut end = None;
            if let Some(Way { steps: more, state }) = yes {
                steps.extend(more);
                let (round, state) = self.round(body, next, state);
                steps.extend(round);
                end = state;
            }
            let after = no.map(|way| (way.steps, way.state));
            let again = end.map(|end| known.clone().join(end, unknown));
            let settled = again.as_ref().is_none_or(|again| alike(again, &known));
            if settled || pass == MOST_PASSES || self.is_exhausted(2) {
                // In a condition, a call is made once more than in the body.
                let steps = draft::resolve(steps, id);
                let (left, after) = after.map_or((Vec::new(), None), |(steps, state)| (steps, Some(state)));
                let mut round = before;
                let least = u32::from(!round.is_empty() || !left.is_empty());
                if least > 0 {
                    round.extend(draft::choice(vec![steps, left], unknown.as_ref().clone()));
                } else {
                    round = steps;
                }
                if !round.is_empty() {
                    let least = if is_always(condition) { 1 } else { least };
                    self.push(Draft::Repeat { body: round, least, unknown: unknown.as_ref().clone() }, out);
                }
                // An endless loop is left only by what ends it.
                return after.map(|state| State { status: Status::DONE, ..state });
            }
            if let Some(frame) = self.frames.iter_mut().find(|frame| frame.id == id) {
                frame.states.truncate(breaks);
            }
            known = again.unwrap_or(known);
        }
        None
    }

    /// `for name in words`
    pub(super) fn each(
        &mut self,
        name: &str,
        words: Option<&[Word]>,
        body: &List,
        span: Span,
        mut state: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        let fields = match words {
            Some(words) => self.fields(words, &mut state, out),
            None => self.arguments(&state, false, span),
        };
        let id = self.enter(Frame::of(FrameKind::Loop));
        let mut steps = Vec::new();
        state.status = Status::DONE;
        let unknown = fields.iter().find(|field| field.many).map(|field| match &field.value {
            Value::Unknown(unknown) => Rc::clone(unknown),
            Value::Known(_) => Rc::new(self.unknown(Why::Command("the names of files".into()), field.span)),
        });
        let end = if let Some(unknown) = unknown {
            let least = fields.iter().filter(|field| !field.many).count();
            self.each_unknown(name, body, &unknown, least, state, &mut steps)
        } else if fields.len() > MOST_ROUNDS {
            let why = Why::TooMuch(format!("the loop has more than {MOST_ROUNDS} rounds"));
            let unknown = Rc::new(self.unknown(why, span));
            self.each_unknown(name, body, &unknown, fields.len(), state, &mut steps)
        } else {
            let mut end = Some(state);
            for field in fields {
                let Some(mut state) = end.take() else { break };
                state.set(name, field.value);
                let (round, next) = self.round(body, None, state);
                steps.extend(round);
                end = next;
            }
            end
        };
        let breaks = self.leave();
        out.extend(draft::resolve(steps, id));
        self.meet(breaks.into_iter().chain(end))
    }

    fn each_unknown(
        &mut self,
        name: &str,
        body: &List,
        unknown: &Rc<Unknown>,
        least: usize,
        entry: State,
        out: &mut Vec<Draft>,
    ) -> Option<State> {
        let mut known = entry;
        for pass in 1.. {
            let mut state = known.clone();
            state.set_content(name, Content::One(Value::Unknown(Rc::clone(unknown))));
            let (steps, end) = self.round(body, None, state);
            let again = end.map(|end| known.clone().join(end, unknown));
            if pass == MOST_PASSES || self.is_exhausted(2) || again.as_ref().is_none_or(|again| alike(again, &known)) {
                if !steps.is_empty() {
                    let least = u32::try_from(least).unwrap_or(u32::MAX);
                    self.push(Draft::Repeat { body: steps, least, unknown: unknown.as_ref().clone() }, out);
                }
                return Some(again.unwrap_or(known));
            }
            known = again.unwrap_or(known);
        }
        None
    }
}

/// Whether the same is known.
fn alike(one: &State, other: &State) -> bool {
    one.variables == other.variables
        && one.arguments == other.arguments
        && one.directory == other.directory
        && one.input == other.input
        && one.output == other.output
}

/// `while true`, `while :`
fn is_always(condition: &Condition<'_>) -> bool {
    match condition {
        Condition::Arithmetic(word) => word.pieces.is_empty(),
        Condition::List { until, list } => {
            let [item] = list.0.as_slice() else { return false };
            let [command] = item.first.commands.as_slice() else { return false };
            let Kind::Simple { words, .. } = &command.kind else { return false };
            let [word] = words.as_slice() else { return false };
            let constant: &[&str] = if *until { &["false"] } else { &["true", ":"] };
            item.rest.is_empty() && word.literal().is_some_and(|word| constant.contains(&word))
        }
    }
}

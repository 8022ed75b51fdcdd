//! Plays acts under the rules of a group.
//!
//! Each member runs until it is held up; what is sent and answered wakes others. A member with nothing left to do leaves
//! the group, as in a run. When nobody can go on, [`Play::stuck`] lists who is held up at what, and [`Play::grant`] lets
//! one go on as if it had got what it waits for, so that one play finds every cause.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::Arc;

use convoke_group::{
    Answer, Call as GroupCall, Group, GroupName, Input, MemberName, MessageId, Output, Quiet, RoleName, Tell, Time,
    WaitId,
};
use serde_json::Value;

use crate::judge::lower::{Act, Facts, Unit, plain};

/// A thread of a unit.
pub(crate) type At = (usize, usize);
/// A call of a unit: its number in the program of the unit's class.
pub(crate) type CallAt = (usize, usize);

/// What happened to a call, in the order in which it happened.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) call: CallAt,
    /// What satisfied it; `None` for a call of which nothing more is known.
    pub(crate) by: Option<Arc<[CallAt]>>,
}

/// A play as far as it has come.
pub(crate) struct Play<'a, 'u> {
    units: &'u [Unit<'a>],
    facts: &'u Facts,
    group: Group,
    names: Vec<MemberName>,
    threads: Vec<Vec<State>>,
    ready: VecDeque<At>,
    /// By number; `None` for those of sends.
    waits: Vec<Option<Wait>>,
    /// Every message: whose, and the call that sent it. Values on the board are indices into this.
    said: Vec<(usize, Option<usize>)>,
    first: HashMap<(usize, MessageId), usize>,
    open: Vec<usize>,
    flooded: bool,
    /// The attempts that have failed.
    pub(crate) failed: Vec<CallAt>,
    pub(crate) events: Vec<Event>,
}

/// A call that waits.
#[derive(Clone, Copy, Debug)]
struct Wait {
    at: At,
    /// The number of its act.
    act: usize,
    from: usize,
    binding: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    next: usize,
    doing: Doing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    NotStarted,
    Runs,
    Asks(WaitId),
    Joins,
    /// Stopped for good, at an act that nothing satisfies.
    Stuck,
    Done,
}

impl<'a, 'u> Play<'a, 'u> {
    pub(crate) fn new(units: &'u [Unit<'a>], facts: &'u Facts) -> Self {
        let size = NonZeroUsize::new(units.len()).unwrap_or(NonZeroUsize::MIN);
        let mut group = Group::new(GroupName::new("flow"), size);
        let names: Vec<MemberName> = (0..units.len()).map(|unit| MemberName::new(unit.to_string())).collect();
        for (unit, name) in units.iter().zip(&names) {
            let register = Input::Register { member: name.clone(), role: unit.role.clone() };
            group.apply_telling(register, Time::default(), Tell::Answers);
        }
        let state = |thread: usize| State { next: 0, doing: if thread == 0 { Doing::Runs } else { Doing::NotStarted } };
        Self {
            units,
            facts,
            group,
            names,
            threads: units.iter().map(|unit| (0..unit.threads.len()).map(state).collect()).collect(),
            ready: (0..units.len()).map(|unit| (unit, 0)).collect(),
            waits: Vec::new(),
            said: Vec::new(),
            first: HashMap::new(),
            open: vec![0; units.len()],
            flooded: false,
            failed: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Plays until nobody can go on. Returns whether all came to their ends.
    pub(crate) fn run(&mut self) -> bool {
        while let Some(at) = self.ready.pop_front() {
            self.advance(at);
        }
        self.threads.iter().all(|threads| threads[0].doing == Doing::Done)
    }

    /// The threads that are held up.
    pub(crate) fn stuck(&self) -> Vec<At> {
        let mut stuck = Vec::new();
        for (unit, threads) in self.threads.iter().enumerate() {
            for (thread, state) in threads.iter().enumerate() {
                if matches!(state.doing, Doing::Asks(_) | Doing::Stuck) {
                    stuck.push((unit, thread));
                }
            }
        }
        stuck
    }

    /// The calls at which threads are held up.
    pub(crate) fn held_calls(&self) -> Vec<CallAt> {
        let call = |at: At| match self.ahead(at).first() {
            Some(Act::Ask { from, .. }) => Some((at.0, *from)),
            _ => None,
        };
        self.stuck().into_iter().filter_map(call).collect()
    }

    /// The act at which a thread is, and those after it.
    pub(crate) fn ahead(&self, (unit, thread): At) -> &'u [Act<'a>] {
        &self.units[unit].threads[thread].acts[self.threads[unit][thread].next..]
    }

    /// The calls that wait and are not satisfied.
    pub(crate) fn in_vain(&self) -> Vec<CallAt> {
        let met: std::collections::HashSet<CallAt> = self.events.iter().map(|event| event.call).collect();
        let mut in_vain: Vec<CallAt> =
            self.waits.iter().flatten().map(|wait| (wait.at.0, wait.from)).filter(|call| !met.contains(call)).collect();
        in_vain.dedup();
        in_vain
    }

    /// The number of the act at which a thread is.
    pub(crate) fn position(&self, (unit, thread): At) -> usize {
        self.threads[unit][thread].next
    }

    /// The threads whose being held up keeps this one from going on: itself, what it joins, or what starts it.
    pub(crate) fn holding(&self, (unit, thread): At) -> Vec<At> {
        match self.threads[unit][thread].doing {
            Doing::Asks(_) | Doing::Stuck => vec![(unit, thread)],
            Doing::NotStarted => self.holding((unit, self.units[unit].threads[thread].parent)),
            Doing::Joins => match self.ahead((unit, thread)).first() {
                Some(Act::Join(joined)) => joined.iter().flat_map(|joined| self.holding((unit, *joined))).collect(),
                _ => Vec::new(),
            },
            Doing::Runs | Doing::Done => Vec::new(),
        }
    }

    /// Whether a unit has sent this ID.
    pub(crate) fn has_said(&self, unit: usize, id: &MessageId) -> bool {
        self.first.contains_key(&(unit, id.clone()))
    }

    /// Lets a thread that is held up go on as if it had got what it waits for.
    pub(crate) fn grant(&mut self, (unit, thread): At) {
        let state = &mut self.threads[unit][thread];
        let doing = std::mem::replace(&mut state.doing, Doing::Runs);
        state.next += 1;
        if let Doing::Asks(wait) = doing {
            self.apply(Input::Withdraw { wait });
        }
        self.ready.push_back((unit, thread));
    }

    fn advance(&mut self, (unit, thread): At) {
        if !matches!(self.threads[unit][thread].doing, Doing::Runs | Doing::Joins) {
            return;
        }
        let acts = &self.units[unit].threads[thread].acts;
        while let Some(act) = acts.get(self.threads[unit][thread].next) {
            match act {
                Act::Say { id, from } => {
                    // An arrival is no call of its own. What it satisfies stands behind it.
                    if id.as_str() == plain(id) {
                        self.events.push(Event { call: (unit, *from), by: Some(Arc::default()) });
                    }
                    self.say(unit, id, Some(*from));
                }
                Act::Ask { call, from, binding } => {
                    let (wait, binding) = (WaitId(self.waits.len() as u64), *binding);
                    let act = self.threads[unit][thread].next;
                    self.waits.push(Some(Wait { at: (unit, thread), act, from: *from, binding }));
                    if binding {
                        self.threads[unit][thread].doing = Doing::Asks(wait);
                    } else {
                        self.open[unit] += 1;
                    }
                    self.call(unit, wait, call.clone());
                    if binding {
                        // When it has been answered already, the answer has made the thread ready.
                        return;
                    }
                }
                Act::Flood { prefix, arrives, from, .. } => {
                    let facts = self.facts;
                    for (id, each) in facts.floods(prefix, *arrives) {
                        // One message is enough where nobody asks who sent it.
                        if each || !self.flooded {
                            self.say(unit, id, None);
                        }
                    }
                    self.flooded |= prefix.is_empty();
                    if let Some(from) = from {
                        self.events.push(Event { call: (unit, *from), by: None });
                    }
                }
                Act::Fail { from } => {
                    self.failed.push((unit, *from));
                    self.events.push(Event { call: (unit, *from), by: None });
                }
                Act::Pass { from } => self.events.push(Event { call: (unit, *from), by: None }),
                Act::Halt { .. } => {
                    self.threads[unit][thread].doing = Doing::Stuck;
                    return;
                }
                Act::Fork(started) => {
                    self.threads[unit][*started].doing = Doing::Runs;
                    self.ready.push_back((unit, *started));
                }
                Act::Join(joined) => {
                    if joined.iter().any(|joined| self.threads[unit][*joined].doing != Doing::Done) {
                        self.threads[unit][thread].doing = Doing::Joins;
                        return;
                    }
                    self.threads[unit][thread].doing = Doing::Runs;
                }
            }
            self.threads[unit][thread].next += 1;
        }
        self.threads[unit][thread].doing = Doing::Done;
        if thread == 0 {
            self.leave(unit);
        }
        for joining in 0..self.threads[unit].len() {
            if self.threads[unit][joining].doing == Doing::Joins {
                self.ready.push_back((unit, joining));
            }
        }
    }

    /// One that still looks what becomes of waits that hold nobody up stays: whether it does changes nothing for others.
    fn leave(&mut self, unit: usize) {
        if self.open[unit] == 0 {
            self.apply(Input::Leave { member: self.names[unit].clone(), why: String::new() });
        }
    }

    fn say(&mut self, unit: usize, id: &MessageId, from: Option<usize>) {
        let next = self.said.len();
        let value = *self.first.entry((unit, id.clone())).or_insert(next);
        if value != next {
            // The same again satisfies nothing that the first has not.
            return;
        }
        self.said.push((unit, from));
        let wait = WaitId(self.waits.len() as u64);
        self.waits.push(None);
        self.call(unit, wait, GroupCall::Send { message_id: id.clone(), message: value.into() });
    }

    fn call(&mut self, unit: usize, wait: WaitId, call: GroupCall) {
        let member = self.names[unit].clone();
        self.apply(Input::Call { wait, member, call, deadline: None, quiet: Quiet::Unknown });
    }

    fn apply(&mut self, input: Input) {
        let outputs = self.group.apply_telling(input, Time::default(), Tell::Answers);
        let mut answered = Vec::new();
        for output in outputs {
            let Output::Answer { wait, answer, .. } = output else { continue };
            let wait = usize::try_from(wait.0).ok().and_then(|wait| *self.waits.get(wait)?);
            let Some(wait) = wait else { continue };
            match answer {
                Answer::Done { messages } => answered.push((wait, messages)),
                Answer::Refused { .. } if wait.binding => self.threads[wait.at.0][wait.at.1].doing = Doing::Stuck,
                Answer::Refused { .. } => {}
            }
        }
        // What is answered at once to calls that ask for the same has one cause.
        let syncs = answered.iter().filter(|(wait, _)| matches!(self.asked(wait), Some(GroupCall::Sync { .. })));
        let round: Arc<[CallAt]> = syncs.map(|(wait, _)| (wait.at.0, wait.from)).collect();
        let mut last: Option<(&GroupCall, Arc<[CallAt]>)> = None;
        for (wait, messages) in answered {
            let by = match (self.asked(&wait), &last) {
                (Some(GroupCall::Sync { .. }), _) => round.clone(),
                (Some(call), Some((known, by))) if call == *known => by.clone(),
                (Some(call @ GroupCall::Wait { .. }), _) => {
                    last.insert((call, self.senders(&messages[..1], None).into())).1.clone()
                }
                (Some(call @ GroupCall::WaitAll { role, .. }), _) => {
                    last.insert((call, self.senders(&messages, role.as_ref()).into())).1.clone()
                }
                _ => Arc::default(),
            };
            let (unit, thread) = wait.at;
            self.events.push(Event { call: (unit, wait.from), by: Some(by) });
            if wait.binding {
                let state = &mut self.threads[unit][thread];
                state.doing = Doing::Runs;
                state.next += 1;
                self.ready.push_back(wait.at);
            } else {
                self.open[unit] -= 1;
                if self.threads[unit][0].doing == Doing::Done {
                    self.leave(unit);
                }
            }
        }
    }

    fn asked(&self, wait: &Wait) -> Option<&'u GroupCall> {
        match &self.units[wait.at.0].threads[wait.at.1].acts[wait.act] {
            Act::Ask { call, .. } => Some(call),
            _ => None,
        }
    }

    /// The calls that sent these messages, of those of one role when given.
    fn senders(&self, messages: &[(MemberName, Value)], role: Option<&RoleName>) -> Vec<CallAt> {
        let said = |value: &Value| value.as_u64().and_then(|said| self.said.get(usize::try_from(said).ok()?)).copied();
        let said = messages.iter().filter_map(|(_, value)| said(value));
        let said = said.filter(|(unit, _)| role.is_none_or(|role| self.units[*unit].role == *role));
        said.filter_map(|(unit, from)| Some((unit, from?))).collect()
    }
}

//! Devices with scripts, and the rules of a group told a second time, as plainly as possible.
//!
//! A [`World`] holds what is true: which processes live on which device, what was sent, who arrived where. It knows
//! nothing of `convoke_group`: whether a call is satisfied is computed from scratch, and no call is ever refused before
//! its limit. Driving a `Group` beside it shows whether the two agree; exploring it alone shows what could have been.

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;

/// A message ID or role of the model.
pub(crate) type Id = u8;

/// A call that waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Ask {
    Wait(Id),
    WaitAll(Id),
    WaitRole(Id, Id),
    Sync(Id),
}

/// One step of a script.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Send(Id),
    /// `ask || { otherwise; }`. A modest device never says that it is quiet.
    Ask {
        ask: Ask,
        limit: Option<u64>,
        modest: bool,
        otherwise: Vec<Step>,
    },
    /// The dispatcher gives the call up after a while.
    Cut {
        ask: Ask,
        after: u64,
    },
    /// `timeout AFTER ask`: the caller is killed, and nobody tells the group.
    Kill {
        ask: Ask,
        after: u64,
    },
    Sleep(u64),
    /// `( … ) &`
    Fork(Vec<Step>),
    /// The device is lost.
    Vanish,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Open {
    pub(crate) wait: u64,
    pub(crate) ask: Ask,
    pub(crate) quiet: bool,
    deadline: Option<u64>,
    round: u32,
    cut: Option<u64>,
    kill: Option<u64>,
    otherwise: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    Unregistered,
    Ready,
    Asleep(u64),
    Waiting(Open),
    /// Its dispatcher is about to give the call up.
    Cutting(Open),
    /// A call whose caller was killed.
    Ghost(Open),
    Over,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Process {
    member: usize,
    /// What is left, next step last.
    todo: Vec<Step>,
    state: State,
    /// The same in every order of events, as are the numbers of calls made from it.
    key: u64,
    calls: u64,
    forks: u64,
}

/// What a step says to the group.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Nothing,
    Register(usize),
    Send { wait: u64, member: usize, id: Id },
    Call { wait: u64, member: usize, ask: Ask, deadline: Option<u64>, quiet: bool },
    Withdraw(u64),
    Leave(usize),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) now: u64,
    size: usize,
    pub(crate) roles: Vec<Id>,
    registered: Vec<bool>,
    pub(crate) left: Vec<bool>,
    /// Members that ever had a killed caller.
    haunted: Vec<bool>,
    processes: Vec<Process>,
    /// Senders of an ID, first send first.
    pub(crate) sent: BTreeMap<Id, Vec<usize>>,
    /// The highest round of an ID a member has arrived at, and was answered for.
    arrived: BTreeMap<(Id, usize), u32>,
    answered: BTreeMap<(Id, usize), u32>,
}

impl World {
    /// One member for every script, in a group that has `absent` members more.
    pub(crate) fn new(scripts: &[(Id, Vec<Step>)], absent: usize) -> Self {
        let processes = scripts.iter().enumerate().map(|(member, (_, script))| Process {
            member,
            todo: script.iter().rev().cloned().collect(),
            state: State::Unregistered,
            key: member as u64 + 1,
            calls: 0,
            forks: 0,
        });
        let members = scripts.len();
        Self {
            now: 0,
            size: members + absent,
            roles: scripts.iter().map(|(role, _)| *role).collect(),
            registered: vec![false; members],
            left: vec![false; members],
            haunted: vec![false; members],
            processes: processes.collect(),
            sent: BTreeMap::new(),
            arrived: BTreeMap::new(),
            answered: BTreeMap::new(),
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn is_full(&self) -> bool {
        self.registered.iter().filter(|there| **there).count() == self.size
    }

    /// The processes that can take a step now.
    pub(crate) fn ready(&self) -> Vec<usize> {
        let can = |state: &State| matches!(state, State::Unregistered | State::Ready | State::Cutting(_));
        (0..self.processes.len()).filter(|index| can(&self.processes[*index].state)).collect()
    }

    /// Every call that has not been answered, with its member.
    pub(crate) fn open(&self) -> impl Iterator<Item = (usize, &Open)> {
        self.processes.iter().filter_map(|process| match &process.state {
            State::Waiting(open) | State::Cutting(open) | State::Ghost(open) => Some((process.member, open)),
            _ => None,
        })
    }

    /// Lets one process take a step. The facts it makes are in the world afterwards; nobody is woken yet.
    pub(crate) fn step(&mut self, index: usize) -> Act {
        let member = self.processes[index].member;
        let state = std::mem::replace(&mut self.processes[index].state, State::Ready);
        match state {
            State::Unregistered => {
                self.registered[member] = true;
                return Act::Register(member);
            }
            State::Cutting(open) => return Act::Withdraw(open.wait),
            _ => {}
        }
        let wait = self.processes[index].key * 1000 + self.processes[index].calls;
        let Some(step) = self.processes[index].todo.pop() else {
            self.processes[index].state = State::Over;
            let over = |p: &Process| p.member != member || matches!(p.state, State::Over | State::Ghost(_));
            return if self.processes.iter().all(over) { self.leave(member) } else { Act::Nothing };
        };
        match step {
            Step::Send(id) => {
                self.processes[index].calls += 1;
                let senders = self.sent.entry(id).or_default();
                if !senders.contains(&member) {
                    senders.push(member);
                }
                Act::Send { wait, member, id }
            }
            Step::Ask { ask, limit, modest, otherwise } => {
                let alone = |p: (usize, &Process)| {
                    p.0 == index || p.1.member != member || matches!(p.1.state, State::Over | State::Ghost(_))
                };
                let quiet = !modest && self.processes.iter().enumerate().all(alone);
                let open = Open {
                    quiet,
                    deadline: limit.map(|limit| self.now + limit),
                    otherwise,
                    ..self.opened(wait, member, ask)
                };
                self.call(index, open)
            }
            Step::Cut { ask, after } => {
                let open = Open { cut: Some(self.now + after), ..self.opened(wait, member, ask) };
                self.call(index, open)
            }
            Step::Kill { ask, after } => {
                self.haunted[member] = true;
                let deadline = Some(self.now + after + 5);
                let open = Open { kill: Some(self.now + after), deadline, ..self.opened(wait, member, ask) };
                self.call(index, open)
            }
            Step::Sleep(seconds) => {
                self.processes[index].state = State::Asleep(self.now + seconds);
                Act::Nothing
            }
            Step::Fork(script) => {
                let todo = script.into_iter().rev().collect();
                self.processes[index].forks += 1;
                let key = self.processes[index].key * 10 + self.processes[index].forks;
                self.processes.push(Process { member, todo, state: State::Ready, key, calls: 0, forks: 0 });
                Act::Nothing
            }
            Step::Vanish => self.leave(member),
        }
    }

    fn opened(&self, wait: u64, member: usize, ask: Ask) -> Open {
        let round = match &ask {
            Ask::Sync(id) => self.answered.get(&(*id, member)).copied().unwrap_or(0) + 1,
            _ => 0,
        };
        Open { wait, ask, quiet: false, deadline: None, round, cut: None, kill: None, otherwise: Vec::new() }
    }

    fn call(&mut self, index: usize, open: Open) -> Act {
        let member = self.processes[index].member;
        self.processes[index].calls += 1;
        if let Ask::Sync(id) = open.ask {
            let arrived = self.arrived.entry((id, member)).or_default();
            *arrived = open.round.max(*arrived);
        }
        let (wait, ask, deadline, quiet) = (open.wait, open.ask.clone(), open.deadline, open.quiet);
        self.processes[index].state = State::Waiting(open);
        Act::Call { wait, member, ask, deadline, quiet }
    }

    fn leave(&mut self, member: usize) -> Act {
        self.left[member] = true;
        for process in self.processes.iter_mut().filter(|process| process.member == member) {
            process.state = State::Over;
        }
        Act::Leave(member)
    }

    /// Moves the clock to the next moment at which anything is due, and returns the calls whose limit has passed.
    /// `None` when nothing will ever be due.
    pub(crate) fn advance(&mut self) -> Option<Vec<u64>> {
        let due = |process: &Process| match &process.state {
            State::Asleep(until) => Some(*until),
            State::Waiting(open) | State::Cutting(open) | State::Ghost(open) => {
                [open.deadline, open.cut, open.kill].into_iter().flatten().min()
            }
            _ => None,
        };
        self.now = self.processes.iter().filter_map(due).min()?.max(self.now);
        let now = self.now;
        let past = |at: Option<u64>| at.is_some_and(|at| at <= now);
        let expired = self.open().filter(|(_, open)| past(open.deadline)).map(|(_, open)| open.wait).collect();
        let mut ghosts = Vec::new();
        for process in &mut self.processes {
            match &mut process.state {
                State::Asleep(until) if *until <= now => process.state = State::Ready,
                State::Waiting(open) if past(open.cut) => process.state = State::Cutting(open.clone()),
                State::Waiting(open) if past(open.kill) => {
                    let open = Open { kill: None, ..open.clone() };
                    let (member, todo) = (process.member, Vec::new());
                    ghosts.push(Process { member, todo, state: State::Ghost(open), key: 0, calls: 0, forks: 0 });
                    process.state = State::Ready;
                }
                _ => {}
            }
        }
        self.processes.append(&mut ghosts);
        Some(expired)
    }

    /// A call is answered. Returns whether it was open.
    pub(crate) fn answer(&mut self, wait: u64, satisfied: bool) -> bool {
        let found = self.processes.iter_mut().find(|process| match &process.state {
            State::Waiting(open) | State::Cutting(open) | State::Ghost(open) => open.wait == wait,
            _ => false,
        });
        let Some(process) = found else { return false };
        match std::mem::replace(&mut process.state, State::Over) {
            State::Waiting(open) | State::Cutting(open) => {
                process.state = State::Ready;
                if !satisfied {
                    process.todo.extend(open.otherwise.into_iter().rev());
                } else if let Ask::Sync(id) = open.ask {
                    self.answered.insert((id, process.member), open.round);
                }
            }
            State::Ghost(Open { ask: Ask::Sync(id), round, .. }) if satisfied => {
                self.answered.insert((id, process.member), round);
            }
            _ => {}
        }
        true
    }

    /// Whether what a call waits for is there, from scratch.
    pub(crate) fn is_satisfied(&self, open: &Open) -> bool {
        let everybody = |did: &dyn Fn(usize) -> bool| (0..self.roles.len()).filter(|m| did(*m)).count() == self.size;
        match &open.ask {
            Ask::Wait(id) => self.sent.contains_key(id),
            Ask::WaitAll(id) => everybody(&|member| self.has_sent(*id, member)),
            Ask::WaitRole(id, role) => {
                let mut having = (0..self.roles.len()).filter(|member| self.roles[*member] == *role).peekable();
                self.is_full() && having.peek().is_some() && having.all(|member| self.has_sent(*id, member))
            }
            Ask::Sync(id) => everybody(&|member| self.has_arrived(*id, member, open.round)),
        }
    }

    /// Whether a member that is needed has left, or the role does not exist.
    pub(crate) fn is_lost(&self, open: &Open) -> bool {
        (0..self.roles.len()).any(|member| {
            self.left[member]
                && match &open.ask {
                    Ask::Wait(_) => false,
                    Ask::WaitAll(id) => !self.has_sent(*id, member),
                    Ask::WaitRole(id, role) => self.roles[member] == *role && !self.has_sent(*id, member),
                    Ask::Sync(id) => !self.has_arrived(*id, member, open.round),
                }
        }) || matches!(&open.ask, Ask::WaitRole(_, role) if self.is_full() && !self.roles.contains(role))
    }

    fn has_sent(&self, id: Id, member: usize) -> bool {
        self.sent.get(&id).is_some_and(|senders| senders.contains(&member))
    }

    fn has_arrived(&self, id: Id, member: usize, round: u32) -> bool {
        self.arrived.get(&(id, member)).is_some_and(|arrived| *arrived >= round)
    }

    /// The calls that are satisfied and not answered.
    pub(crate) fn satisfied(&self) -> Vec<u64> {
        self.open().filter(|(_, open)| self.is_satisfied(open)).map(|(_, open)| open.wait).collect()
    }

    fn live(&self) -> impl Iterator<Item = usize> {
        (0..self.left.len()).filter(|member| !self.left[*member])
    }

    /// Whether the group is full and every member that has not left waits.
    pub(crate) fn all_wait(&self) -> bool {
        let waits = |member| self.open().any(|(waiter, _)| waiter == member);
        self.is_full() && self.live().next().is_some() && self.live().all(waits)
    }

    /// Whether every member that has not left waits in one call, and has said that nothing else of it is alive.
    pub(crate) fn all_certain(&self) -> bool {
        let certain = |member: usize| {
            let mut calls = self.open().filter(|(waiter, _)| *waiter == member);
            calls.next().is_some_and(|(_, open)| open.quiet) && calls.next().is_none() && !self.haunted[member]
        };
        self.all_wait() && self.live().all(certain)
    }

    /// Whether the call `wait` could still be satisfied if nobody were ever refused anything before its limit: looks at
    /// everything that can happen from here, in every order.
    pub(crate) fn could_be_satisfied(&self, wait: u64) -> bool {
        let mut seen = HashSet::new();
        let mut todo = vec![self.clone()];
        while let Some(mut world) = todo.pop() {
            let satisfied = world.satisfied();
            if satisfied.contains(&wait) {
                return true;
            }
            for other in satisfied {
                world.answer(other, true);
            }
            if !world.open().any(|(_, open)| open.wait == wait) || !seen.insert(world.clone()) {
                continue;
            }
            let ready = world.ready();
            for index in &ready {
                let mut next = world.clone();
                next.step(*index);
                todo.push(next);
            }
            if ready.is_empty()
                && let Some(expired) = world.advance()
            {
                for other in expired {
                    world.answer(other, false);
                }
                todo.push(world);
            }
        }
        false
    }
}

/// The IDs of random scripts.
const IDS: std::ops::Range<Id> = 0..2;

pub(crate) fn any_ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        3 => IDS.prop_map(Ask::Wait),
        1 => IDS.prop_map(Ask::WaitAll),
        1 => (IDS, 0u8..3).prop_map(|(id, role)| Ask::WaitRole(id, role)),
        2 => IDS.prop_map(Ask::Sync),
    ]
}

/// Any step; `otherwise` and background scripts are short ones of sends, sleeps and calls.
fn any_step() -> impl Strategy<Value = Step> {
    let limit = prop_oneof![4 => (1u64..12).prop_map(Some), 1 => Just(None)];
    let plain = (any_ask(), limit.clone(), any::<bool>()).prop_map(|(ask, limit, modest)| Step::Ask {
        ask,
        limit,
        modest,
        otherwise: Vec::new(),
    });
    let small = prop_oneof![3 => IDS.prop_map(Step::Send), 1 => (1u64..12).prop_map(Step::Sleep), 1 => plain];
    let few = proptest::collection::vec(small, 0..3);
    prop_oneof![
        8 => (any_ask(), limit, proptest::bool::weighted(0.15), few.clone())
            .prop_map(|(ask, limit, modest, otherwise)| Step::Ask { ask, limit, modest, otherwise }),
        4 => IDS.prop_map(Step::Send),
        1 => (any_ask(), 1u64..12).prop_map(|(ask, after)| Step::Cut { ask, after }),
        1 => (any_ask(), 1u64..12).prop_map(|(ask, after)| Step::Kill { ask, after }),
        1 => (1u64..12).prop_map(Step::Sleep),
        1 => few.prop_map(Step::Fork),
        1 => Just(Step::Vanish),
    ]
}

/// Scripts with roles, for two or three members.
pub(crate) fn any_scripts() -> impl Strategy<Value = Vec<(Id, Vec<Step>)>> {
    proptest::collection::vec((0u8..2, proptest::collection::vec(any_step(), 0..4)), 2..4)
}

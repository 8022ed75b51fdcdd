//! A group driven beside a [`World`]: after every input the two have to agree.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::time::Duration;

use convoke_group::{
    Answer, Call, Group, GroupName, Input, MemberName, MessageId, Messages, Output, Quiet, Refusal, RoleName, Tell,
    Time, WaitId,
};
use serde_json::json;

use crate::world::{Act, Ask, Id, World};

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Done,
    TimedOut,
    /// Refused before its limit.
    Early,
}

#[derive(Clone)]
pub(crate) struct Beside {
    pub(crate) world: World,
    pub(crate) group: Group,
    pub(crate) log: Vec<(Input, Time, Vec<Output>)>,
    /// The fate of every answered call of a living member.
    pub(crate) fates: Vec<(u64, Fate)>,
    /// Whether early refusals are looked into by exploring every future; dear.
    foresee: bool,
    said: Option<Vec<(MemberName, String)>>,
    /// Who is missing in each call, as last told.
    told: BTreeMap<u64, (Vec<MemberName>, usize)>,
}

fn id(id: Id) -> MessageId {
    MessageId::new(format!("id-{id}"))
}

fn role(role: Id) -> RoleName {
    RoleName::new(format!("role-{role}"))
}

fn name(member: usize) -> MemberName {
    MemberName::new(format!("m{member}"))
}

fn time(seconds: u64) -> Time {
    Time(Duration::from_secs(seconds))
}

fn call(ask: &Ask) -> Call {
    match ask {
        Ask::Wait(x) => Call::Wait { message_id: id(*x) },
        Ask::WaitAll(x) => Call::WaitAll { message_id: id(*x), role: None },
        Ask::WaitRole(x, r) => Call::WaitAll { message_id: id(*x), role: Some(role(*r)) },
        Ask::Sync(x) => Call::Sync { message_id: id(*x) },
    }
}

impl Beside {
    pub(crate) fn new(world: World, foresee: bool) -> Self {
        let size = NonZeroUsize::new(world.size()).unwrap();
        let group = Group::new(GroupName::new("g"), size);
        Self { world, group, log: Vec::new(), fates: Vec::new(), foresee, said: None, told: BTreeMap::new() }
    }

    /// Lets one process take a step, and the group hear of it.
    pub(crate) fn step(&mut self, index: usize) {
        let input = match self.world.step(index) {
            Act::Nothing => return,
            Act::Register(member) => Input::Register { member: name(member), role: role(self.world.roles[member]) },
            Act::Send { wait, member, id: x } => {
                let call = Call::Send { message_id: id(x), message: json!({"from": member}) };
                let (wait, member) = (WaitId(wait), name(member));
                Input::Call { wait, member, call, deadline: None, quiet: Quiet::Unknown }
            }
            Act::Call { wait, member, ask, deadline, quiet } => Input::Call {
                wait: WaitId(wait),
                member: name(member),
                call: call(&ask),
                deadline: deadline.map(time),
                quiet: if quiet { Quiet::Certain } else { Quiet::Unknown },
            },
            Act::Withdraw(wait) => Input::Withdraw { wait: WaitId(wait) },
            Act::Leave(member) => Input::Leave { member: name(member), why: String::new() },
        };
        self.apply(input, &[]);
    }

    /// Moves the clock to the next moment at which anything is due; false when nothing is.
    pub(crate) fn advance(&mut self) -> bool {
        let Some(expired) = self.world.advance() else { return false };
        self.apply(Input::Tick, &expired);
        true
    }

    fn apply(&mut self, input: Input, expired: &[u64]) {
        let now = time(self.world.now);
        let outputs = self.group.apply(input.clone(), now);
        let mut before = self.world.clone();
        for wait in expired {
            before.answer(*wait, false);
        }
        let satisfied: BTreeSet<u64> = before.satisfied().into_iter().collect();
        let sent = if let Input::Call { wait, call: Call::Send { .. }, .. } = &input { Some(wait.0) } else { None };
        let left = if let Input::Leave { member, .. } = &input { Some(member.clone()) } else { None };
        self.log.push((input, now, outputs.clone()));

        let (mut woken, mut timed_out, mut said) = (BTreeSet::new(), BTreeSet::new(), false);
        let mut answered = BTreeSet::new();
        for output in outputs {
            match output {
                Output::Answer { wait: WaitId(wait), member, answer } => {
                    assert!(answered.insert(wait), "{wait} is answered twice");
                    if sent == Some(wait) {
                        assert_eq!(answer, Answer::Done { messages: Messages::new() });
                    } else if left.as_ref() == Some(&member) {
                        let Answer::Refused { refusal: Refusal::Invalid { .. } } = answer else { panic!("{answer:?}") };
                    } else {
                        self.answered(wait, answer, &before, &mut woken, &mut timed_out);
                    }
                }
                Output::Waiting { waits, missing, unregistered } => {
                    for WaitId(wait) in waits {
                        let news = (missing.clone(), unregistered);
                        assert_ne!(self.told.get(&wait), Some(&news), "said again");
                        self.told.insert(wait, news);
                    }
                }
                Output::ProbablyStuck { .. } => said = true,
            }
        }
        assert_eq!(woken, satisfied, "those who are satisfied are woken, and nobody else");
        assert_eq!(timed_out, expired.iter().copied().collect(), "limits pass when they pass");
        self.nothing_is_overlooked(said, !woken.is_empty() || sent.is_some());
    }

    fn answered(
        &mut self,
        wait: u64,
        answer: Answer,
        before: &World,
        woken: &mut BTreeSet<u64>,
        timed_out: &mut BTreeSet<u64>,
    ) {
        let ask = self.world.open().find(|(_, open)| open.wait == wait).map(|(_, open)| open.ask.clone());
        let ask = ask.expect("only what is open is answered");
        let fate = match answer {
            Answer::Done { messages } => {
                woken.insert(wait);
                let senders = match ask {
                    Ask::Sync(_) => None,
                    Ask::Wait(x) | Ask::WaitAll(x) | Ask::WaitRole(x, _) => self.world.sent.get(&x),
                };
                let expected = senders.into_iter().flatten().map(|member| (name(*member), json!({"from": member})));
                assert_eq!(messages, expected.collect::<Messages>(), "all that was sent, first sender first");
                Fate::Done
            }
            Answer::Refused { refusal: Refusal::TimedOut { .. } } => {
                timed_out.insert(wait);
                Fate::TimedOut
            }
            Answer::Refused { refusal } => {
                if self.foresee {
                    assert!(!before.could_be_satisfied(wait), "this could have gone on: {refusal}");
                }
                Fate::Early
            }
        };
        assert!(self.world.answer(wait, fate == Fate::Done));
        self.fates.push((wait, fate));
    }

    /// What is lost or stuck for certain is refused, and what is probably stuck is said once.
    fn nothing_is_overlooked(&mut self, said: bool, progress: bool) {
        let parked: BTreeSet<u64> = self.group.waits().iter().map(|view| view.wait.0).collect();
        let open: BTreeSet<u64> = self.world.open().map(|(_, open)| open.wait).collect();
        assert_eq!(parked, open, "a call is parked until it is answered or withdrawn");
        for view in self.group.waits() {
            let told = self.told.get(&view.wait.0);
            assert_eq!(told, Some(&(view.missing, view.unregistered)), "who is missing is told as it changes");
        }
        for (_, open) in self.world.open() {
            assert!(!self.world.is_lost(open), "nobody it needs can come: {open:?}");
        }
        assert!(!self.world.all_certain(), "everybody waits, for certain");
        if progress {
            self.said = None;
        }
        if self.world.all_wait() {
            let views = self.group.waits();
            let state =
                views.iter().map(|v| (v.member.clone(), format!("{:?} {} {:?}", v.kind, v.message_id, v.wait_role)));
            let state: Vec<_> = state.collect();
            assert_eq!(said, self.said.as_ref() != Some(&state), "a probably stuck group is said once");
            self.said = Some(state);
        } else {
            assert!(!said, "not everybody waits");
        }
    }

    /// Applies the log to a new group.
    pub(crate) fn replays(&self) {
        let mut group = Group::new(GroupName::new("g"), NonZeroUsize::new(self.world.size()).unwrap());
        for (input, now, outputs) in &self.log {
            assert_eq!(&group.apply(input.clone(), *now), outputs);
        }
        assert_eq!(group, self.group);
        self.answers_are_the_same(Tell::Answers);
        self.answers_are_the_same(Tell::Poll);
    }

    /// What a driver wants to be told changes nothing but what it is told.
    fn answers_are_the_same(&self, tell: Tell) {
        let mut group = Group::new(GroupName::new("g"), NonZeroUsize::new(self.world.size()).unwrap());
        for (input, now, outputs) in &self.log {
            let told = group.apply_telling(input.clone(), *now, tell);
            let answers = outputs.iter().filter(|output| !matches!(output, Output::Waiting { .. }));
            let nameless = |output: &Output| match output {
                Output::Answer { wait, member, answer: Answer::Refused { refusal: Refusal::TimedOut { .. } } }
                    if tell == Tell::Poll =>
                {
                    format!("{wait:?} of {member} timed out")
                }
                output => format!("{output:?}"),
            };
            let answers: Vec<String> = answers.map(nameless).collect();
            assert_eq!(told.iter().map(nameless).collect::<Vec<_>>(), answers, "{tell:?}");
        }
        assert_eq!(group.waits(), self.group.waits());
    }
}

//! A group with short words: `stage.wait("a", "x")` makes a call, `stage.answer(call)` looks what became of it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use convoke_group::{
    Answer, Call, Group, GroupName, Input, MemberName, MessageId, Messages, Output, Quiet, Refusal, RoleName, Time,
    WaitId,
};
use serde_json::{Value, json};

/// A moment, in seconds.
pub(crate) fn at(seconds: u64) -> Time {
    Time(Duration::from_secs(seconds))
}

pub(crate) fn id(text: &str) -> MessageId {
    MessageId::new(text)
}

pub(crate) fn name(text: &str) -> MemberName {
    MemberName::new(text)
}

pub(crate) fn names(texts: &[&str]) -> Vec<MemberName> {
    texts.iter().copied().map(MemberName::new).collect()
}

/// A driver of one group, with a log of everything.
pub(crate) struct Stage {
    pub(crate) group: Group,
    pub(crate) now: Time,
    pub(crate) log: Vec<(Input, Time, Vec<Output>)>,
    /// How the next calls are made.
    pub(crate) quiet: Quiet,
    pub(crate) limit: Option<u64>,
    next: u64,
    answers: BTreeMap<WaitId, Answer>,
}

impl Stage {
    /// A group for `members`, given as `name/role`, none registered yet.
    pub(crate) fn empty(size: usize) -> Self {
        Self {
            group: Group::new(GroupName::new("g"), NonZeroUsize::new(size).unwrap()),
            now: at(0),
            log: Vec::new(),
            quiet: Quiet::Unknown,
            limit: None,
            next: 1,
            answers: BTreeMap::new(),
        }
    }

    /// A full group of `name/role` members; without a role it is `peer`.
    pub(crate) fn of(members: &[&str]) -> Self {
        let mut stage = Self::empty(members.len());
        for member in members {
            stage.join(member);
        }
        stage
    }

    pub(crate) fn join(&mut self, member: &str) -> Vec<Output> {
        let (member, role) = member.split_once('/').unwrap_or((member, "peer"));
        self.apply(Input::Register { member: name(member), role: RoleName::new(role) })
    }

    pub(crate) fn apply(&mut self, input: Input) -> Vec<Output> {
        let outputs = self.group.apply(input.clone(), self.now);
        for output in &outputs {
            if let Output::Answer { wait, answer, .. } = output {
                assert!(self.answers.insert(*wait, answer.clone()).is_none(), "{wait:?} is answered twice");
            }
        }
        self.log.push((input, self.now, outputs.clone()));
        outputs
    }

    pub(crate) fn call(&mut self, member: &str, call: Call) -> WaitId {
        let wait = WaitId(self.next);
        self.next += 1;
        let deadline = self.limit.map(|limit| Time(self.now.0 + Duration::from_secs(limit)));
        self.apply(Input::Call { wait, member: name(member), call, deadline, quiet: self.quiet });
        wait
    }

    /// `lava-send` with a value; it is accepted.
    #[track_caller]
    pub(crate) fn send_value(&mut self, member: &str, message: &str, value: Value) {
        let wait = self.call(member, Call::Send { message_id: id(message), message: value });
        assert_eq!(self.answers[&wait], Answer::Done { messages: Messages::new() });
    }

    #[track_caller]
    pub(crate) fn send(&mut self, member: &str, message: &str) {
        self.send_value(member, message, json!({}));
    }

    pub(crate) fn wait(&mut self, member: &str, message: &str) -> WaitId {
        self.call(member, Call::Wait { message_id: id(message) })
    }

    pub(crate) fn wait_all(&mut self, member: &str, message: &str) -> WaitId {
        self.call(member, Call::WaitAll { message_id: id(message), role: None })
    }

    pub(crate) fn wait_role(&mut self, member: &str, message: &str, role: &str) -> WaitId {
        self.call(member, Call::WaitAll { message_id: id(message), role: Some(RoleName::new(role)) })
    }

    pub(crate) fn sync(&mut self, member: &str, message: &str) -> WaitId {
        self.call(member, Call::Sync { message_id: id(message) })
    }

    pub(crate) fn assemble(&mut self, member: &str) -> WaitId {
        self.call(member, Call::Assemble)
    }

    pub(crate) fn withdraw(&mut self, wait: WaitId) -> Vec<Output> {
        self.apply(Input::Withdraw { wait })
    }

    pub(crate) fn leave(&mut self, member: &str) -> Vec<Output> {
        self.apply(Input::Leave { member: name(member), why: "its job ended".to_owned() })
    }

    /// The clock moves to `seconds`, and the group is told.
    pub(crate) fn tick(&mut self, seconds: u64) -> Vec<Output> {
        self.now = at(seconds);
        self.apply(Input::Tick)
    }

    /// Makes calls of devices on which nothing else is alive.
    pub(crate) fn certain(mut self) -> Self {
        self.quiet = Quiet::Certain;
        self
    }

    /// Makes calls with a limit in seconds.
    pub(crate) fn limit(&mut self, seconds: u64) -> &mut Self {
        self.limit = Some(seconds);
        self
    }

    pub(crate) fn answer(&self, wait: WaitId) -> Option<&Answer> {
        self.answers.get(&wait)
    }

    #[track_caller]
    pub(crate) fn is_parked(&self, wait: WaitId) {
        assert_eq!(self.answer(wait), None);
        assert!(self.group.waits().iter().any(|view| view.wait == wait), "neither answered nor parked");
    }

    #[track_caller]
    pub(crate) fn is_done(&self, wait: WaitId) {
        match self.answer(wait) {
            Some(Answer::Done { .. }) => {}
            other => panic!("not satisfied: {other:?}"),
        }
    }

    /// The messages of a satisfied wait, as compact JSON: `[["a",{}]]`.
    #[track_caller]
    pub(crate) fn data(&self, wait: WaitId) -> String {
        match self.answer(wait) {
            Some(Answer::Done { messages }) => serde_json::to_string(messages).unwrap(),
            other => panic!("not satisfied: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn refusal(&self, wait: WaitId) -> &Refusal {
        match self.answer(wait) {
            Some(Answer::Refused { refusal }) => refusal,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// Who is missing for a parked call.
    #[track_caller]
    pub(crate) fn missing(&self, wait: WaitId) -> Vec<MemberName> {
        let waits = self.group.waits();
        waits.iter().find(|view| view.wait == wait).expect("parked").missing.clone()
    }
}

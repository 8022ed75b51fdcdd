//! What each member that is held up lacks: something that cannot come, or something that another is kept from doing.

use std::collections::HashMap;

use convoke_group::{Call as GroupCall, MessageId};

use crate::judge::lower::{Act, Unit, plain};
use crate::judge::play::{At, CallAt, Play};
use crate::model::Unknown;

/// Why a thread is held up.
#[derive(Debug)]
pub(crate) enum Held<'a> {
    /// By something that no other member is kept from doing.
    Hard(Hard<'a>),
    /// By others that are held up themselves.
    Behind(Vec<Edge>),
}

/// What cannot come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hard<'a> {
    /// Nobody sends it any more.
    Nobody,
    /// These units do not send it, or do not arrive.
    Lacking(Vec<usize>),
    /// Only the waiter itself does, by this call, and later.
    OwnLater(usize),
    /// No such role.
    NoRole,
    /// It is not known what happens here.
    Halt(Option<&'a Unknown>),
}

/// One of those that could help.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    /// Who is held up before it.
    pub(crate) to: At,
    /// The call that would help, when it is one.
    pub(crate) needs: (usize, Option<usize>),
}

/// What is still ahead of members.
#[derive(Default)]
struct Ahead<'u> {
    says: HashMap<&'u MessageId, Vec<Ahead1>>,
    syncs: HashMap<&'u MessageId, Vec<Ahead1>>,
    floods: Vec<(Ahead1, &'u str, bool)>,
}

#[derive(Clone, Copy)]
struct Ahead1 {
    at: At,
    from: Option<usize>,
}

impl<'u> Ahead<'u> {
    fn of(play: &Play<'_, 'u>, units: &'u [Unit<'_>]) -> Self {
        let mut ahead = Self::default();
        for (unit, threads) in units.iter().enumerate() {
            for thread in 0..threads.threads.len() {
                let at = (unit, thread);
                for act in play.ahead(at) {
                    match act {
                        Act::Say { id, from } => {
                            ahead.says.entry(id).or_default().push(Ahead1 { at, from: Some(*from) });
                        }
                        Act::Ask { call: GroupCall::Sync { message_id }, from, .. } => {
                            ahead.syncs.entry(message_id).or_default().push(Ahead1 { at, from: Some(*from) });
                        }
                        Act::Flood { prefix, arrives, .. } => {
                            ahead.floods.push((Ahead1 { at, from: None }, prefix, *arrives));
                        }
                        _ => {}
                    }
                }
            }
        }
        ahead
    }

    fn sends(&self, id: &MessageId) -> impl Iterator<Item = Ahead1> {
        let name = plain(id);
        let arrival = name.len() != id.as_str().len();
        let says = self.says.get(id).into_iter().flatten().copied();
        let may =
            move |(_, prefix, arrives): &&(Ahead1, &str, bool)| name.starts_with(prefix) && (!arrival || *arrives);
        says.chain(self.floods.iter().filter(may).map(|(ahead, ..)| *ahead).collect::<Vec<_>>())
    }
}

/// Everybody who is held up, and by what.
pub(crate) fn held<'a>(play: &Play<'a, '_>, units: &[Unit<'a>]) -> Vec<(At, Held<'a>)> {
    let ahead = Ahead::of(play, units);
    let stuck = play.stuck();
    let mut found = Vec::with_capacity(stuck.len());
    for at in stuck {
        let held = match play.ahead(at).first() {
            Some(Act::Ask { call, .. }) => lacks(play, units, &ahead, at, call),
            Some(Act::Halt { unknown, .. }) => Held::Hard(Hard::Halt(*unknown)),
            _ => continue,
        };
        found.push((at, held));
    }
    found
}

fn lacks<'a>(play: &Play<'a, '_>, units: &[Unit<'a>], ahead: &Ahead<'_>, at: At, call: &GroupCall) -> Held<'a> {
    let mut lack = Lack { play, at, lacking: Vec::new(), own: None, edges: Vec::new() };
    match call {
        GroupCall::Wait { message_id } => {
            let ahead: Vec<Ahead1> = ahead.sends(message_id).collect();
            if ahead.is_empty() {
                return Held::Hard(Hard::Nobody);
            }
            if let Some(own) = lack.help(&ahead) {
                return Held::Hard(Hard::OwnLater(own));
            }
        }
        GroupCall::WaitAll { message_id, role } => {
            let needed = |unit: &usize| role.as_ref().is_none_or(|role| units[*unit].role == *role);
            if !(0..units.len()).any(|unit| needed(&unit)) {
                return Held::Hard(Hard::NoRole);
            }
            let mut by_unit: HashMap<usize, Vec<Ahead1>> = HashMap::new();
            ahead.sends(message_id).for_each(|ahead| by_unit.entry(ahead.at.0).or_default().push(ahead));
            for unit in (0..units.len()).filter(needed).filter(|unit| !play.has_said(*unit, message_id)) {
                lack.each(unit, by_unit.get(&unit));
            }
        }
        GroupCall::Sync { message_id } => {
            let mut by_unit: HashMap<usize, Vec<Ahead1>> = HashMap::new();
            let mut arrived = vec![false; units.len()];
            for ahead in ahead.syncs.get(message_id).into_iter().flatten() {
                // The first thing ahead of who has arrived is the very sync.
                let there = play.holding(ahead.at) == [ahead.at]
                    && matches!(play.ahead(ahead.at).first(), Some(Act::Ask { call, .. }) if call.message_id() == *message_id);
                arrived[ahead.at.0] |= there;
                by_unit.entry(ahead.at.0).or_default().push(*ahead);
            }
            for unit in (0..units.len()).filter(|unit| !arrived[*unit]) {
                lack.each(unit, by_unit.get(&unit));
            }
        }
        GroupCall::Send { .. } | GroupCall::Assemble => {}
    }
    lack.held()
}

struct Lack<'a, 'u, 'p> {
    play: &'p Play<'a, 'u>,
    at: At,
    lacking: Vec<usize>,
    own: Option<usize>,
    edges: Vec<Edge>,
}

impl<'a> Lack<'a, '_, '_> {
    fn each(&mut self, unit: usize, ahead: Option<&Vec<Ahead1>>) {
        match ahead {
            None => self.lacking.push(unit),
            Some(ahead) => {
                if let Some(own) = self.help(ahead) {
                    self.own = Some(own);
                }
            }
        }
    }

    /// Notes who could help; when only the waiter could, by what.
    fn help(&mut self, ahead: &[Ahead1]) -> Option<usize> {
        let before = self.edges.len();
        for other in ahead.iter().filter(|ahead| ahead.at != self.at) {
            let needs = (other.at.0, other.from);
            let edges = self.play.holding(other.at).into_iter().map(|to| Edge { to, needs });
            // What waits for the waiter itself, as a thread that it has yet to start, is no help of others.
            self.edges.extend(edges.filter(|edge| edge.to != self.at));
        }
        if self.edges.len() > before { None } else { ahead.first()?.from }
    }

    fn held(self) -> Held<'a> {
        match (self.lacking.is_empty(), self.own) {
            (false, _) => Held::Hard(Hard::Lacking(self.lacking)),
            (true, Some(own)) => Held::Hard(Hard::OwnLater(own)),
            (true, None) if self.edges.is_empty() => Held::Hard(Hard::Nobody),
            (true, None) => Held::Behind(self.edges),
        }
    }
}

impl Edge {
    /// The call of another that would help.
    pub(crate) fn call(&self) -> Option<CallAt> {
        self.needs.1.map(|from| (self.needs.0, from))
    }
}

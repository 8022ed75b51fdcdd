//! From who is held up to causes: one reason for each, with what only follows from it folded under it.
//!
//! What cannot come is a cause. Those who wait for somebody that is held up are not: they are shown behind the nearest
//! cause. When all wait for each other, there is a cycle. A cause once found is granted, as if it had been mended, and
//! the play goes on to the next: what was hidden behind the first is found in the same run.

use std::collections::{HashMap, HashSet, VecDeque};

use convoke_group::{Call as GroupCall, CallKind, nearest};

use crate::judge::held::{Edge, Hard, Held, held};
use crate::judge::lower::{Act, Unit, plain};
use crate::judge::play::{At, CallAt, Play};
use crate::judge::possible::{Possible, Which};
use crate::judge::program::Class;
use crate::judge::reason::{Cause, Link, Near, Reason, Waiting};
use crate::model::{Flow, Origin, Step, Unknown};
use crate::walk;

/// Causes looked for; a job with more is told of these first.
const MOST: usize = 40;
/// How often the play goes on: causes that are told as one do not count as more.
const MOST_ROUNDS: usize = 120;

/// What causes are looked for in.
pub(crate) struct Scene<'a, 's> {
    pub(crate) flow: &'a Flow,
    pub(crate) units: &'s [Unit<'a>],
    /// What each unit does.
    pub(crate) doing: &'s [Class<'a>],
    /// What could be done if choices went otherwise, and which of its classes each unit is of.
    pub(crate) possible: &'s Possible<'a>,
    pub(crate) classes: &'s [Class<'a>],
    pub(crate) home: &'s [usize],
}

impl<'a> Scene<'a, '_> {
    /// Every cause why `play`, which has been run, did not end.
    pub(crate) fn causes(&self, play: &mut Play<'a, '_>) -> Vec<Reason<'a>> {
        let mut reasons: Vec<Reason> = Vec::new();
        let mut shown: HashSet<(At, usize)> = HashSet::new();
        for _ in 0..MOST_ROUNDS {
            if reasons.len() >= MOST {
                break;
            }
            let held = held(play, self.units);
            let rest: HashMap<At, &Vec<Edge>> = held
                .iter()
                .filter_map(|(at, held)| match held {
                    Held::Behind(edges) => Some((*at, edges)),
                    Held::Hard(_) => None,
                })
                .collect();
            let mut causes = self.hard(play, &held);
            if causes.is_empty() {
                causes.extend(self.cycle(play, &held, &rest));
            }
            if causes.is_empty() {
                break;
            }
            for (_, at) in &causes {
                shown.extend(at.iter().map(|at| (*at, play.position(*at))));
            }
            self.fold(play, &rest, &mut causes, &mut shown);
            for (reason, granted) in causes {
                granted.into_iter().for_each(|at| play.grant(at));
                merge(&mut reasons, reason);
            }
            play.run();
        }
        without_saying(&mut reasons);
        reasons
    }

    /// What cannot come, with who is to be granted it.
    fn hard(&self, play: &Play<'a, '_>, held: &[(At, Held<'a>)]) -> Vec<(Reason<'a>, Vec<At>)> {
        let mut groups: Vec<(&Hard<'a>, Option<&GroupCall>, Vec<At>)> = Vec::new();
        for (at, held) in held {
            let Held::Hard(hard) = held else { continue };
            let call = match play.ahead(*at).first() {
                Some(Act::Ask { call, .. }) => Some(call),
                _ => None,
            };
            let own = matches!(hard, Hard::OwnLater(_));
            let same = |group: &&mut (&Hard, Option<&GroupCall>, Vec<At>)| {
                group.1 == call && (group.0 == hard || own && matches!(group.0, Hard::OwnLater(_)))
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.2.push(*at),
                None => groups.push((hard, call, vec![*at])),
            }
        }
        let reason = |(hard, call, at): (&Hard<'a>, Option<&GroupCall>, Vec<At>)| {
            let waits: Vec<Waiting<'a>> = at.iter().filter_map(|at| self.waiting_at(play, *at)).collect();
            let cause = self.cause(hard, call, &waits, at[0].0);
            (Reason { cause, waits: joined(waits), behind: Vec::new(), provided: false }, at)
        };
        groups.into_iter().take(MOST).map(reason).collect()
    }

    fn cause(&self, hard: &Hard<'a>, call: Option<&GroupCall>, waits: &[Waiting<'a>], unit: usize) -> Cause<'a> {
        let id = call.map(GroupCall::message_id);
        let id = id.as_ref().map_or("", |id| plain(id));
        let is_sync = waits.first().is_some_and(|wait| wait.call.kind == CallKind::Sync);
        let kind = if is_sync { CallKind::Sync } else { CallKind::Send };
        match hard {
            Hard::Halt(Some(unknown)) if waits.is_empty() => Cause::Opaque(vec![unknown]),
            Hard::Halt(Some(unknown)) => Cause::Depends { on: vec![unknown], senders: Vec::new() },
            Hard::Halt(None) => {
                let id = waits.first().and_then(|wait| wait.call.id.known()).unwrap_or_default();
                self.depends(kind, id, None)
            }
            Hard::NoRole => self.no_role(waits),
            Hard::OwnLater(from) => {
                let send = &self.doing[unit].program.calls[*from];
                Cause::OwnSendFirst { send: Some(send.call.place.clone()) }
            }
            Hard::Nobody if self.may(kind, id, None) => self.depends(kind, id, None),
            Hard::Nobody if waits.iter().any(|wait| wait.call.origin == Origin::DelayedStart) => {
                Cause::NeverStarted { near: self.near(kind, id, None) }
            }
            Hard::Nobody => Cause::NeverSent { near: self.near(kind, id, None) },
            Hard::Lacking(units) => self.lacking(kind, id, units, waits, unit),
        }
    }

    fn lacking(&self, kind: CallKind, id: &str, units: &[usize], waits: &[Waiting<'a>], own: usize) -> Cause<'a> {
        let (unsure, never): (Vec<usize>, Vec<usize>) =
            units.iter().partition(|unit| self.may(kind, id, Some(self.home[**unit])));
        if never.is_empty() {
            let classes: Vec<usize> = unsure.iter().map(|unit| self.home[*unit]).collect();
            return self.depends(kind, id, Some(&classes));
        }
        let members = |units: &[usize]| units.iter().map(|unit| self.doing[*unit].members.clone()).collect();
        if kind == CallKind::Sync {
            let made: Vec<usize> = (0..self.units.len()).filter(|unit| !units.contains(unit)).collect();
            let count = |unit: &usize| {
                self.doing[*unit]
                    .program
                    .calls
                    .iter()
                    .filter(|made| made.call.kind == CallKind::Sync && made.call.id.known() == Some(id))
            };
            let least = never.iter().map(|unit| count(unit).count()).min().unwrap_or_default();
            let most = made.iter().map(|unit| count(unit).count()).max().unwrap_or_default();
            return Cause::SyncMissed {
                missing: members(&never),
                made: members(&made),
                unreachable: never.iter().any(|unit| {
                    let member = self.doing[*unit].members[0];
                    !has_shell(&self.flow.members[member].steps)
                }),
                uneven: (least > 0).then_some((most, least)),
                near: if least > 0 { None } else { self.near(kind, id, Some(&never)) },
            };
        }
        if waits.iter().any(|wait| wait.call.origin == Origin::DelayedStart) {
            return Cause::NeverStarted { near: self.near(kind, id, Some(&never)) };
        }
        if !self.may(kind, id, None) {
            return Cause::NeverSent { near: self.near(kind, id, None) };
        }
        if never == [own] {
            return Cause::OwnSendFirst { send: None };
        }
        Cause::WaitAllLacks { lacking: members(&never) }
    }

    /// Whether anybody (or this class) may make such a call if things went otherwise.
    fn may(&self, kind: CallKind, id: &str, class: Option<usize>) -> bool {
        let could = |which: &Which| {
            let made = &self.classes[which.0].program.calls[which.1];
            // A sync that is made for certain was made already: what lacks is another round.
            kind != CallKind::Sync || !made.only_if.is_empty() || !made.again.is_empty()
        };
        self.possible.calls(kind, id, class).iter().any(could) || !self.possible.unknown(kind, id, class).is_empty()
    }

    fn depends(&self, kind: CallKind, id: &str, classes: Option<&[usize]>) -> Cause<'a> {
        let (mut on, mut senders) = (Vec::new(), Vec::new());
        let classes: Vec<Option<usize>> =
            classes.map_or_else(|| vec![None], |classes| classes.iter().map(|class| Some(*class)).collect());
        for class in classes {
            on.extend(self.possible.unknown(kind, id, class));
            for which in self.possible.calls(kind, id, class) {
                let made = &self.classes[which.0].program.calls[which.1];
                on.extend(made.only_if.iter().copied());
                if kind == CallKind::Sync {
                    on.extend(made.again.iter().copied());
                }
                senders.push(self.possibly(which));
            }
        }
        let mut seen: HashSet<&Unknown> = HashSet::new();
        on.retain(|unknown| seen.insert(unknown));
        Cause::Depends { on, senders }
    }

    fn no_role(&self, waits: &[Waiting<'a>]) -> Cause<'a> {
        let wanted = waits.first().and_then(|wait| wait.call.role.as_ref()).map(|role| role.shown());
        let mut roles: Vec<String> = self.classes.iter().map(|class| class.role.to_string()).collect();
        roles.dedup();
        let near = nearest(wanted.unwrap_or_default(), roles.iter().map(String::as_str)).map(str::to_owned);
        Cause::NoSuchRole { near, roles }
    }

    /// What is probably meant by an ID that these units (anybody) do not use.
    fn near(&self, kind: CallKind, id: &str, units: Option<&[usize]>) -> Option<Near> {
        let of = |which: &&Which| units.is_none_or(|units| units.iter().any(|unit| self.home[*unit] == which.0));
        let (same, other, other_kind) = match kind {
            CallKind::Sync => (&self.possible.syncs, &self.possible.sends, CallKind::Send),
            _ => (&self.possible.sends, &self.possible.syncs, CallKind::Sync),
        };
        let meant = |name: &str, kind: CallKind, calls: &[Which]| {
            let calls: Vec<&Which> = calls.iter().filter(of).collect();
            let first = calls.first()?;
            let mut roles: Vec<_> = calls.iter().map(|which| self.classes[which.0].role.clone()).collect();
            roles.dedup();
            let place = Some(self.classes[first.0].program.calls[first.1].call.place.clone());
            Some(Near { name: name.to_owned(), kind, roles, place })
        };
        if let Some(near) = other.get(id).and_then(|calls| meant(id, other_kind, calls)) {
            return Some(near);
        }
        let used = same.iter().filter(|(_, calls)| calls.iter().any(|which| of(&which)));
        let name = nearest(id, used.map(|(name, _)| *name))?;
        meant(name, kind, same.get(name)?)
    }

    /// A shortest cycle of those who wait for each other.
    fn cycle(
        &self,
        play: &Play<'a, '_>,
        held: &[(At, Held<'a>)],
        edges: &HashMap<At, &Vec<Edge>>,
    ) -> Option<(Reason<'a>, Vec<At>)> {
        let cycles = held.iter().take(MOST).filter_map(|(at, _)| shortest(*at, edges));
        let cycle = cycles.min_by_key(Vec::len)?;
        let link = |(at, edge): &(At, Edge)| {
            let waiting = self.waiting_at(play, *at)?;
            Some(Link { waiting, needs: edge.call().map(|call| self.waiting(call)) })
        };
        let links: Vec<Link> = cycle.iter().filter_map(link).collect();
        let first = cycle.first()?.0;
        // All who wait for the same are granted it.
        let same = |at: &At| match (play.ahead(first).first(), play.ahead(*at).first()) {
            (Some(Act::Ask { call: one, .. }), Some(Act::Ask { call: other, .. })) => one == other,
            _ => false,
        };
        let granted = held.iter().map(|(at, _)| *at).filter(same).collect();
        let waits = links.iter().map(|link| link.waiting.clone()).collect();
        Some((Reason { cause: Cause::Cycle(links), waits, behind: Vec::new(), provided: false }, granted))
    }

    /// Puts those who are only held up by others behind the nearest cause.
    fn fold(
        &self,
        play: &Play<'a, '_>,
        rest: &HashMap<At, &Vec<Edge>>,
        causes: &mut [(Reason<'a>, Vec<At>)],
        shown: &mut HashSet<(At, usize)>,
    ) {
        let mut behind: HashMap<At, Vec<At>> = HashMap::new();
        let mut order: Vec<&At> = rest.keys().collect();
        order.sort();
        for at in order {
            rest[at].iter().for_each(|edge| behind.entry(edge.to).or_default().push(*at));
        }
        let mut queue: VecDeque<(usize, At)> = VecDeque::new();
        for (number, (reason, at)) in causes.iter().enumerate() {
            queue.extend(at.iter().map(|at| (number, *at)));
            if let Cause::Cycle(_) = reason.cause {
                shown.extend(at.iter().map(|at| (*at, play.position(*at))));
            }
        }
        let mut seen: HashSet<At> = queue.iter().map(|(_, at)| *at).collect();
        while let Some((number, at)) = queue.pop_front() {
            for next in behind.get(&at).into_iter().flatten() {
                if !seen.insert(*next) {
                    continue;
                }
                queue.push_back((number, *next));
                let reason = &mut causes[number].0;
                if let (true, Some(waiting)) =
                    (shown.insert((*next, play.position(*next))), self.waiting_at(play, *next))
                    && !reason.waits.iter().any(|known| known.call == waiting.call && known.members == waiting.members)
                {
                    reason.behind.push(waiting);
                }
            }
        }
    }

    fn waiting_at(&self, play: &Play<'a, '_>, at: At) -> Option<Waiting<'a>> {
        match play.ahead(at).first() {
            Some(Act::Ask { from, .. } | Act::Halt { from: Some(from), .. }) => Some(self.waiting((at.0, *from))),
            _ => None,
        }
    }

    fn waiting(&self, (unit, from): CallAt) -> Waiting<'a> {
        waiting(&self.doing[unit], from)
    }

    fn possibly(&self, (class, number): Which) -> Waiting<'a> {
        waiting(&self.classes[class], number)
    }
}

pub(crate) fn waiting<'a>(class: &Class<'a>, number: usize) -> Waiting<'a> {
    let made = &class.program.calls[number];
    Waiting { members: class.members.clone(), call: made.call, only_if: made.only_if.clone() }
}

/// The cycle from `start` back to it with the fewest members.
fn shortest(start: At, edges: &HashMap<At, &Vec<Edge>>) -> Option<Vec<(At, Edge)>> {
    let mut came: HashMap<At, (At, Edge)> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for edge in edges.get(&at).into_iter().flat_map(|edges| edges.iter()) {
            if edge.to == start {
                let mut cycle = vec![(at, *edge)];
                let mut at = at;
                while let Some((before, edge)) = came.get(&at) {
                    cycle.push((*before, *edge));
                    at = *before;
                }
                cycle.reverse();
                return Some(cycle);
            }
            if edges.contains_key(&edge.to) && !came.contains_key(&edge.to) {
                came.insert(edge.to, (at, *edge));
                queue.push_back(edge.to);
            }
        }
    }
    None
}

/// The same call of members that do not do the same in all is one.
fn joined(waits: Vec<Waiting<'_>>) -> Vec<Waiting<'_>> {
    let mut joined: Vec<Waiting> = Vec::new();
    for wait in waits {
        match joined.iter_mut().find(|known| known.call.place == wait.call.place) {
            Some(known) => known.members.extend(wait.members),
            None => joined.push(wait),
        }
    }
    joined
}

fn merge<'a>(reasons: &mut Vec<Reason<'a>>, mut reason: Reason<'a>) {
    for known in reasons.iter_mut() {
        match (&mut known.cause, &mut reason.cause) {
            (Cause::Opaque(known), Cause::Opaque(more)) if known[0].why == more[0].why => {
                more.retain(|more| !known.contains(more));
                known.append(more);
            }
            (Cause::Depends { on: one, .. }, Cause::Depends { on: other, .. }) if one == other => {
                known.waits.append(&mut reason.waits);
            }
            _ => continue,
        }
        known.behind.append(&mut reason.behind);
        return;
    }
    reasons.push(reason);
}

/// That a sync depends on what is not known at all goes without saying.
fn without_saying(reasons: &mut Vec<Reason<'_>>) {
    let opaque: Vec<&Unknown> = reasons
        .iter()
        .filter_map(|reason| match &reason.cause {
            Cause::Opaque(unknown) => Some(unknown.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    reasons.retain(|reason| match &reason.cause {
        Cause::Depends { on, .. } => {
            let syncs = reason.waits.iter().all(|wait| wait.call.kind == CallKind::Sync);
            !(syncs && !on.is_empty() && on.iter().all(|on| opaque.contains(on)))
        }
        _ => true,
    });
}

/// Whether a member has a place to make a call from.
fn has_shell(steps: &[Step]) -> bool {
    walk::any(steps, &|step| match step {
        Step::Definition(_) | Step::Opaque(_) => true,
        Step::Call(call) => matches!(call.origin, Origin::Helper { .. } | Origin::Interactive),
        _ => false,
    })
}

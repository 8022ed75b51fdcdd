//! The order of events does not matter.
//!
//! For members whose scripts are fixed (no limits, no alternatives, no device lost in the middle) the rules are
//! monotone: messages, arrivals and registrations only ever add up, a call that is satisfied at one moment would be
//! satisfied at any later one, and a member that has left without sending has done so in every order. A script goes on
//! whether its call is satisfied or refused. So how far every script gets is one least fixed point, and every order of
//! events leads to it: the same calls are satisfied, the same are refused because members left, the same wait for ever.
//!
//! Not covered, because it does depend on the order: the data of a `lava-wait` (whatever was sent so far), which of
//! several stuck waits with equal limits is refused first, and two syncs of one ID open at once on one member.

use proptest::prelude::*;

use crate::beside::{Beside, Fate};
use crate::world::{Ask, Id, Step, World};

/// How a run ended: every answered call with its fate, and what stays open.
type End = (Vec<(u64, Fate)>, Vec<u64>);

fn end(beside: &Beside) -> End {
    let mut fates = beside.fates.clone();
    fates.sort_by_key(|(wait, _)| *wait);
    let mut open: Vec<u64> = beside.world.open().map(|(_, open)| open.wait).collect();
    open.sort_unstable();
    (fates, open)
}

/// A group in which all have registered.
fn assembled(scripts: &[(Id, Vec<Step>)]) -> Beside {
    let mut beside = Beside::new(World::new(scripts, 0), false);
    for member in 0..scripts.len() {
        beside.step(member);
    }
    beside
}

/// Orders looked at of one set of scripts: all of those of a few steps, and the first so many of larger ones.
const ORDERS: u32 = 2000;

/// Runs the scripts in every order from here, as far as `orders` go, and checks that all end alike.
fn explore(beside: Beside, orders: &mut u32, expected: &mut Option<End>) {
    if *orders == 0 {
        return;
    }
    let ready = beside.world.ready();
    if ready.is_empty() {
        *orders -= 1;
        let end = end(&beside);
        assert_eq!(expected.get_or_insert_with(|| end.clone()), &end);
        return;
    }
    for index in ready {
        let mut next = beside.clone();
        next.step(index);
        explore(next, orders, expected);
    }
}

/// One order, chosen by `choices`.
fn run(mut beside: Beside, choices: &[prop::sample::Index]) -> End {
    let mut choices = choices.iter().cycle();
    loop {
        let ready = beside.world.ready();
        match choices.next() {
            Some(choice) if !ready.is_empty() => beside.step(ready[choice.index(ready.len())]),
            _ => return end(&beside),
        }
    }
}

fn ask(ask: Ask) -> Step {
    Step::Ask { ask, limit: None, modest: true, otherwise: Vec::new() }
}

/// The same scripts on devices that say when they are quiet.
fn honest(scripts: &[(Id, Vec<Step>)]) -> Vec<(Id, Vec<Step>)> {
    let honest = |step: &Step| match step {
        Step::Ask { ask, .. } => Step::Ask { ask: ask.clone(), limit: None, modest: false, otherwise: Vec::new() },
        other => other.clone(),
    };
    scripts.iter().map(|(role, script)| (*role, script.iter().map(honest).collect())).collect()
}

/// Checks every order of small scripts; those that end well must do so with honest devices as well, because then no
/// early refusal may hit them.
fn check(scripts: &[(Id, Vec<Step>)]) {
    let mut expected = None;
    explore(assembled(scripts), &mut { ORDERS }, &mut expected);
    let (fates, open) = expected.expect("at least one order");
    if open.is_empty() && fates.iter().all(|(_, fate)| *fate == Fate::Done) {
        explore(assembled(&honest(scripts)), &mut { ORDERS }, &mut Some((fates, open)));
    }
}

#[test]
fn every_order_of_every_two_short_scripts_ends_alike() {
    let alphabet =
        [Step::Send(0), ask(Ask::Wait(0)), ask(Ask::WaitAll(0)), ask(Ask::WaitRole(0, 1)), ask(Ask::Sync(0))];
    let mut scripts = vec![Vec::new()];
    for first in &alphabet {
        scripts.push(vec![first.clone()]);
        scripts.extend(alphabet.iter().map(|second| vec![first.clone(), second.clone()]));
    }
    for one in &scripts {
        for other in &scripts {
            check(&[(0, one.clone()), (1, other.clone())]);
        }
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    let background = prop_oneof![(0u8..3).prop_map(Step::Send), (0u8..3).prop_map(|id| ask(Ask::Wait(id)))];
    prop_oneof![
        4 => (0u8..3).prop_map(Step::Send),
        3 => crate::world::any_ask().prop_map(ask),
        1 => proptest::collection::vec(background, 0..3).prop_map(Step::Fork),
    ]
}

fn any_scripts(
    members: std::ops::Range<usize>,
    length: std::ops::Range<usize>,
) -> impl Strategy<Value = Vec<(Id, Vec<Step>)>> {
    proptest::collection::vec((0u8..3, proptest::collection::vec(any_step(), length)), members)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]

    #[test]
    fn many_orders_of_small_scripts_end_alike(scripts in any_scripts(2..4, 0..3)) {
        check(&scripts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn two_orders_of_long_scripts_end_alike(
        scripts in any_scripts(2..7, 0..12),
        one in proptest::collection::vec(any::<prop::sample::Index>(), 100),
        other in proptest::collection::vec(any::<prop::sample::Index>(), 100),
    ) {
        let (fates, open) = run(assembled(&scripts), &one);
        prop_assert_eq!(&run(assembled(&scripts), &other), &(fates.clone(), open.clone()));
        if open.is_empty() && fates.iter().all(|(_, fate)| *fate == Fate::Done) {
            prop_assert_eq!(run(assembled(&honest(&scripts)), &other), (fates, open));
        }
    }
}

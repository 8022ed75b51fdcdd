//! Whatever devices do: who is satisfied is woken at once, and a call is refused before its limit only when nothing
//! that can still happen would satisfy it.
//!
//! The proof of the second is by exhaustion. At every early refusal a second telling of the rules, which refuses nothing
//! before its limit, is explored from that very state through every order of events; the refused call must be satisfied
//! in none of them.

use proptest::prelude::*;

use crate::beside::Beside;
use crate::world::{World, any_scripts};

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn the_group_agrees_with_its_rules_and_never_gives_up_too_soon(
        scripts in any_scripts(),
        absent in prop_oneof![6 => Just(0usize), 1 => Just(1usize)],
        choices in proptest::collection::vec(any::<prop::sample::Index>(), 60),
    ) {
        let mut beside = Beside::new(World::new(&scripts, absent), true);
        let mut choices = choices.iter().cycle();
        loop {
            let ready = beside.world.ready();
            if let Some(choice) = choices.next().filter(|_| !ready.is_empty()) {
                beside.step(ready[choice.index(ready.len())]);
            } else if !beside.advance() {
                break;
            }
        }
        beside.replays();
    }
}

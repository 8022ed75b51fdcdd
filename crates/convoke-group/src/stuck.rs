//! The rule of the stuck group: when every member that could still act is itself waiting.
//!
//! **When it is certain.** The group is full (who is not registered can still come), and every member that has not left
//! has a parked call that says [`Quiet::Certain`](crate::Quiet): nothing else of its test shell is alive. Then nothing
//! can happen any more but that limits pass and members leave, and neither satisfies anything.
//!
//! `Quiet::Certain` is what the device said when it called. Anything the group hears of that member afterwards, a
//! further call, a withdrawal, an answer to another of its calls, may mean that something of it is alive after all, so
//! its parked calls then count as `Unknown`. This errs on the side of waiting.
//!
//! **What is certain then.** Not that all the waits fail. The script behind a wait may act after its wait has failed
//! (`lava-wait x || lava-send y`), and thereby satisfy the others. Certain is only that the wait whose limit passes
//! first will reach it: until then nobody acts. So that one is refused now, and no other; of equal limits the one that
//! parked first, and a wait without a limit after all that have one. The refused member is no longer waiting. When it
//! calls again, or leaves, the group is looked at again: a group that nothing can save comes apart one wait after the
//! other, without waiting for any limit.
//!
//! An early refusal lets its member go on sooner than the limit would have. Limits of later calls are counted from
//! those calls, as always, so each refusal is right by what is known when it is made: were the group to do nothing
//! from then on, that very wait would time out.
//!
//! **When it is only likely.** All are waiting, and some of them may have something else alive: that is said, once for
//! the same waits until something is sent or satisfied, and the waits' own limits decide.

use crate::group::{Group, Told};
use crate::names::WaitId;
use crate::parking::{Key, Want};
use crate::protocol::Output;
use crate::refusal::Refusal;
use crate::roster::Slot;

impl Group {
    pub(crate) fn settle_stuck(&mut self, out: &mut Told) {
        while self.everybody_waits() {
            if !self.roster.live().all(|(slot, _)| self.parking.is_blocked(slot)) {
                self.say_stuck(out);
                return;
            }
            let Some(wait) = self.parking.first_to_end() else { return };
            let Some(refusal) = self.stuck_refusal(wait) else { return };
            self.refuse(wait, refusal, out);
        }
    }

    fn everybody_waits(&self) -> bool {
        // Who has left has no parked call.
        let living = self.roster.living();
        self.roster.is_full() && living > 0 && self.parking.waiting() == living
    }

    fn stuck_refusal(&self, wait: WaitId) -> Option<Refusal> {
        let call = self.parking.get(wait)?;
        let others_gone: Vec<Slot> =
            self.roster.slots().filter(|(slot, _)| *slot != call.member).map(|(slot, _)| slot).collect();
        let alone = !others_gone.is_empty() && others_gone.iter().all(|slot| self.roster.get(*slot).left.is_some());
        // A lava-wait of the last member is better told by who left than by its waiting for itself.
        if alone && call.key.want == Want::Anybody {
            return Some(self.scene().members_left(call.member, &call.key, &others_gone));
        }
        Some(self.scene().all_waiting(call.member, &call.key, &self.parking.all()))
    }

    fn say_stuck(&mut self, out: &mut Told) {
        let calls = self.parking.all();
        let state: Vec<(Slot, Key)> = calls.iter().map(|call| (call.member, call.key.clone())).collect();
        if self.said_stuck.as_ref() == Some(&state) {
            return;
        }
        let waits = self.views(&calls);
        self.said_stuck = Some(state);
        out.push(Output::ProbablyStuck { waits });
    }
}

//! What the limits of blocks allow to pass before each call: the longest path over them.
//!
//! A deploy, boot or test block may take as long as its limit; a call within a block comes when the blocks before it are
//! over, and a wait when what it needs has come.

use convoke_group::CallKind;

use super::places::Places;
use super::{Allowed, Term};
use crate::model::{Block, Flow};
use crate::played::{Met, Played};

/// Where a member is on its way.
#[derive(Clone, Default)]
struct Way {
    /// How many of its blocks are over.
    done: usize,
    /// It has begun the first.
    entered: bool,
    /// When the block it is in began.
    began: Allowed,
    now: Allowed,
}

/// For each call of a play when its member comes to it, and when it is over.
pub(super) fn allowed(flow: &Flow, played: &Played<'_>, places: &Places<'_>) -> (Vec<Allowed>, Vec<Allowed>) {
    let mut ways: Vec<Way> = vec![Way::default(); flow.members.len()];
    let mut reached: Vec<Allowed> = Vec::with_capacity(played.calls.len());
    let mut over: Vec<Allowed> = Vec::with_capacity(played.calls.len());
    let mut round: Vec<usize> = Vec::new();
    for (index, call) in played.calls.iter().enumerate() {
        let way = &mut ways[call.member];
        if let Some(block) = places.block[index] {
            way.come_to(call.member, block, &places.blocks[call.member]);
        }
        reached.push(way.now.clone());
        over.push(way.now.clone());
        let Met::Satisfied(by) = &call.met else { continue };
        if call.call.kind == CallKind::Sync {
            round.push(index);
            // The last of a round lets all go on.
            if by.iter().max() != Some(&index) {
                continue;
            }
            let last = round.iter().map(|index| &reached[*index]).max_by_key(|time| time.at).cloned();
            let last = last.unwrap_or_default();
            for index in round.drain(..) {
                over[index] = last.clone();
                ways[played.calls[index].member].now = last.clone();
            }
        } else {
            let needed = by.iter().filter(|needed| **needed < index).map(|needed| &over[*needed]);
            if let Some(last) = needed.max_by_key(|time| time.at).filter(|last| last.at > over[index].at) {
                over[index] = last.clone();
                ways[call.member].now = over[index].clone();
            }
        }
    }
    (reached, over)
}

impl Way {
    fn come_to(&mut self, member: usize, block: usize, blocks: &[&Block]) {
        if block < self.done {
            return;
        }
        if !self.entered {
            // The first block begins when a delayed start has come.
            self.began = self.now.clone();
            self.entered = true;
        }
        for block in &blocks[self.done..block] {
            let term = Term { member, kind: block.kind, limit: block.limit };
            let at = self.began.at.saturating_add(block.limit);
            if at > self.now.at {
                self.now = Allowed { at, terms: self.began.terms.iter().cloned().chain([term]).collect() };
            }
            self.began = self.now.clone();
            self.done += 1;
        }
    }
}

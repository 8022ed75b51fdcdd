//! In which block of its member each call stands.

use std::collections::HashMap;
use std::ptr;

use crate::model::{Block, Call, Flow, Step};
use crate::played::Played;
use crate::walk;

/// The blocks of the members that are played, and the block of each call.
pub(super) struct Places<'a> {
    /// By member; empty for one that another is played for.
    pub(super) blocks: Vec<Vec<&'a Block>>,
    /// By call of the play: the number of its block among those of its member. A delayed start stands in none.
    pub(super) block: Vec<Option<usize>>,
}

impl<'a> Places<'a> {
    pub(super) fn of(flow: &'a Flow, played: &Played<'_>) -> Self {
        let mut blocks = vec![Vec::new(); flow.members.len()];
        let mut known: HashMap<*const Call, usize> = HashMap::new();
        for (index, member) in flow.members.iter().enumerate().filter(|(index, _)| played.played_by[*index] == *index) {
            for step in member.steps.iter() {
                let Step::Block(block) = step else { continue };
                note(&block.body, blocks[index].len(), &mut known);
                blocks[index].push(block);
            }
        }
        let block = played.calls.iter().map(|call| known.get(&ptr::from_ref(call.call)).copied()).collect();
        Self { blocks, block }
    }
}

fn note(steps: &[Step], block: usize, known: &mut HashMap<*const Call, usize>) {
    for step in steps {
        match step {
            Step::Call(call) => drop(known.insert(ptr::from_ref(call), block)),
            step => walk::within(step).into_iter().for_each(|steps| note(steps, block, known)),
        }
    }
}

//! What the members of a group do: scripts that certainly end. They are made as one sequence for the whole group in which
//! everything waited for comes before the wait, and then cut into each member's part, so every order of the parts that
//! keeps to the rules gets through.

use super::random::Random;

/// Message IDs; of messages and syncs alike, which are apart.
pub(super) const IDS: [&str; 3] = ["m", "n", "s"];

/// One call of a script. Members and roles are numbers: the role of member `n` is `n % 2`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    Assemble,
    /// The value is a number of its own.
    Send(usize, u64),
    Wait(usize),
    WaitAll(usize),
    WaitRole(usize, usize),
    Sync(usize),
    /// `clear_group`, at the end and perhaps once more in between (coordinator-protocol.md §5).
    Clear,
}

/// The scripts of `members` members.
pub(super) fn scripts(members: usize, random: &mut Random) -> Vec<Vec<Act>> {
    let mut scripts = vec![vec![Act::Assemble]; members];
    let mut sent = vec![vec![false; members]; IDS.len()];
    let mut value = 0;
    let mut cleared = false;
    for _ in 0..3 + random.below(12) {
        let (member, id) = (random.below(members), random.below(IDS.len()));
        match random.below(8) {
            0..3 => {
                value += 1;
                sent[id][member] = true;
                scripts[member].push(Act::Send(id, value));
            }
            3 if sent[id].contains(&true) => scripts[member].push(Act::Wait(id)),
            4 if !sent[id].contains(&false) => scripts[member].push(Act::WaitAll(id)),
            5 => {
                let role = random.below(members.min(2));
                if (role..members).step_by(2).all(|member| sent[id][member]) {
                    scripts[member].push(Act::WaitRole(id, role));
                }
            }
            6 if !cleared && members > 1 => {
                // A call that timed out; the sync keeps the others from finishing before.
                cleared = true;
                scripts[member].push(Act::Clear);
                scripts.iter_mut().for_each(|script| script.push(Act::Sync(id)));
            }
            _ => scripts.iter_mut().for_each(|script| script.push(Act::Sync(id))),
        }
    }
    scripts.iter_mut().for_each(|script| script.push(Act::Clear));
    scripts
}

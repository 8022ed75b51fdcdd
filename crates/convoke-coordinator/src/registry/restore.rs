//! Building a group again from what was kept of it.
//!
//! Applied in their order the records give the group as it was. Then what has changed since is added: nobody is
//! connected any more, so every held request is withdrawn, and a release of a sync is owed unless it is known to have
//! reached its member, or its member will ask for it by the name of its call.

use std::collections::{BTreeSet, HashMap};

use convoke_group::{Answer, Call, GroupName, Input, MemberName, MessageId, Output, Tell, Time, WaitId};

use super::Step;
use super::hosted::Hosted;
use crate::store::{Entry, Record};

#[derive(Default)]
struct Replay {
    syncs: HashMap<WaitId, (MemberName, MessageId)>,
    uncollected: BTreeSet<WaitId>,
}

impl Hosted {
    /// The group, and what has to be kept further of it. None without the record that made it.
    pub(super) fn restore(name: GroupName, records: Vec<Record>) -> Option<(Self, Vec<Entry>)> {
        let mut records = flat(records).into_iter();
        let Some(Record { at, entry: Entry::Created { size } }) = records.next() else { return None };
        let mut hosted = Self::new(name, size);
        hosted.heard = at;
        let mut replay = Replay::default();
        for record in records {
            hosted.replay(record, &mut replay);
        }
        hosted.kept = hosted.heard;
        hosted.names.clear();
        let parked = hosted.group.waits().into_iter().map(|wait| wait.wait);
        let mut step = Step::default();
        for wait in parked.chain(replay.uncollected).collect::<Vec<_>>() {
            hosted.keep(Input::Withdraw { wait }, hosted.heard, &mut step);
        }
        Some((hosted, step.entries))
    }

    fn replay(&mut self, Record { at, entry }: Record, replay: &mut Replay) {
        self.heard = self.heard.max(at);
        match entry {
            Entry::Input(input) => self.replay_input(input, at, replay),
            Entry::Collected { wait } => {
                replay.uncollected.remove(&wait);
            }
            Entry::Named { wait, call } => {
                self.names.insert(wait, call);
            }
            Entry::Finished { member } => {
                self.finish(&member);
            }
            Entry::Returned { member } => {
                self.finished.remove(&member);
            }
            Entry::Bundle { member, bundle } => {
                let text = bundle.as_str().map_or_else(|| bundle.to_string(), ToOwned::to_owned);
                self.bundles.store(member, text);
            }
            Entry::Closed { token } => self.token = Some(token),
            Entry::Created { .. } | Entry::Several(_) | Entry::Seen => {}
        }
    }

    fn replay_input(&mut self, input: Input, at: Time, replay: &mut Replay) {
        match &input {
            Input::Call { wait, member, call, .. } => {
                self.next_wait = self.next_wait.max(wait.0 + 1);
                match call {
                    Call::Sync { message_id } => {
                        let sync = (member.clone(), message_id.clone());
                        self.arrived.insert(sync.clone());
                        self.sizes.entry(message_id.clone()).or_default();
                        replay.syncs.insert(*wait, sync);
                    }
                    Call::Send { message_id, message } => {
                        self.count(message_id, member, message.as_str().map_or(0, str::len));
                    }
                    Call::Wait { .. } | Call::WaitAll { .. } | Call::Assemble => {}
                }
            }
            Input::Withdraw { wait } => {
                replay.uncollected.remove(wait);
            }
            Input::Leave { member, .. } => {
                self.finished.remove(member);
            }
            Input::Register { .. } | Input::Tick => {}
        }
        for output in self.group.apply_telling(input, at, Tell::Answers) {
            if let Output::Answer { wait, answer: Answer::Done { .. }, .. } = output
                && let Some(sync) = replay.syncs.get(&wait)
            {
                self.note_release(sync.clone(), wait);
                // A member that names its calls asks for a lost reply by that name.
                if !self.names.contains_key(&wait) {
                    replay.uncollected.insert(wait);
                }
            }
        }
    }
}

fn flat(records: Vec<Record>) -> Vec<Record> {
    let mut flat = Vec::with_capacity(records.len());
    for record in records {
        match record.entry {
            Entry::Several(several) => flat.extend(several),
            _ => flat.push(record),
        }
    }
    flat
}

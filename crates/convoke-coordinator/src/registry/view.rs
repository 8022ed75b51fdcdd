//! A hosted group as those see it who look at it: for the status and for the metrics.
//!
//! Whom a wait lacks is the group's own word. Looking changes nothing. Who waits is listed at once; whom each wait lacks is
//! asked in portions, so that a large group is not held for long.

use std::collections::{BTreeMap, HashSet};

use convoke_group::{Lacking, Member, MemberName};

use super::doing::{About, Last};
use super::hosted::Hosted;
use crate::status::{Does, GroupStatus, LastRequest, MemberStatus, Totals, Waiting, seconds};
use crate::wire::{Json, Reply};

/// One thing that is waited for, and by whom.
pub(crate) type Waited = (About, Vec<Waiting>);

impl Hosted {
    /// The group without its waits, and who waits for what, the longest wait first.
    pub(super) fn look(&self) -> (GroupStatus, Vec<Waited>) {
        // Whom it lacks differs for equal syncs only: some may be those of a round that is complete.
        let mut waits: BTreeMap<(About, bool), Vec<Waiting>> = BTreeMap::new();
        let mut held: HashSet<&MemberName> = HashSet::new();
        for open in self.open() {
            held.insert(&open.member);
            waits.entry((open.about.clone(), false)).or_default().push(Waiting {
                member: open.member.clone(),
                since: seconds(open.since),
                asked: seconds(open.asked),
                until: open.until.map(seconds),
                held: true,
            });
        }
        for (member, last) in self.polling() {
            let about = last.about.clone();
            let owed = about.request == "lava_sync" && self.group.is_owed(&member.name, &about.id);
            waits.entry((about, owed)).or_default().push(Waiting {
                member: member.name.clone(),
                since: seconds(last.since),
                asked: seconds(last.at),
                until: None,
                held: false,
            });
        }
        let mut waits: Vec<Waited> = waits.into_iter().map(|((about, _), waiting)| (about, waiting)).collect();
        for (_, waiting) in &mut waits {
            waiting.sort_by(|a, b| a.since.total_cmp(&b.since).then_with(|| a.member.cmp(&b.member)));
        }
        waits.sort_by(|(_, a), (_, b)| first(a).total_cmp(&first(b)));
        let member = |member: &Member| {
            let last = self.doing.last(&member.name);
            let does = match () {
                () if member.left.is_some() => Does::Left,
                () if held.contains(&member.name) => Does::Waits,
                () if self.finished.contains(&member.name) => Does::Finished,
                () if last.is_some_and(|last| last.polls) => Does::Polls,
                () => Does::Works,
            };
            let last = last.map(|last| LastRequest {
                request: last.about.request.to_owned(),
                message_id: last.about.id.clone(),
                at: seconds(last.at),
            });
            MemberStatus { name: member.name.clone(), role: member.role.clone(), does, why: member.left.clone(), last }
        };
        let group = GroupStatus {
            name: self.group.name().to_string(),
            size: self.group.size(),
            members: self.group.members().iter().map(member).collect(),
            waits: Vec::new(),
            message_ids: self.sizes.len(),
            bytes: self.bytes(),
            heard: seconds(self.heard),
        };
        (group, waits)
    }

    /// Whom a wait lacks.
    pub(super) fn lacking(&self, about: &About, member: &MemberName) -> Option<Lacking> {
        self.group.lacking(member, &about.call()?)
    }

    /// The held requests of a member, as an answer to it.
    pub(super) fn waits_of(&self, member: &MemberName) -> Reply {
        match serde_json::to_value(self.group.waits_of(member)) {
            Ok(waits) => Reply::AckWith(Json::from(&waits).to_text().into()),
            Err(error) => Reply::Nack(format!("the waits cannot be written: {error}")),
        }
    }

    /// Adds this group to the counts.
    pub(super) fn count_into(&self, totals: &mut Totals) {
        let members = self.group.members();
        totals.groups += 1;
        totals.complete += usize::from(members.len() >= self.group.size());
        totals.members += members.len();
        totals.finished += members.iter().filter(|member| !self.is_active(member)).count();
        for open in self.open() {
            let held = &mut totals.held;
            *match open.about.request {
                "group_data" => &mut held.group_data,
                "lava_wait" => &mut held.lava_wait,
                "lava_wait_all" => &mut held.lava_wait_all,
                _ => &mut held.lava_sync,
            } += 1;
        }
        totals.polling += self.polling().count();
    }

    /// Members that were last told to come again.
    fn polling(&self) -> impl Iterator<Item = (&Member, &Last)> {
        let active = self.group.members().iter().filter(|member| self.is_active(member));
        active.filter_map(|member| Some((member, self.doing.last(&member.name)?))).filter(|(_, last)| last.polls)
    }

    /// Neither finished nor gone.
    fn is_active(&self, member: &Member) -> bool {
        member.left.is_none() && !self.finished.contains(&member.name)
    }
}

fn first(waiting: &[Waiting]) -> f64 {
    waiting.first().map_or(f64::MAX, |first| first.since)
}

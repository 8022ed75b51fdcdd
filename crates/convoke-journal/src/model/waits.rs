//! The open waits of a group: for each ID who has arrived, who is missing, and since when.

use super::RunModel;
use super::member::Call;
use super::position::ago;

/// A wait is told in the log when it has lasted so much of its limit, …
const SHARE: u64 = 3;
/// … but not before this, …
const SOONEST_NS: u64 = 5_000_000_000;
/// … and after this when it has no limit.
const UNLIMITED_NS: u64 = 30_000_000_000;
/// Missing members that are told of each, before the rest is only counted.
const TOLD: usize = 5;

/// What some members wait for together.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// `sync`, `wait`, `wait_all`, `group_data`.
    pub call: String,
    /// As one would type it: `lava-sync end`.
    pub command: String,
    /// Who waits, by `sub_id`, the longest-waiting first.
    pub waiting: Vec<u32>,
    /// Who has done what is waited for: has arrived, or has sent. Empty for a `lava-wait`, which the first message ends.
    pub arrived: Vec<u32>,
    /// Who has not. For a `lava-wait` everybody who could still send.
    pub missing: Vec<u32>,
    /// When the first one came, nanoseconds since the run started; time in which the group was stopped is left out.
    pub since_ns: u64,
    /// The limit of that one, in seconds.
    pub limit_s: Option<f64>,
    told: bool,
}

impl Wait {
    /// For how long, up to `now_ns`.
    pub fn lasted_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.since_ns)
    }

    /// `12 s of 60 s`
    pub fn lasted(&self, now_ns: u64) -> String {
        let lasted = ago(self.lasted_ns(now_ns));
        match self.limit_s {
            // A limit that is what another one has left is hardly less than that: it is rounded.
            Some(limit) => format!("{lasted} of {}", ago(ns(limit + 0.5))),
            None => lasted,
        }
    }

    /// How many have arrived, of how many: `2 of 3 arrived`, `nobody has sent it`.
    pub fn count(&self) -> String {
        let word = if self.call == "wait_all" { "sent" } else { "arrived" };
        match (self.call.as_str(), self.arrived.len()) {
            ("wait", _) if self.missing.is_empty() => "it has come".into(),
            ("wait", _) => "nobody has sent it".into(),
            (_, arrived) => format!("{arrived} of {} {word}", arrived + self.missing.len()),
        }
    }

    /// When the log tells of it; none when it has.
    fn due(&self) -> Option<u64> {
        due(self.since_ns, self.limit_s).filter(|_| !self.told)
    }
}

/// When the log tells of a wait since then with this limit.
fn due(since_ns: u64, limit_s: Option<f64>) -> Option<u64> {
    let after = match limit_s {
        Some(limit) if ns(limit) <= SOONEST_NS => return None,
        Some(limit) => (ns(limit) / SHARE).max(SOONEST_NS),
        None => UNLIMITED_NS,
    };
    Some(since_ns.saturating_add(after))
}

impl RunModel {
    /// Everything that is waited for, the longest wait first.
    pub fn waits(&self) -> Vec<Wait> {
        let mut calls: Vec<(u32, &Call)> = Vec::new();
        for member in &self.members {
            calls.extend(member.calls.values().filter(|call| call.waiting).map(|call| (member.info.sub_id, call)));
        }
        calls.sort_by_key(|(member, call)| (call.since_ns, *member));
        let mut waits: Vec<(&Call, Wait)> = Vec::new();
        for (member, call) in calls {
            let same = |other: &Call| {
                (&other.call, &other.message_id, &other.role) == (&call.call, &call.message_id, &call.role)
            };
            match waits.iter_mut().find(|(other, _)| same(other)) {
                Some((_, wait)) => {
                    wait.waiting.push(member);
                    wait.missing.retain(|missing| call.call != "wait" || call.missing.contains(missing));
                    wait.told |= call.told;
                }
                None => {
                    let wait = Wait {
                        call: call.call.clone(),
                        command: call.command(),
                        waiting: vec![member],
                        arrived: Vec::new(),
                        missing: call.missing.clone(),
                        since_ns: call.since_ns,
                        limit_s: call.limit_s,
                        told: call.told,
                    };
                    waits.push((call, wait));
                }
            }
        }
        for (call, wait) in &mut waits {
            let wanted = |member: &&super::Member| call.role.as_ref().is_none_or(|role| member.info.role == *role);
            wait.arrived = match call.call.as_str() {
                "sync" => wait.waiting.clone(),
                "wait" => Vec::new(),
                _ => self.members.iter().filter(wanted).map(|member| member.info.sub_id).collect(),
            };
            wait.arrived.retain(|member| !wait.missing.contains(member));
        }
        waits.into_iter().map(|(_, wait)| wait).collect()
    }

    /// Waits that are due to be told up to `now_ns`: when, and the text. They are told once.
    pub(super) fn long_waits(&mut self, now_ns: u64) -> Vec<(u64, String)> {
        if self.stopped.is_some() {
            return Vec::new();
        }
        // Asked before every event: what is put together below is wanted when one of the calls itself is due, hardly ever.
        let is_due = |call: &Call| {
            call.waiting && !call.told && due(call.since_ns, call.limit_s).is_some_and(|due| due <= now_ns)
        };
        if !self.members.iter().any(|member| member.calls.values().any(is_due)) {
            return Vec::new();
        }
        let due = |wait: Wait| wait.due().filter(|due| *due <= now_ns).map(|due| (due, wait));
        let due: Vec<(u64, Wait)> = self.waits().into_iter().filter_map(due).collect();
        let mut texts = Vec::with_capacity(due.len());
        for (at, wait) in due {
            for call in self.members.iter_mut().flat_map(|member| member.calls.values_mut()) {
                call.told |= call.waiting && call.command() == wait.command;
            }
            texts.push((at, self.long_wait(&wait, at)));
        }
        texts
    }

    fn long_wait(&self, wait: &Wait, now_ns: u64) -> String {
        let label = |members: &[u32]| members.iter().map(|member| self.label(*member)).collect::<Vec<_>>().join(", ");
        let mut text = format!("{}: {}, {}; ", wait.command, wait.lasted(now_ns), wait.count());
        if wait.call != "sync" {
            text.push_str(&format!("waiting: {}; ", label(&wait.waiting)));
        } else if !wait.arrived.is_empty() {
            text.push_str(&format!("here: {}; ", label(&wait.arrived)));
        }
        text.push_str(&format!("missing: {}", label(&wait.missing)));
        for member in wait.missing.iter().take(TOLD).filter_map(|member| self.member(*member)) {
            let position = member.position();
            text.push_str(&format!("\n{} {}", member.label, position.state()));
            if let Some(console) = position.console(now_ns) {
                text.push_str(&format!("\n  {console}"));
            }
        }
        if wait.missing.len() > TOLD {
            text.push_str(&format!("\nand {} more", wait.missing.len() - TOLD));
        }
        text
    }
}

fn ns(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1e9) as u64
}

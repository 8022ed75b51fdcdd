//! The MultiNode calls of a run: when each was made, whom it waited for and when, when it was answered and how.

use std::collections::HashMap;

use convoke_journal::Body;
use serde_json::Value;

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Number of the call in the journal.
    pub call_id: u64,
    /// Who made it.
    pub member: u32,
    /// `send`, `wait`, `wait_all`, `sync`, `group_data`.
    pub call: String,
    /// ID; empty for `group_data`.
    pub message_id: String,
    /// Role of a wait-all.
    pub role: Option<String>,
    /// Data of a send.
    pub data: Vec<(String, String)>,
    /// `shell` or the pipeline action's name.
    pub from: String,
    /// Limit in seconds.
    pub limit_s: Option<f64>,
    /// When it was made.
    pub made_ns: u64,
    /// Whom it waited for, from when on; empty when it was answered at once.
    pub waited_for: Vec<Missing>,
    /// Its answer; `None` when the journal ends before.
    pub end: Option<End>,
}

/// Whom a call waited for from some time on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// From when on.
    pub since_ns: u64,
    /// Members that had not sent or arrived yet; for `lava-wait` every other member that could still send.
    pub members: Vec<u32>,
}

/// How a call was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// When.
    pub at_ns: u64,
    /// Whether it was satisfied.
    pub ok: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Senders by name, first sender first, with their data.
    pub messages: Vec<(String, Value)>,
}

impl Call {
    /// As a person would type it: `lava-wait-all ready server`.
    pub fn command(&self) -> String {
        if self.call == "group_data" {
            return "group assembly".into();
        }
        let role = self.role.as_ref().map(|role| format!(" {role}")).unwrap_or_default();
        format!("lava-{} {}{role}", self.call.replace('_', "-"), self.message_id)
    }

    /// Whether it is a kind of call that waits for others.
    pub fn is_wait(&self) -> bool {
        self.call != "send"
    }

    /// From when it was made until its answer, or until `end_ns` when it had none.
    pub fn took_ns(&self, end_ns: u64) -> u64 {
        self.end.as_ref().map_or(end_ns, |end| end.at_ns).saturating_sub(self.made_ns)
    }

    /// For whom it waited last, before its answer.
    pub fn last_missing(&self) -> &[u32] {
        self.waited_for.last().map_or(&[], |missing| &missing.members)
    }
}

/// The calls while the journal is read.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
    places: HashMap<u64, usize>,
}

impl Calls {
    pub(super) fn event(&mut self, member: u32, now: u64, body: &Body) {
        match body {
            Body::CallMade { call_id, call, message_id, role, data, from, limit_s } => {
                self.places.insert(*call_id, self.calls.len());
                self.calls.push(Call {
                    call_id: *call_id,
                    member,
                    call: call.clone(),
                    message_id: message_id.clone(),
                    role: role.clone(),
                    data: data.clone(),
                    from: from.clone(),
                    limit_s: *limit_s,
                    made_ns: now,
                    waited_for: Vec::new(),
                    end: None,
                });
            }
            Body::Waiting { call_id, missing } => {
                // What the group said may be recorded after the answer that followed it.
                if let Some(call) = self.open(*call_id)
                    && call.waited_for.last().is_none_or(|last| last.members != *missing)
                {
                    call.waited_for.push(Missing { since_ns: now, members: missing.clone() });
                }
            }
            Body::CallAnswered { call_id, ok, reason, messages } => {
                if let Some(call) = self.open(*call_id) {
                    call.end = Some(End { at_ns: now, ok: *ok, reason: reason.clone(), messages: messages.clone() });
                }
            }
            _ => {}
        }
    }

    fn open(&mut self, call_id: u64) -> Option<&mut Call> {
        let call = &mut self.calls[*self.places.get(&call_id)?];
        call.end.is_none().then_some(call)
    }

    pub(super) fn end(self) -> Vec<Call> {
        self.calls
    }
}

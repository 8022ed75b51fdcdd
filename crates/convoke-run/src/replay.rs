//! What the members of an earlier run called, in the order that depends on nothing but themselves: from its journal.
//!
//! A member that is played makes each call once the calls are answered that had been answered before it in the earlier
//! run. Times do not count, so the real members may be slower or faster than they were.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use convoke_group::{Call, MessageId, RoleName};
use convoke_journal::{Body, MemberInfo, ReadError, Reader};
use serde_json::{Map, Value};

/// One thing a played member does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// It makes a call, without waiting for the answer.
    Make(PlayedCall),
    /// It has the answer to the call of this number.
    Await(u64),
}

/// A call of the earlier run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PlayedCall {
    /// Its number in the earlier run.
    pub(crate) number: u64,
    pub(crate) call: Call,
    pub(crate) limit: Option<Duration>,
}

/// The journal of an earlier run cannot be played. All are the user's to mend.
#[derive(Debug, thiserror::Error)]
pub enum NoReplay {
    /// It cannot be read.
    #[error("--replay: {0}")]
    Read(#[from] ReadError),
    /// The group was another one.
    #[error("--replay: the earlier run had {had} of role {role}, and the job has {wanted}: replay a run of this job")]
    OtherGroup {
        /// The role.
        role: String,
        /// Members it had.
        had: usize,
        /// Members it has.
        wanted: usize,
    },
}

/// An earlier run, as far as it is played.
#[derive(Debug, Default)]
pub struct Replay {
    members: Vec<MemberInfo>,
    steps: BTreeMap<u32, Vec<Step>>,
    /// Addresses of its members' devices.
    addresses: Vec<(String, u32, String)>,
}

impl Replay {
    /// Reads a run's folder, or its journal.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn read(path: &Path) -> Result<Replay, NoReplay> {
        let mut replay = Replay::default();
        let mut made: Vec<(u32, PlayedCall)> = Vec::new();
        // Calls that came to nothing. Whoever waited in vain did not wait again; whoever sent or arrived has done so.
        let mut vain: BTreeSet<u64> = BTreeSet::new();
        for event in Reader::open(path)? {
            let event = event?;
            match (event.member, event.body) {
                (_, Body::RunStarted { members, .. }) => replay.members = members,
                (Some(member), Body::DeviceAllocated { device, addresses, .. }) => {
                    replay.addresses.extend(addresses.into_iter().map(|address| (address, member, device.clone())));
                }
                (Some(member), Body::CallMade { call_id, call, message_id, role, data, limit_s, .. }) => {
                    let Some(call) = call_of(&call, &message_id, role, data) else { continue };
                    let limit = limit_s.and_then(|limit| Duration::try_from_secs_f64(limit).ok());
                    let call = PlayedCall { number: call_id, call, limit };
                    made.push((member, call.clone()));
                    replay.steps.entry(member).or_default().push(Step::Make(call));
                }
                (Some(member), Body::CallAnswered { call_id, ok, .. }) => {
                    let steps = replay.steps.entry(member).or_default();
                    if ok {
                        steps.push(Step::Await(call_id));
                    } else {
                        vain.insert(call_id);
                    }
                }
                _ => {}
            }
        }
        let counts = |call: &PlayedCall| matches!(call.call, Call::Send { .. } | Call::Sync { .. });
        for steps in replay.steps.values_mut() {
            steps.retain(|step| match step {
                Step::Make(call) => counts(call) || !vain.contains(&call.number),
                Step::Await(_) => true,
            });
        }
        Ok(replay)
    }

    /// What a member of `role` did, the one of this number (from 0) among `of` of its role.
    pub(crate) fn steps(&self, role: &str, number: usize, of: usize) -> Result<Vec<Step>, NoReplay> {
        let same: Vec<&MemberInfo> = self.members.iter().filter(|member| member.role == role).collect();
        match same.get(number) {
            Some(member) if same.len() == of => Ok(self.steps.get(&member.sub_id).cloned().unwrap_or_default()),
            _ => Err(NoReplay::OtherGroup { role: role.to_owned(), had: same.len(), wanted: of }),
        }
    }

    /// What to warn of in a call: values that were an address of the earlier run.
    pub(crate) fn addresses_in(&self, call: &Call) -> Vec<String> {
        let Call::Send { message_id, message: Value::Object(message) } = call else { return Vec::new() };
        let mut found = Vec::new();
        for (key, value) in message {
            let text = value.as_str().unwrap_or_default();
            let words: Vec<&str> = text.split(|c: char| !(c.is_ascii_hexdigit() || c == '.' || c == ':')).collect();
            for (address, member, device) in self.addresses.iter().filter(|(address, ..)| words.contains(&&**address)) {
                let role = self.members.iter().find(|info| info.sub_id == *member).map_or("", |info| &info.role);
                found.push(format!(
                    "{message_id} is sent with {key}={text}: {address} was the address of {role} ({device}) in the earlier \
                     run, and nothing may answer there now"
                ));
            }
        }
        found
    }
}

fn call_of(call: &str, message_id: &str, role: Option<String>, data: Vec<(String, String)>) -> Option<Call> {
    let message_id = MessageId::new(message_id);
    Some(match call {
        "send" => {
            let message: Map<String, Value> = data.into_iter().map(|(key, value)| (key, value.into())).collect();
            Call::Send { message_id, message: Value::Object(message) }
        }
        "wait" => Call::Wait { message_id },
        "wait_all" => Call::WaitAll { message_id, role: role.map(RoleName::new) },
        "sync" => Call::Sync { message_id },
        "group_data" => Call::Assemble,
        _ => return None,
    })
}

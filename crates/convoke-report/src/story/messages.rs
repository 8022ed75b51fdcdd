//! Which send reached which wait.
//!
//! A wait is answered with the senders and what each of them sent. Of several sends of one member under one ID the last one
//! counts that was made before the answer and has that content, for sending again replaces the content.

use std::collections::HashMap;

use serde_json::Value;

use super::calls::Call;

/// A message that a wait took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Index of the send in the story's calls; `None` when its sender's journal is elsewhere.
    pub send: Option<usize>,
    /// Index of the wait.
    pub wait: usize,
    /// Name of the sender in the MultiNode API.
    pub sender: String,
    /// Whether it came while the wait was open, and last: the one that ended it.
    pub ended_it: bool,
}

/// All messages, in the order of the answers; `names` are those of the MultiNode API.
pub(super) fn of(calls: &[Call], names: &[(&str, u32)]) -> Vec<Message> {
    let numbers: HashMap<&str, u32> = names.iter().copied().collect();
    let mut sends: HashMap<(u32, &str), Vec<usize>> = HashMap::new();
    for (index, call) in calls.iter().enumerate().filter(|(_, call)| call.call == "send") {
        sends.entry((call.member, call.message_id.as_str())).or_default().push(index);
    }
    let mut answered: Vec<(u64, usize)> = calls
        .iter()
        .enumerate()
        .filter(|(_, call)| matches!(call.call.as_str(), "wait" | "wait_all"))
        .filter_map(|(index, call)| Some((call.end.as_ref().filter(|end| end.ok)?.at_ns, index)))
        .collect();
    answered.sort_unstable();
    let mut out = Vec::new();
    for (at, wait) in answered {
        let first = out.len();
        for (sender, data) in calls[wait].end.iter().flat_map(|end| &end.messages) {
            let made = numbers
                .get(sender.as_str())
                .and_then(|member| sends.get(&(*member, calls[wait].message_id.as_str())))
                .map_or(&[][..], Vec::as_slice);
            let before = || made.iter().rev().copied().filter(|send| calls[*send].made_ns <= at);
            let send = before().find(|send| carries(&calls[*send], data)).or_else(|| before().next());
            out.push(Message { send, wait, sender: sender.clone(), ended_it: false });
        }
        let last = (first..out.len())
            .filter_map(|index| Some((calls[out[index].send?].made_ns, index)))
            .filter(|(made, _)| *made >= calls[wait].made_ns)
            .max();
        if let Some((_, index)) = last {
            out[index].ended_it = true;
        }
    }
    out
}

fn carries(send: &Call, data: &Value) -> bool {
    let Some(map) = data.as_object() else { return send.data.is_empty() };
    map.len() == send.data.len()
        && send.data.iter().all(|(key, value)| match map.get(key) {
            Some(Value::String(text)) => text == value,
            Some(other) => serde_json::from_str::<Value>(value).is_ok_and(|sent| sent == *other),
            None => false,
        })
}

//! What the job says that its members send, for those of them that are played: from its flow.

use std::collections::BTreeSet;

use convoke_flow::foresight::sendings;
use convoke_flow::{Flow, Judgement, Text};

use crate::plan::Plan;
use crate::played::Player;

/// All sends of a job, in an order in which they can happen. One without any knows nothing.
#[derive(Clone, Debug, Default)]
pub struct Script {
    sends: Vec<Said>,
    /// Members of whom the job does not say all that they send.
    more: BTreeSet<u32>,
}

/// One send of one member.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    sub_id: u32,
    message_id: String,
    /// Values that the job says.
    pub(crate) known: Vec<(String, String)>,
    /// Keys whose values depend on the device, and how these are written.
    pub(crate) wanted: Vec<(String, String)>,
}

impl Script {
    /// What `flow` says.
    pub fn of(flow: &Flow, judgement: &Judgement<'_>) -> Script {
        let mut script = Script::default();
        for sending in sendings(flow, &judgement.played) {
            let sub_id = flow.members[sending.member].sub_id.0;
            let Text::Known(message_id) = &sending.call.id else {
                script.more.insert(sub_id);
                continue;
            };
            let mut said = Said { sub_id, message_id: message_id.to_string(), known: Vec::new(), wanted: Vec::new() };
            for (key, value) in &sending.call.data {
                match (key.known(), value) {
                    (Some(key), Text::Known(value)) => said.known.push((key.to_owned(), value.to_string())),
                    _ => said.wanted.push((key.shown().to_owned(), value.shown().to_owned())),
                }
            }
            script.sends.push(said);
        }
        script
    }

    /// What a member sends with an ID, the first time.
    pub(crate) fn said(&self, sub_id: u32, message_id: &str) -> Option<&Said> {
        self.sends.iter().find(|said| said.sub_id == sub_id && said.message_id == message_id)
    }

    /// Who of `missing`, the played members, sends what somebody waits for: the first who is known to, else, unless a
    /// member that runs sends it, the first who may.
    pub(crate) fn sender<'a>(&self, missing: &[&'a Player], message_id: &str) -> Option<&'a Player> {
        let mut senders = self.sends.iter().filter(|said| said.message_id == message_id).peekable();
        let runs = senders.peek().is_some();
        let known = senders.find_map(|said| missing.iter().find(|player| player.sub_id == said.sub_id));
        let may = || missing.iter().find(|player| self.more.contains(&player.sub_id)).or(missing.first());
        known.or_else(|| may().filter(|_| !runs)).copied()
    }

    /// A message of a played member of which the job does not say every value: its ID, and the keys.
    pub fn lacks(&self, plan: &Plan) -> Option<(&str, Vec<&str>)> {
        let played = |said: &&Said| plan.played.iter().any(|member| member.job.sub_id.0 == said.sub_id);
        let said = self.sends.iter().filter(played).find(|said| !said.wanted.is_empty())?;
        Some((&said.message_id, said.wanted.iter().map(|(key, _)| key.as_str()).collect()))
    }
}

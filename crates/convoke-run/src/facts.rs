//! Where the members are that a wait lacked: said in its refusal.
//!
//! The group knows who has not come; the run knows what they do, from the events of all its members. Here the two meet,
//! between the group and the dispatcher of the member that waits.

use std::sync::Arc;
use std::time::Duration;

use convoke_coordinator::{CallOptions, Clock, GroupClient, LocalFuture};
use convoke_group::{Answer, Call, MemberName, Refusal, WaitView};
use convoke_journal::Recorder;
use convoke_journal::model::ago;

use crate::observer::Names;
use crate::verdict::Known;

/// Members of whom one refusal tells; of a large group the first ones are enough to begin with.
const TOLD: usize = 5;

/// What is known of the members of a group, by their names in it.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) known: Known,
    pub(crate) names: Arc<Names>,
    pub(crate) recorder: Recorder,
}

impl Facts {
    /// `1003 (client) is in boot, auto-login-action, last console line "login:" 48 s ago`, for each of them that does not
    /// wait in `call` itself.
    pub(crate) fn of(&self, members: &[MemberName], call: Option<&str>) -> Vec<String> {
        let now = self.recorder.elapsed_ns();
        self.known.look(|model| {
            let described = |name: &MemberName| {
                let (sub_id, label) = self.names.get(name.as_str())?;
                let position = model.member(*sub_id)?.position();
                let same = call.is_some() && position.waits.as_deref() == call;
                (!same).then(|| format!("{label} {}", position.describe(now)))
            };
            members.iter().filter_map(described).take(TOLD).collect()
        })
    }
}

/// A member's connection to its group, whose refusals tell where the missing members are.
pub(crate) struct Explaining {
    pub(crate) client: Arc<dyn GroupClient>,
    pub(crate) facts: Facts,
}

impl GroupClient for Explaining {
    fn call(&self, call: Call, options: CallOptions) -> LocalFuture<'_, Answer> {
        Box::pin(async move {
            match self.client.call(call, options).await {
                Answer::Refused { refusal } => {
                    let call = match &refusal {
                        Refusal::TimedOut { what, .. } => Some(what.as_str()),
                        _ => None,
                    };
                    let mut facts = self.facts.of(refusal.missing_members(), call);
                    if let (Some(limit), Some(_)) = (options.limit, call) {
                        let limit = limit.saturating_add(Duration::from_millis(500)).as_nanos();
                        facts.insert(0, format!("waited {}", ago(u64::try_from(limit).unwrap_or(u64::MAX))));
                    }
                    Answer::Refused { refusal: refusal.with_facts(facts) }
                }
                done @ Answer::Done { .. } => done,
            }
        })
    }

    fn leave(&self, why: &str) {
        self.client.leave(why);
    }

    fn waits(&self) -> LocalFuture<'_, Vec<WaitView>> {
        self.client.waits()
    }

    fn clock(&self) -> Clock {
        self.client.clock()
    }

    fn trouble(&self) -> Option<String> {
        self.client.trouble()
    }
}

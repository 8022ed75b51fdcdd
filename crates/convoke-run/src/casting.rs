//! Who plays what: every part is looked up before anything is started.

use std::collections::BTreeMap;

use convoke_coordinator::LocalGroup;
use convoke_group::{MemberName, RoleName};
use convoke_journal::{Body, Recorder};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::execute::RunError;
use crate::plan::{Plan, PlayedMember};
use crate::played::{Ask, Play, Player, Want, improvise};
use crate::replay::Step;
use crate::script::Script;

/// What the played members do.
pub(crate) enum Parts {
    /// Each the steps of an earlier run, with what to warn of.
    Replayed(Vec<(Vec<Step>, Vec<String>)>),
    /// What the real ones need.
    Improvised { lines: (Script, BTreeMap<String, Vec<(String, String)>>), ask: Option<mpsc::UnboundedSender<Ask>> },
}

/// Looks up every part before anything is started.
pub(crate) fn parts(plan: &Plan, play: Option<Play>) -> Result<Parts, RunError> {
    let replay = match play {
        Some(Play::Improvise { script, answers, ask }) => {
            return Ok(Parts::Improvised { lines: (script, answers), ask });
        }
        Some(Play::Replay(replay)) => replay,
        None => return Ok(Parts::Replayed(Vec::new())),
    };
    let role = |member: &PlayedMember| member.job.role().map(ToString::to_string).unwrap_or_default();
    let mut parts = Vec::with_capacity(plan.played.len());
    for (index, member) in plan.played.iter().enumerate() {
        let own = role(member);
        let number = plan.played[..index].iter().filter(|other| role(other) == own).count();
        let of = plan.played.iter().filter(|other| role(other) == own).count();
        let steps = replay.steps(&own, number, of).map_err(RunError::Replay)?;
        let calls = steps.iter().filter_map(|step| if let Step::Make(made) = step { Some(&made.call) } else { None });
        let warnings = calls.flat_map(|call| replay.addresses_in(call)).collect();
        parts.push((steps, warnings));
    }
    Ok(Parts::Replayed(parts))
}

/// The parts, and when they are over.
pub(crate) struct Casting {
    pub(crate) parts: Parts,
    pub(crate) done: CancellationToken,
}

impl Casting {
    /// Starts those that play.
    pub(crate) fn cast(
        self,
        plan: &Plan,
        group: &LocalGroup,
        wanted: mpsc::UnboundedReceiver<Want>,
        recorder: &Recorder,
    ) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let player = |member: &PlayedMember| {
            let role = member.job.role().map(ToString::to_string).unwrap_or_default();
            let client = group.client(MemberName::new(member.name.clone()), RoleName::new(role));
            recorder.member(
                member.job.sub_id.0,
                Body::DeviceAllocated { device: "played".into(), device_type: "none".into(), addresses: Vec::new() },
            );
            Player::new(member, client, recorder.clone())
        };
        let players: Vec<Player> = plan.played.iter().map(player).collect();
        match self.parts {
            _ if players.is_empty() => {}
            Parts::Improvised { lines, ask } => {
                tasks.spawn(improvise(players, wanted, lines, ask, group.clock(), self.done));
            }
            Parts::Replayed(parts) => {
                for (player, (steps, warnings)) in players.into_iter().zip(parts) {
                    for text in warnings {
                        recorder.member(player.sub_id, Body::Log { level: convoke_journal::LogLevel::Warning, text });
                    }
                    tasks.spawn(player.replay(steps, self.done.clone()));
                }
            }
        }
        tasks
    }
}

//! The flow table of a run, from its journal.

use std::collections::HashMap;
use std::path::Path;

use convoke_flow::table::{CallMade, Kind, Outcome, Table, Taker};
use convoke_journal::{Body, Event, ReadError, Reader, RunModel};

/// What a journal says of the flow.
#[derive(Clone, Debug)]
pub struct Happened {
    /// What happened, with what was planned and not reached.
    pub table: Table,
    /// What was planned, when the run recorded it.
    pub planned: Option<Table>,
}

/// Reads the flow of the run in `dir`. `plan` stands for what the run recorded of its plan.
///
/// # Errors
/// The journal cannot be read.
pub fn happened(dir: &Path, plan: Option<Table>) -> Result<Happened, ReadError> {
    let mut model = RunModel::default();
    let mut calls = Calls::default();
    let mut planned = None;
    for event in Reader::open(dir)? {
        let event = event?;
        calls.take(&event);
        if let Body::Planned { flow } = &event.body {
            // A plan of a form that only a newer program knows is none.
            planned = serde_json::from_value::<Table>(flow.clone()).ok().or(planned);
        }
        model.apply(&event);
    }
    let planned = plan.or(planned);
    let takers: Vec<Taker> = model
        .members
        .iter()
        .map(|member| Taker {
            sub_id: member.info.sub_id,
            role: member.info.role.clone(),
            label: member.label.clone(),
            stopped: member
                .failure
                .as_ref()
                .map(|failure| (seconds(member.failed_ns.unwrap_or(model.elapsed_ns)), failure.message.clone())),
        })
        .collect();
    let table = Table::happened(&model.job_name, &takers, &calls.made, planned.as_ref());
    Ok(Happened { table, planned })
}

fn seconds(ns: u64) -> f64 {
    std::time::Duration::from_nanos(ns).as_secs_f64()
}

/// The calls while the journal is read.
#[derive(Default)]
struct Calls {
    made: Vec<CallMade>,
    /// Where each is, by number.
    places: HashMap<u64, usize>,
}

impl Calls {
    fn take(&mut self, event: &Event) {
        let now = seconds(event.elapsed_ns);
        match (&event.body, event.member) {
            (Body::CallMade { call_id, call, message_id, role, from, limit_s, .. }, Some(member)) => {
                let Some(kind) = kind(call) else { return };
                self.places.insert(*call_id, self.made.len());
                self.made.push(CallMade {
                    member,
                    kind,
                    id: message_id.clone(),
                    role: role.clone(),
                    action: (from != "shell").then(|| from.clone()),
                    limit_s: *limit_s,
                    at_s: now,
                    missing: Vec::new(),
                    outcome: Outcome::Open,
                });
            }
            (Body::Waiting { call_id, missing }, _) if !missing.is_empty() => {
                if let Some(call) = self.open(*call_id) {
                    call.missing.clone_from(missing);
                }
            }
            (Body::CallAnswered { call_id, ok, reason, .. }, _) => {
                if let Some(call) = self.open(*call_id) {
                    let after_s = now - call.at_s;
                    let why = reason.clone().unwrap_or_else(|| "no reason is recorded".into());
                    call.outcome = if *ok { Outcome::Done { after_s } } else { Outcome::Refused { after_s, why } };
                }
            }
            _ => {}
        }
    }

    /// A call that has no answer yet.
    fn open(&mut self, call_id: u64) -> Option<&mut CallMade> {
        let call = self.made.get_mut(*self.places.get(&call_id)?)?;
        (call.outcome == Outcome::Open).then_some(call)
    }
}

fn kind(call: &str) -> Option<Kind> {
    Some(match call {
        "send" => Kind::Send,
        "wait" => Kind::Wait,
        "wait_all" => Kind::WaitAll,
        "sync" => Kind::Sync,
        "group_data" => Kind::Assemble,
        // Only a newer program knows it.
        _ => return None,
    })
}

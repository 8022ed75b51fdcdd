//! What happens in the group, as events of the journal.

use std::collections::HashMap;

use convoke_coordinator::{Brake, GroupEvent};
use convoke_group::{CallKind, MemberName, WaitView};
use convoke_journal::{Body, LogLevel};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::facts::Facts;
use crate::played::Want;
use crate::stops::Stoppable;

/// Who is who: name in the group, number and label.
pub(crate) type Names = HashMap<String, (u32, String)>;

/// Records what the group's task tells until the group is gone.
/// Stops are told to `stoppable`.
pub(crate) async fn observe(
    mut events: UnboundedReceiver<GroupEvent>,
    facts: Facts,
    brake: Brake,
    stoppable: Option<Stoppable>,
    wants: Option<UnboundedSender<Want>>,
) {
    while let Some(event) = events.recv().await {
        // A burst of arrivals is one change: of events about the same calls only the last one says how it stands.
        let mut burst = vec![event];
        while let Ok(event) = events.try_recv() {
            burst.push(event);
        }
        for want in wants.iter().flat_map(|_| burst.iter().filter_map(|event| want(event, &facts.names))) {
            // Whoever plays may have ended.
            let _ = wants.as_ref().map(|wants| wants.send(want));
        }
        for (index, event) in burst.iter().enumerate() {
            if !superseded(event, &burst[index + 1..]) {
                record(event, &facts);
            }
            if let (GroupEvent::Stopped { message_id }, Some(stoppable)) = (event, &stoppable) {
                stoppable.stopped(message_id, brake.clone());
            }
        }
    }
}

/// What somebody waits for, for whoever plays the missing members.
fn want(event: &GroupEvent, names: &Names) -> Option<Want> {
    let GroupEvent::Waiting { calls, kind, message_id, missing, .. } = event else { return None };
    let waiter = calls.first()?.member.as_str();
    Some(Want {
        kind: *kind,
        message_id: message_id.clone(),
        calls: calls.iter().filter_map(|call| Some((call.member.as_str().to_owned(), call.call_id?))).collect(),
        waiter: names.get(waiter).map_or(waiter, |(_, label)| label).to_owned(),
        missing: missing.iter().map(|member| member.as_str().to_owned()).collect(),
    })
}

fn superseded(event: &GroupEvent, later: &[GroupEvent]) -> bool {
    let GroupEvent::Waiting { calls, .. } = event else { return false };
    later.iter().any(|other| matches!(other, GroupEvent::Waiting { calls: newer, .. } if calls.iter().all(|call| newer.contains(call))))
}

fn record(event: &GroupEvent, facts: &Facts) {
    let Facts { names, recorder, .. } = facts;
    let number = |member: &MemberName| names.get(member.as_str()).map(|(number, _)| *number);
    match event {
        GroupEvent::Waiting { calls, missing, .. } => {
            let missing: Vec<u32> = missing.iter().filter_map(number).collect();
            for call in calls {
                if let (Some(call_id), Some(member)) = (call.call_id, number(&call.member)) {
                    recorder.member(member, Body::Waiting { call_id, missing: missing.clone() });
                }
            }
        }
        GroupEvent::ProbablyStuck { waits } => {
            let mut words: Vec<String> = waits.iter().map(|wait| in_words(wait, names)).collect();
            let waiting: Vec<MemberName> = waits.iter().map(|wait| wait.member.clone()).collect();
            words.extend(facts.of(&waiting, None));
            recorder.group(Body::ProbablyStuck { waits: words });
        }
        GroupEvent::Stopped { message_id } => {
            recorder.group(Body::Stopped { message_id: message_id.as_str().to_owned() });
        }
        GroupEvent::WentOn { message_id, stood } => {
            let message_id = message_id.as_str().to_owned();
            recorder.group(Body::WentOn { message_id, stood_s: stood.as_secs_f64() });
        }
        GroupEvent::Left { member, why } => {
            let label = names.get(member.as_str()).map_or(member.as_str(), |(_, label)| label);
            recorder.group(Body::Log { level: LogLevel::Debug, text: format!("{label} left the group: {why}") });
        }
        GroupEvent::Registered { .. } => {}
    }
}

/// `1001 (server) waits in lava-wait go; missing: 1002 (client)`.
fn in_words(wait: &WaitView, names: &Names) -> String {
    let label = |member: &MemberName| names.get(member.as_str()).map_or(member.to_string(), |(_, label)| label.clone());
    let command = match wait.kind {
        CallKind::Send => "lava-send",
        CallKind::Wait => "lava-wait",
        CallKind::WaitAll => "lava-wait-all",
        CallKind::Sync => "lava-sync",
        CallKind::Assemble => "group assembly",
    };
    let role = wait.wait_role.as_ref().map(|role| format!(" {role}")).unwrap_or_default();
    let missing: Vec<String> = wait.missing.iter().map(label).collect();
    let missing = if missing.is_empty() {
        "nobody else is left to send it".to_owned()
    } else {
        format!("missing: {}", missing.join(", "))
    };
    format!("{} waits in {command} {}{role}; {missing}", label(&wait.member), wait.message_id)
}

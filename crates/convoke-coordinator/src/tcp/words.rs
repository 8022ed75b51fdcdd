//! The words of refusals that the client makes itself: what a coordinator elsewhere does not say.

use convoke_group::{Answer, Call, CallKind, Refusal};

use super::settings::TcpSettings;

/// The call as one would type it.
pub(super) fn what(call: &Call) -> String {
    let id = call.message_id();
    match call {
        Call::Send { .. } => format!("lava-send {id}"),
        Call::Wait { .. } => format!("lava-wait {id}"),
        Call::WaitAll { role: None, .. } => format!("lava-wait-all {id}"),
        Call::WaitAll { role: Some(role), .. } => format!("lava-wait-all {id} {role}"),
        Call::Sync { .. } => format!("lava-sync {id}"),
        Call::Assemble => "group assembly".to_owned(),
    }
}

/// The call's limit has passed. `last` is the last word of the coordinator or why there was none.
pub(super) fn timed_out(settings: &TcpSettings, call: &Call, last: Option<String>) -> Answer {
    let unknown = match call.kind() {
        CallKind::Send => "the coordinator's answer",
        _ => "members that the coordinator does not name",
    };
    Answer::Refused {
        refusal: Refusal::TimedOut {
            what: what(call),
            waiter: format!("{} ({})", settings.member, settings.role),
            missing: vec![unknown.to_owned()],
            members: Vec::new(),
            hint: last,
        },
    }
}

/// The coordinator said nack, which is for ever (coordinator-protocol.md §3).
pub(super) fn refused(settings: &TcpSettings, call: &Call, reason: Option<String>) -> Answer {
    let why = reason.unwrap_or_else(|| format!("coordinator {} says nack", settings.coordinator));
    let what = what(call);
    // A reason in full begins with the call itself.
    let why = why.strip_prefix(&what).map_or(why.as_str(), |rest| rest.trim_start_matches([':', ' '])).to_owned();
    invalid(what, why)
}

/// The call cannot be made.
pub(super) fn invalid(what: String, why: String) -> Answer {
    Answer::Refused { refusal: Refusal::Invalid { what, why, hint: None } }
}

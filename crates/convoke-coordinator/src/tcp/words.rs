//! The words of refusals: those that the client makes itself, and those that a coordinator of ours gives as the reason of
//! a nack, made into what they were.

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

fn waiter(settings: &TcpSettings) -> String {
    format!("{} ({})", settings.member, settings.role)
}

/// The call's limit has passed. `last` says why there was no word of the coordinator.
pub(super) fn timed_out(settings: &TcpSettings, call: &Call, last: Option<String>) -> Answer {
    let unknown = match call.kind() {
        CallKind::Send => "the coordinator's answer",
        _ => "members that the coordinator does not name",
    };
    refusal(Refusal::TimedOut {
        what: what(call),
        waiter: waiter(settings),
        missing: vec![unknown.to_owned()],
        members: Vec::new(),
        hint: last,
        facts: Vec::new(),
    })
}

/// The coordinator said nack, which is for ever (coordinator-protocol.md §3).
pub(super) fn refused(settings: &TcpSettings, call: &Call, reason: &str) -> Answer {
    let (what, waiter) = (what(call), waiter(settings));
    if reason.is_empty() {
        return invalid(call, format!("coordinator {} says nack", settings.coordinator));
    }
    let of_waiter = format!("{what} of {waiter} ");
    let (hint, members, facts) = (None, Vec::new(), Vec::new());
    // What kind it is decides what the failure is called in the results. A list stays one text.
    refusal(match reason.strip_prefix(&of_waiter).and_then(Kind::of) {
        Some((Kind::TimedOut, rest)) => Refusal::TimedOut { what, waiter, missing: vec![rest], members, hint, facts },
        Some((Kind::AllWaiting, rest)) => Refusal::AllWaiting { what, waiter, waits: vec![rest], members, hint, facts },
        Some((Kind::MembersLeft, rest)) => Refusal::MembersLeft { what, waiter, gone: vec![rest], members, hint },
        None => {
            let why = reason.strip_prefix(&format!("{what}: ")).unwrap_or(reason).to_owned();
            Refusal::Invalid { what, why, hint }
        }
    })
}

/// What a refusal of a waiting call is about.
#[derive(Clone, Copy)]
enum Kind {
    TimedOut,
    AllWaiting,
    MembersLeft,
}

impl Kind {
    /// The beginnings of the words of `convoke_group::Refusal`, the longer ones first.
    const WORDS: [(&str, Kind); 3] = [
        ("timed out; missing: ", Kind::TimedOut),
        ("can no longer be satisfied: every member that could still act is waiting: ", Kind::AllWaiting),
        ("can no longer be satisfied: ", Kind::MembersLeft),
    ];

    fn of(words: &str) -> Option<(Kind, String)> {
        Kind::WORDS.iter().find_map(|(start, kind)| Some((*kind, words.strip_prefix(start)?.to_owned())))
    }
}

/// The call cannot be made.
pub(super) fn invalid(call: &Call, why: String) -> Answer {
    refusal(Refusal::Invalid { what: what(call), why, hint: None })
}

fn refusal(refusal: Refusal) -> Answer {
    Answer::Refused { refusal }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::mem::discriminant;
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use convoke_group::{GroupName, MemberName, MessageId, RoleName};

    use super::*;

    /// What the group says arrives with the same words and as the same kind.
    #[test]
    fn reasons_of_the_group_are_understood() {
        let settings = TcpSettings {
            coordinator: "lab:3079".into(),
            group: GroupName::new("g"),
            size: NonZeroUsize::MIN,
            member: MemberName::new("1"),
            role: RoleName::new("server"),
            hostname: "h".into(),
            poll_delay: Duration::from_secs(1),
        };
        let call = Call::WaitAll { message_id: MessageId::new("go"), role: Some(RoleName::new("client")) };
        let (what, waiter) = (what(&call), waiter(&settings));
        let two = || vec!["2 (client)".to_owned(), "3 (client)".to_owned()];
        let members = Vec::new;
        let hint = Some("did you mean goo?".to_owned());
        for given in [
            Refusal::TimedOut {
                what: what.clone(),
                waiter: waiter.clone(),
                missing: two(),
                members: members(),
                hint: hint.clone(),
                facts: Vec::new(),
            },
            Refusal::MembersLeft {
                what: what.clone(),
                waiter: waiter.clone(),
                gone: two(),
                members: members(),
                hint: None,
            },
            Refusal::AllWaiting {
                what: what.clone(),
                waiter,
                waits: two(),
                members: members(),
                hint,
                facts: Vec::new(),
            },
            Refusal::Invalid { what, why: "no member of the group has the role".into(), hint: None },
        ] {
            let Answer::Refused { refusal } = refused(&settings, &call, &given.to_string()) else { panic!("done") };
            assert_eq!(refusal.to_string(), given.to_string());
            assert_eq!(discriminant(&refusal), discriminant(&given));
        }
    }
}

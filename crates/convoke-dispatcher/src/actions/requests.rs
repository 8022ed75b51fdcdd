//! `protocols: lava-multinode:` requests, made at the start of the action they name (job-definition.md §6).

use std::time::Duration;

use convoke_group::{Answer, Call, MessageId, Messages, Quiet, RoleName};
use convoke_job::member::{GroupMember, Request, RequestCall};
use convoke_job::pipeline::PlannedAction;
use serde_json::{Map, Value};

use crate::calls::{self, Caller};
use crate::context::Context;
use crate::error::ActionError;
use crate::limits::{Deadline, Nature};

/// A member whose pipeline makes a request does nothing else: what a test shell of an earlier block has left alive on the
/// device is heard only by the test shell of a later one.
pub(crate) const QUIET: Quiet = Quiet::Certain;

/// Makes the requests of `action` in list order.
pub(crate) async fn make(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Result<(), ActionError> {
    for request in &action.requests {
        let work = async |ctx: &mut Context| one(ctx, action, request, deadline.remaining()).await;
        ctx.guard(action.name, Nature::Job, deadline, work).await?;
    }
    Ok(())
}

async fn one(ctx: &mut Context, action: &PlannedAction, request: &Request, left: Duration) -> Result<(), ActionError> {
    let Some(caller) = ctx.caller() else {
        return Err(ActionError::job(format!(
            "{} asks for {} but the job has no group: remove `protocols` from the block",
            action.name, request.message_id
        )));
    };
    ctx.log.info(format_args!("{} makes the request {}", action.name, request));
    let call = call_of(request);
    let answered = caller.call(call, calls::limit(request.timeout, &ctx.job, left), QUIET, action.name).await;
    match answered.answer {
        Answer::Refused { refusal } => Err(calls::refused(action.name, &refusal)),
        Answer::Done { messages } => store(ctx, action, request, &messages),
    }
}

fn call_of(request: &Request) -> Call {
    let message_id = MessageId::new(request.message_id.clone());
    match &request.call {
        RequestCall::Send => {
            let data = request.message.iter().map(|(key, value)| (key.clone(), Value::String(value.clone())));
            Call::Send { message_id, message: Value::Object(data.collect()) }
        }
        RequestCall::Wait => Call::Wait { message_id },
        RequestCall::WaitAll(role) => {
            Call::WaitAll { message_id, role: role.as_ref().map(|role| RoleName::new(role.as_str())) }
        }
        RequestCall::Sync => Call::Sync { message_id },
    }
}

/// Keeps what a wait's template asks for under its messageID.
fn store(ctx: &mut Context, action: &PlannedAction, request: &Request, messages: &Messages) -> Result<(), ActionError> {
    let wanted: Vec<&str> = match request.call {
        RequestCall::Wait | RequestCall::WaitAll(_) => {
            request.message.iter().filter(|(_, value)| value.starts_with('$')).map(|(key, _)| key.as_str()).collect()
        }
        RequestCall::Send | RequestCall::Sync => Vec::new(),
    };
    if wanted.is_empty() {
        return Ok(());
    }
    let found = pick(&wanted, messages, &preferred(ctx, request), ctx.members()).map_err(|key| {
        let arrived: Vec<&str> =
            messages.iter().filter_map(|(_, data)| data.as_object()).flat_map(Map::keys).map(String::as_str).collect();
        let arrived = if arrived.is_empty() { "no data came with it".into() } else { arrived.join(", ") };
        ActionError::job(format!("{}: message {} has no key {key}; it has: {arrived}", action.name, request.message_id))
    })?;
    ctx.log.info(format_args!("{} is now {}", request.message_id, Value::Object(found.clone())));
    ctx.stored.entry(action.namespace.clone()).or_default().insert(request.message_id.clone(), found);
    Ok(())
}

/// Whose data count first: the role of the wait, then the role this member depends on (device-side.md §9.3).
fn preferred(ctx: &Context, request: &Request) -> Vec<String> {
    let mut roles = Vec::new();
    if let RequestCall::WaitAll(Some(role)) = &request.call {
        roles.push(role.as_str().to_owned());
    }
    if let Some(role) = ctx.job.group.as_ref().and_then(|group| group.expect_role.as_ref()) {
        roles.push(role.as_str().to_owned());
    }
    if let convoke_job::member::Place::Guest { host_role } = &ctx.job.place {
        roles.push(host_role.as_str().to_owned());
    }
    roles
}

/// The wanted keys, each from the first sender that has it; the key that nobody has is the error.
fn pick<'a>(
    wanted: &[&'a str],
    messages: &Messages,
    preferred: &[String],
    members: &[GroupMember],
) -> Result<Map<String, Value>, &'a str> {
    let senders = in_order(messages, preferred, members);
    wanted
        .iter()
        .map(|key| {
            let value = senders.iter().find_map(|data| data.get(key)).ok_or(*key)?;
            Ok(((*key).to_owned(), value.clone()))
        })
        .collect()
}

/// The data of all senders: those of the preferred roles first, then by member (device-side.md §9.3).
pub(crate) fn in_order<'a>(messages: &'a Messages, preferred: &[String], members: &[GroupMember]) -> Vec<&'a Value> {
    let rank = |sender: &str| {
        let role = members.iter().find(|member| member.name == sender).map(|member| member.role.as_str());
        preferred.iter().position(|wanted| role == Some(wanted)).unwrap_or(preferred.len())
    };
    let mut senders: Vec<&(convoke_group::MemberName, Value)> = messages.iter().collect();
    senders.sort_by_key(|(name, _)| {
        let name = name.as_str();
        (rank(name), name.parse::<u64>().unwrap_or(u64::MAX), name.to_owned())
    });
    senders.into_iter().map(|(_, data)| data).collect()
}

/// Waits for the whole group (job-definition.md §3.5). What the coordinator tells of the members is returned: their
/// names with their roles.
pub(crate) async fn assemble(caller: &Caller) -> Result<Messages, ActionError> {
    let answered = caller.call(Call::Assemble, crate::limits::GROUP_START, Quiet::Unknown, "group_data").await;
    match answered.answer {
        Answer::Done { messages } => Ok(messages),
        Answer::Refused { refusal } => {
            let error = caller.refused("group_data", &refusal);
            Err(if error.reason.as_deref() == Some("sync-timeout") {
                error.reason("group.assembly-timeout")
            } else {
                error
            })
        }
    }
}

/// Waits until the role `expect` says `lava_start` (job-definition.md §6.5, device-side.md §9.2).
pub(crate) async fn delayed_start(caller: &Caller, expect: &str, limit: Duration) -> Result<(), ActionError> {
    let call = Call::WaitAll { message_id: MessageId::new("lava_start"), role: Some(RoleName::new(expect)) };
    let answered = caller.call(call, limit, QUIET, "lava_start").await;
    match answered.answer {
        Answer::Done { .. } => Ok(()),
        Answer::Refused { refusal } => {
            let mut error = caller.refused("delayed start", &refusal);
            if error.reason.as_deref() == Some("group.member-lost") {
                error.message = format!("role {expect} ended before lava_start: {refusal}");
                error = error.reason("host-gone");
            }
            Err(error)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use convoke_group::MemberName;
    use convoke_job::{RoleName as JobRole, SubId};
    use serde_json::json;

    #[test]
    fn the_expected_role_is_asked_first_then_the_smaller_id() {
        let member = |name: &str, role: &str, sub_id| GroupMember {
            name: name.into(),
            role: JobRole::new(role),
            sub_id: SubId(sub_id),
            guest: false,
            device: None,
        };
        let members = [member("9", "peer", 0), member("10", "host", 1), member("8", "peer", 2)];
        let messages = Messages::from(vec![
            (MemberName::new("9"), json!({"ip": "nine", "only9": "x"})),
            (MemberName::new("10"), json!({"ip": "ten"})),
            (MemberName::new("8"), json!({"ip": "eight"})),
        ]);
        let found = pick(&["ip", "only9"], &messages, &["host".into()], &members).unwrap();
        assert_eq!(Value::Object(found), json!({"ip": "ten", "only9": "x"}));
        let found = pick(&["ip"], &messages, &[], &members).unwrap();
        assert_eq!(Value::Object(found), json!({"ip": "eight"}));
        assert_eq!(pick(&["port"], &messages, &[], &members), Err("port"));
    }
}

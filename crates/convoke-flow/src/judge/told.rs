//! Reasons in words: the sentence, how to mend it, and the places.

use convoke_group::CallKind;
use convoke_job::Diagnostic;

use crate::judge::Judgement;
use crate::judge::reason::{Cause, Link, Near, Reason, Waiting};
use crate::model::{Flow, Origin};
use crate::words::{Labels, and, block_of, id, place, roles, unknown, unknowns, verb, what, who};

/// Waits shown behind a cause before the rest is only counted.
const SHOWN: usize = 4;

impl Judgement<'_> {
    /// The mistakes among the reasons as findings, in the order of the reasons. What is only unknown is none.
    pub fn diagnostics(&self, flow: &Flow) -> Vec<Diagnostic> {
        self.reasons.iter().filter_map(|reason| reason.diagnostic(flow)).collect()
    }
}

impl Reason<'_> {
    /// A stable code, one page of documentation each.
    pub fn code(&self) -> &'static str {
        match &self.cause {
            Cause::NeverSent { .. } => "flow.never-sent",
            Cause::WaitAllLacks { .. } => "flow.wait-all-incomplete",
            Cause::SyncMissed { unreachable: true, .. } => "flow.sync-unreachable",
            Cause::SyncMissed { .. } => "flow.sync-incomplete",
            Cause::OwnSendFirst { .. } => "flow.own-send-first",
            Cause::NoSuchRole { .. } => "flow.unknown-role",
            Cause::NeverStarted { .. } => "flow.never-started",
            Cause::Cycle(_) => "flow.cycle",
            Cause::HostMayEnd { .. } if self.is_before_shell() => "flow.no-final-sync",
            Cause::HostMayEnd { .. } => "flow.host-may-end",
            Cause::Depends { .. } => "flow.depends",
            Cause::Opaque(_) => "flow.not-at-hand",
        }
    }

    /// What a host does not wait for comes before the guest's test shell: it does not wait for the guest at all.
    fn is_before_shell(&self) -> bool {
        self.waits.iter().all(|wait| matches!(wait.call.origin, Origin::DelayedStart | Origin::Request { .. }))
    }

    /// What is wrong, or unknown: one sentence.
    pub fn message(&self, flow: &Flow) -> String {
        let members: Vec<usize> = self.waits.iter().flat_map(|wait| wait.members.iter().copied()).collect();
        let who = who(flow, &members);
        let waits = verb(flow, &members, "waits", "wait");
        let first = self.waits.first();
        let name = first.map(|wait| id(&wait.call.id)).unwrap_or_default();
        let helper = first.map(|wait| what(wait.call)).unwrap_or_default();
        match &self.cause {
            Cause::NeverSent { .. } => format!("{who} {waits} for {name}, and nobody sends it"),
            Cause::WaitAllLacks { lacking } => {
                let of = first.and_then(|wait| wait.call.role.as_ref()).map(|role| format!("all of {}", role.shown()));
                let of = of.unwrap_or_else(|| "every member of the group".to_owned());
                let lacking = lacking.concat();
                let never = self::who(flow, &lacking);
                format!(
                    "{who} {waits} until {of} sent {name}, and {never} never {}",
                    verb(flow, &lacking, "does", "do")
                )
            }
            Cause::SyncMissed { missing, made, uneven, unreachable, .. } => {
                let missing = missing.concat();
                let never = self::who(flow, &missing);
                match uneven {
                    _ if *unreachable => {
                        let has = verb(flow, &missing, "has", "have");
                        format!(
                            "`{helper}` needs every member of the group, and {never} {has} no test shell to call it from"
                        )
                    }
                    Some((most, least)) => {
                        let made = self::who(flow, &made.concat());
                        format!("{name} is synced {most} times by {made}, and {least} times by {never}")
                    }
                    None => {
                        let made = self::who(flow, &made.concat());
                        format!("{name} is synced by {made} only; {never} never {}", verb(flow, &missing, "does", "do"))
                    }
                }
            }
            Cause::OwnSendFirst { send: None } => {
                let of = first.and_then(|wait| wait.call.role.as_ref()).map(|role| format!("all of {}", role.shown()));
                let of = of.unwrap_or_else(|| "every member of the group".to_owned());
                format!("`{helper}` waits for {of}, {who} included, and {who} never sends {name}")
            }
            Cause::OwnSendFirst { send: Some(send) } => {
                format!(
                    "{who} {waits} for {name} before sending it ({}), and needs that very message",
                    place(flow, send)
                )
            }
            Cause::NoSuchRole { .. } => {
                let role = first.and_then(|wait| wait.call.role.as_ref()).map(|role| role.shown().to_owned());
                format!("{who} {waits} for a role that nobody has: \"{}\"", role.unwrap_or_default())
            }
            Cause::NeverStarted { .. } => {
                let expected = first.and_then(|wait| wait.call.role.as_ref()).map(|role| role.shown().to_owned());
                let expected = expected.unwrap_or_default();
                format!("{who} {waits} to be started by {expected}, which never sends {name}")
            }
            Cause::Cycle(links) if links.len() == 1 => format!("{who} {waits} for one another"),
            Cause::Cycle(links) => {
                let who: Vec<String> = links.iter().map(|link| self::who(flow, &link.waiting.members)).collect();
                format!("{} wait for each other", and(&who))
            }
            Cause::HostMayEnd { host } if self.is_before_shell() => no_final_sync(flow, *host, &members).0,
            Cause::HostMayEnd { host } => {
                format!(
                    "{} may end before {who} {} through `{helper}`",
                    self::who(flow, &[*host]),
                    verb(flow, &members, "is", "are")
                )
            }
            Cause::Depends { on, senders } => self.depends(flow, on, senders),
            Cause::Opaque(why) => format!("which calls are made depends on {}", unknowns(flow, why)),
        }
    }

    fn depends(&self, flow: &Flow, on: &[&crate::model::Unknown], senders: &[Waiting<'_>]) -> String {
        let waits: Vec<String> = self
            .waits
            .iter()
            .map(|wait| {
                format!("`{}` of {} ({})", what(wait.call), who(flow, &wait.members), place(flow, &wait.call.place))
            })
            .collect();
        let on = if on.is_empty() { "calls that may be open at once".to_owned() } else { unknowns(flow, on) };
        let depends = if waits.len() == 1 { "depends" } else { "depend" };
        let mut text = format!("{} {depends} on {on}", and(&waits));
        if let Some(sender) = senders.first().filter(|_| self.waits.len() == 1) {
            let (sent_by, at) = (who(flow, &sender.members), place(flow, &sender.call.place));
            text.push_str(&format!(": it needs `{}` of {sent_by} ({at}), which hangs on that", what(sender.call)));
        }
        text
    }

    /// How to mend it.
    pub fn help(&self, flow: &Flow) -> Option<String> {
        let first = self.waits.first();
        let name = first.map(|wait| id(&wait.call.id)).unwrap_or_default();
        let plain = first.map(|wait| wait.call.id.shown().to_owned()).unwrap_or_default();
        let own = first.map_or(CallKind::Wait, |wait| wait.call.kind);
        let mut help = match &self.cause {
            Cause::NeverSent { near } => near
                .as_ref()
                .map_or_else(|| format!("add `lava-send {plain}` where it is ready"), |near| meant(near, own)),
            Cause::WaitAllLacks { lacking } => {
                let lacking = who(flow, &lacking.concat());
                match first.and_then(|wait| wait.call.role.as_ref()) {
                    Some(_) => format!("add `lava-send {plain}` to {lacking}, in every branch"),
                    None => format!(
                        "name the role that sends, `lava-wait-all {plain} ROLE`, or send {name} from {lacking}, too"
                    ),
                }
            }
            Cause::SyncMissed { near: Some(near), .. } => meant(near, own),
            Cause::SyncMissed { unreachable: true, .. } => {
                "use lava-send and lava-wait between those who have a test shell".to_owned()
            }
            Cause::SyncMissed { missing, uneven, .. } => {
                let missing = who(flow, &missing.concat());
                let again = if uneven.is_some() { " as often" } else { "" };
                format!(
                    "a sync waits for every member of the group: add `lava-sync {plain}` to {missing}{again}, or use lava-send and lava-wait"
                )
            }
            Cause::OwnSendFirst { send } => match send {
                None => format!("add `lava-send {plain}` before it, or name the role to wait for"),
                Some(_) => "send first, and wait afterwards".to_owned(),
            },
            Cause::NoSuchRole { near: Some(near), .. } => format!("did you mean {near}?"),
            Cause::NoSuchRole { roles, .. } => format!("the roles are {}", and(roles)),
            Cause::NeverStarted { near: Some(near) } => meant(near, own),
            Cause::NeverStarted { near: None } => {
                format!(
                    "call `lava-send {plain}` in a test definition of the role that hosts, when it is ready for guests"
                )
            }
            Cause::Cycle(links) => draw(flow, links),
            Cause::HostMayEnd { host } if self.is_before_shell() => {
                let members: Vec<usize> = self.waits.iter().flat_map(|wait| wait.members.iter().copied()).collect();
                no_final_sync(flow, *host, &members).1
            }
            Cause::HostMayEnd { host } => {
                format!("let {} wait for it: a last lava-sync of both", who(flow, &[*host]))
            }
            Cause::Depends { .. } | Cause::Opaque(_) => return None,
        };
        if let Some(first) = first
            && !first.only_if.is_empty()
            && self.waits.iter().all(|wait| !wait.only_if.is_empty())
        {
            help.push_str(&format!(
                "\nit matters only if it gets there, which depends on {}",
                unknown(flow, first.only_if[0])
            ));
        }
        if self.provided {
            help.push_str("\nwhen it fails, the script goes on");
        }
        if !self.behind.is_empty() {
            let line = |wait: &Waiting| {
                format!("{} in `{}` ({})", who(flow, &wait.members), what(wait.call), place(flow, &wait.call.place))
            };
            let mut lines: Vec<String> = self.behind.iter().take(SHOWN).map(line).collect();
            if self.behind.len() > SHOWN {
                lines.push(format!("{} more calls", self.behind.len() - SHOWN));
            }
            help.push_str(&format!("\nbehind it wait: {}", lines.join("; ")));
        }
        Some(help)
    }

    /// The finding; none when it is no mistake.
    pub fn diagnostic(&self, flow: &Flow) -> Option<Diagnostic> {
        if !self.is_mistake() {
            return None;
        }
        let mut labels = Labels::default();
        for wait in &self.waits {
            let text = match (&self.cause, wait.call.kind) {
                (Cause::HostMayEnd { .. }, _) => format!("{} may not get here", who(flow, &wait.members)),
                (_, CallKind::Sync) => format!("{} waits here for all", who(flow, &wait.members)),
                _ => format!("{} waits here", who(flow, &wait.members)),
            };
            labels.add(flow, &wait.call.place, text);
        }
        match &self.cause {
            Cause::NeverSent { near: Some(near) }
            | Cause::NeverStarted { near: Some(near) }
            | Cause::SyncMissed { near: Some(near), .. } => {
                if let Some(place) = &near.place {
                    labels.add(flow, place, format!("{} calls this", roles(&near.roles)));
                }
            }
            Cause::OwnSendFirst { send: Some(send) } => labels.add(flow, send, "sent here, too late"),
            Cause::Cycle(links) => {
                for link in links {
                    if let Some(needs) = &link.needs {
                        let text = format!("{} would get here only afterwards", who(flow, &needs.members));
                        labels.add(flow, &needs.call.place, text);
                    }
                }
            }
            _ => {}
        }
        let first = self.waits.first();
        let path = first.map(|wait| path(flow, wait)).unwrap_or_default();
        let finding = labels.warning(self.code(), path, self.message(flow));
        Some(match self.help(flow) {
            Some(help) => finding.help(help),
            None => finding,
        })
    }
}

/// The words for a host that does not wait for its guests: what is wrong, and how to mend it.
pub(crate) fn no_final_sync(flow: &Flow, host: usize, guests: &[usize]) -> (String, String) {
    let (guests, host) = (who(flow, guests), who(flow, &[host]));
    let message = format!("{host} does not wait for {guests}, whose connection ends with it");
    let help = format!(
        "end both with a lava-sync of one ID, and let {host} do something short after it, so that {guests} can log out"
    );
    (message, help)
}

fn path(flow: &Flow, wait: &Waiting<'_>) -> String {
    let Some(member) = wait.members.first() else { return String::new() };
    if wait.call.origin == Origin::DelayedStart {
        return format!("roles.{}", flow.members[*member].role);
    }
    block_of(flow, *member, wait.call).map(|block| block.path.clone()).unwrap_or_default()
}

fn meant(near: &Near, own: CallKind) -> String {
    let who = roles(&near.roles);
    match near.kind {
        CallKind::Sync if own == CallKind::Sync => format!("did you mean \"{}\", which {who} syncs?", near.name),
        CallKind::Sync => {
            format!("{who} calls `lava-sync {}`: a sync is no message, and only syncs wait for it", near.name)
        }
        _ if own == CallKind::Sync => {
            format!("{who} calls `lava-send {}`: a message is no sync, and only waits get it", near.name)
        }
        _ => format!("did you mean \"{}\", which {who} sends?", near.name),
    }
}

/// A cycle as text, each wait over what it needs.
fn draw(flow: &Flow, links: &[Link<'_>]) -> String {
    let mut lines = Vec::new();
    for (index, link) in links.iter().enumerate() {
        let head = if index == 0 { "┌▶" } else { "│ " };
        let waiting = &link.waiting;
        let (who_waits, at) = (who(flow, &waiting.members), place(flow, &waiting.call.place));
        lines.push(format!("{head} {who_waits} waits in `{}` ({at})", what(waiting.call)));
        let tail = if index + 1 == links.len() { "└─" } else { "│ " };
        lines.push(match &link.needs {
            Some(needs) => {
                let (who_does, at) = (who(flow, &needs.members), place(flow, &needs.call.place));
                format!("{tail}   for `{}` of {who_does} ({at}), which comes after", what(needs.call))
            }
            None => format!("{tail}   for what comes after"),
        });
    }
    lines.join("\n")
}

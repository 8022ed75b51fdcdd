//! What the roles of a group say about each other (rules 8–15, 17, 18 of job-definition.md §11.2).

use std::collections::HashMap;

use super::cursor::Findings;
use super::hints::{closest, listing};
use super::roles::DraftRole;
use crate::diagnostic::Diagnostic;
use crate::ids::RoleName;
use crate::source::Span;

/// What the roles say about each other, and what depends on their kind (rules 8–15, 17, 18).
pub(crate) fn check(roles: &[DraftRole<'_>], findings: &mut Findings) {
    let names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
    let places: HashMap<&str, usize> = names.iter().enumerate().map(|(at, name)| (*name, at)).collect();
    let find = |name: &RoleName| places.get(name.as_str()).map(|at| &roles[*at]);
    let list = listing(&names);
    // Host role to the place where its first guest names it.
    let mut hosts: HashMap<&str, Span> = HashMap::new();
    for role in roles {
        let at = &role.at;
        if role.is_guest() {
            for key in ["device", "worker"] {
                if let Some(at) = at.get(key) {
                    let finding =
                        at.error_at_name("role.guest-device", format!("a connection role has no {key} of its own"));
                    findings.push(finding.help(format!("remove `{key}`, or put it into the host's role")));
                }
            }
            if at.get("host_role").is_none() {
                let finding = at.error_at_name("role.host-role-missing", "`connection` needs a `host_role`");
                findings.push(finding.help(format!("name the role whose device is connected to (roles: {list})")));
            }
        } else if let Some(device) = at.get("device") {
            match &role.count {
                Some(count) if count.value != 1 => {
                    let message = format!("a role with `device` must have count 1 (is {})", count.value);
                    let finding = Diagnostic::error("role.device-count", at.path_of("count"), count.span, message);
                    findings.push(
                        finding.also(device.node.span, "one device").help("remove `device`, or write `count: 1`"),
                    );
                }
                _ if at.get("device_type").is_none() && role.guest.is_none() => {
                    let finding = device.error("role.device-count", "`device` needs a `device_type`");
                    findings.push(finding.help("add the type of this device"));
                }
                _ => {}
            }
        }
        pair(role, findings);
        if let Some(host) = &role.host_role {
            let at = at.get("host_role").unwrap_or_else(|| at.clone());
            match find(&host.value) {
                None => {
                    let finding =
                        at.error("role.unknown-host", format!("no role {:?} (roles: {list})", host.value.as_str()));
                    findings.push(finding.help(match closest(host.value.as_str(), &names) {
                        Some(name) => format!("did you mean `{name}`?"),
                        None => "name a role with a device".into(),
                    }));
                }
                Some(named) if named.name == role.name => {
                    let finding = at.error("role.host-not-device", "a role cannot be its own host");
                    findings.push(finding.help("name a role with a device"));
                }
                Some(named) if named.is_guest() => {
                    let message = format!("{:?} is itself a connection role", named.name.as_str());
                    let finding = at.error("role.host-not-device", message).also(named.at.name, "has no device");
                    findings.push(finding.help("name a role with a device"));
                }
                // Without guests there is nothing to host.
                Some(named) if role.wants_members() => {
                    hosts.entry(named.name.as_str()).or_insert(host.span);
                }
                Some(_) => {}
            }
        }
        if let Some(expected) = &role.expect_role {
            let at = at.get("expect_role").unwrap_or_else(|| at.clone());
            if expected.value == role.name {
                let finding = at.error("role.expect-self", "a delayed role cannot wait for itself");
                findings.push(finding.help("name the role that sends `lava_start`, usually the host's"));
            } else if find(&expected.value).is_none() {
                let message = format!("no role {:?} (roles: {list})", expected.value.as_str());
                findings.push(at.error("role.unknown-expect", message).help(
                    match closest(expected.value.as_str(), &names) {
                        Some(name) => format!("did you mean `{name}`?"),
                        None => "name the role that sends `lava_start`".into(),
                    },
                ));
            }
        }
    }
    for role in roles {
        let (Some(guest), Some(count)) = (hosts.get(role.name.as_str()), &role.count) else { continue };
        if count.value != 1 {
            let message = format!("a host_role must have count 1 (is {})", count.value);
            let finding = Diagnostic::error("role.host-count", role.at.path_of("count"), count.span, message);
            findings.push(
                finding
                    .also(*guest, "guests connect to it")
                    .help("write `count: 1`, or give each host a role of its own"),
            );
        }
    }
    cycles(roles, &places, findings);
}

/// Rule 10.
fn pair(role: &DraftRole<'_>, findings: &mut Findings) {
    let at = &role.at;
    match (at.get("host_role"), at.get("expect_role")) {
        (Some(host), None) => {
            let finding = at.error_at_name("role.expect-pair", "`host_role` needs an `expect_role`");
            let name = host.node.as_text().unwrap_or("NAME");
            findings.push(
                finding.help(format!("add `expect_role: {name}`, the role whose `lava_start` releases this one")),
            );
        }
        // A guest without host_role has been told so.
        (None, Some(expect)) if !role.is_guest() => {
            let finding = expect.error_at_name("role.expect-pair", "`expect_role` needs a `host_role`");
            findings.push(finding.help("add `host_role`, or remove `expect_role`"));
        }
        _ => {}
    }
}

/// Rule 15: delayed roles that wait for each other never start. Each role waits for at most one other, so walking from
/// every role not yet seen finds each cycle once.
fn cycles(roles: &[DraftRole<'_>], places: &HashMap<&str, usize>, findings: &mut Findings) {
    let next = |at: usize| -> Option<usize> {
        let expected = roles[at].expect_role.as_ref().filter(|_| roles[at].delayed_start)?;
        places.get(expected.value.as_str()).copied().filter(|next| *next != at)
    };
    // The walk in which a role was seen, from 1.
    let mut seen = vec![0; roles.len()];
    for start in 0..roles.len() {
        let mut walk = Vec::new();
        let mut at = Some(start);
        while let Some(here) = at.filter(|here| seen[*here] == 0) {
            seen[here] = start + 1;
            walk.push(here);
            at = next(here);
        }
        let closes = at.filter(|here| seen[*here] == start + 1).and_then(|here| walk.iter().position(|w| *w == here));
        if let Some(from) = closes {
            findings.push(cycle(roles, &walk[from..]));
        }
    }
}

fn cycle(roles: &[DraftRole<'_>], walk: &[usize]) -> Diagnostic {
    let expected = |at: usize| roles[at].expect_role.as_ref();
    let span = |at: usize| expected(at).map_or(Span::default(), |expected| expected.span);
    let message: Vec<String> =
        walk.iter().filter_map(|at| Some(format!("{} waits for {}", roles[*at].name, expected(*at)?.value))).collect();
    let first = walk[0];
    let mut finding =
        Diagnostic::error("role.start-cycle", roles[first].at.path_of("expect_role"), span(first), message.join(", "))
            .help("let one of them start without `request: lava-start`, or wait for the host's role");
    for at in &walk[1..] {
        finding = finding.also(span(*at), "and this one waits, too");
    }
    finding
}

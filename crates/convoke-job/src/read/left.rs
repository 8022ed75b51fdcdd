//! `downloads://NAME`: what an earlier deploy to `downloads` of the same member leaves (job-definition.md §7).

use std::collections::BTreeSet;

use super::actions::DraftAction;
use super::cursor::{At, Findings};
use super::hints::{did_you_mean, listing};
use super::roles::DraftRole;
use crate::downloads::name_of;
use crate::member::BlockKind;

/// What has been left before the block that is being looked at.
#[derive(Default)]
struct Left {
    names: BTreeSet<String>,
    /// Something was left whose name shows only when the job runs.
    open: bool,
}

/// Every use of a name that nothing leaves; `roles` is `None` for a single-device job or one member.
pub(crate) fn check(actions: &[DraftAction<'_>], roles: Option<&[DraftRole<'_>]>, findings: &mut Findings) {
    let roles: Vec<Option<&str>> = match roles {
        Some(roles) if !roles.is_empty() => roles.iter().map(|role| Some(role.name.as_str())).collect(),
        _ => vec![None],
    };
    let mut said = BTreeSet::new();
    for role in roles {
        let mut left = Left::default();
        for (place, action) in actions.iter().enumerate() {
            // A block that could not be read may have left anything.
            left.open |= action.index != place;
            if role.is_some_and(|role| !action.runs_for(role)) {
                continue;
            }
            let BlockKind::Deploy { to, .. } = &action.block.kind else { continue };
            let mut used = Vec::new();
            uses(&action.at, 0, &mut used);
            for (url, name) in used {
                if !left.open && !left.names.contains(&name) && said.insert(url.node.span) {
                    missing(&url, &name, &left.names, findings);
                }
            }
            if to == "downloads" {
                leave(&action.at, &mut left);
            }
        }
    }
}

/// The addresses below `at` that name something left.
fn uses<'a>(at: &At<'a>, depth: usize, found: &mut Vec<(At<'a>, String)>) {
    // An overlay of an image of the block is as deep as they go.
    const DEEPEST: usize = 4;
    if depth > DEEPEST {
        return;
    }
    if let Some(url) = at.get("url")
        && let Some(name) = url.node.as_text().and_then(|text| text.strip_prefix("downloads://"))
        && !name.contains('{')
    {
        let name = name.to_owned();
        found.push((url, name));
    }
    at.entries().for_each(|(_, below)| uses(&below, depth + 1, found));
    at.items().for_each(|below| uses(&below, depth + 1, found));
}

fn leave(at: &At<'_>, left: &mut Left) {
    // What its programs make is theirs to name.
    left.open |= at.get("postprocess").is_some();
    let uniquify = at.get("uniquify").is_some_and(|flag| flag.node.as_bool() == Some(true));
    for (label, image) in at.get("images").into_iter().flat_map(|images| images.entries()) {
        let text = |key: &str| image.get(key).and_then(|at| at.node.as_text().map(str::to_owned));
        match text("url") {
            Some(url) if !url.contains('{') => {
                left.names.insert(name_of(&label.text, &url, text("compression").as_deref(), uniquify));
            }
            _ => left.open = true,
        }
    }
}

fn missing(url: &At<'_>, name: &str, left: &BTreeSet<String>, findings: &mut Findings) {
    let names: Vec<&str> = left.iter().map(String::as_str).collect();
    let hint = did_you_mean(name, &names);
    let finding = url.error("deploy.downloads", format!("nothing leaves downloads://{name}{hint}"));
    findings.push(finding.help(if names.is_empty() {
        "add a `deploy: {to: downloads, images: …}` for the same role before this block".to_owned()
    } else {
        format!("earlier deploys to downloads leave {}", listing(&names))
    }));
}

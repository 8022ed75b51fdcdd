//! Which console a test runs on, and whether there is one: what a block needs of the blocks before it
//! (job-definition.md §5 `namespace` and `connection-namespace`, §8, §9).

use super::actions::DraftAction;
use super::cursor::Findings;
use super::hints::listing;
use super::roles::DraftRole;
use crate::member::{Block, BlockKind, TestKind};
use crate::methods;

/// Checks every role's own sequence of blocks; `roles` is `None` for a single-device job or one member.
pub(crate) fn consoles(actions: &[DraftAction<'_>], roles: Option<&[DraftRole<'_>]>, findings: &mut Findings) {
    let named: Vec<Option<&str>> = match roles {
        Some(roles) => roles.iter().map(|role| Some(role.name.as_str())).collect(),
        None => vec![None],
    };
    let mut reported: Vec<(usize, &'static str)> = Vec::new();
    for role in named {
        let mine: Vec<_> = actions.iter().filter(|action| role.is_none_or(|role| action.runs_for(role))).collect();
        let counted = || mine.iter().filter(|action| !matches!(action.block.kind, BlockKind::Command { .. }));
        let with = counted().filter(|action| action.block.common.namespace.is_some()).count();
        if with != 0 && with != counted().count() {
            // Said by rule 38; what belongs together is not known.
            continue;
        }
        let mut report = |action: &DraftAction<'_>, code, message: String, help: String, findings: &mut Findings| {
            if !reported.contains(&(action.index, code)) {
                reported.push((action.index, code));
                findings.push(action.at.error_at_name(code, message).help(help));
            }
        };
        for (at, action) in mine.iter().enumerate() {
            match &action.block.kind {
                BlockKind::Test(kind) if runs_on_a_console(kind, &action.block) => {
                    if let Some((message, help)) = no_console(&mine[..at], action) {
                        report(action, "namespace.console", message, help, findings);
                    } else if let Some((message, help)) = no_overlay(&mine[..at], action) {
                        report(action, "namespace.overlay", message, help, findings);
                    }
                }
                BlockKind::Boot { method, prompts, .. }
                    if prompts.is_empty() && matches!(method.as_str(), "qemu" | "minimal" | "new_connection") =>
                {
                    let blocks: Vec<&Block> = mine.iter().map(|action| &action.block).collect();
                    if action.at.get("prompts").is_none() && methods::wants_shell(&blocks, at) {
                        let message = format!("`prompts` is required for boot with {method}");
                        let help = "add `prompts`; only monitors and interactive scripts do without a shell";
                        report(action, "action.key", message, help.into(), findings);
                    }
                }
                _ => {}
            }
        }
    }
}

/// A container has its own shell, services have none.
fn runs_on_a_console(kind: &TestKind, block: &Block) -> bool {
    match kind {
        TestKind::Definitions(_) => !methods::is_docker_test(block),
        TestKind::Monitors(_) | TestKind::Interactive(_) => true,
        TestKind::Services(_) => false,
    }
}

/// Nothing before the test opens the console that it runs on.
fn no_console(before: &[&DraftAction<'_>], test: &DraftAction<'_>) -> Option<(String, String)> {
    let wanted = test.block.connection_namespace();
    let boots: Vec<&str> = before
        .iter()
        .filter(|action| matches!(action.block.kind, BlockKind::Boot { .. }))
        .map(|action| action.block.namespace())
        .collect();
    if boots.contains(&wanted) {
        return None;
    }
    if test.block.common.namespace.is_none() && test.block.common.connection_namespace.is_none() {
        let message = "nothing gives this test a console: no boot block comes before it";
        return Some((message.into(), "add a boot block, or move the test behind it".into()));
    }
    let message = format!("nothing gives this test a console: no boot block of namespace {wanted:?} comes before it");
    let mut known: Vec<&str> = Vec::new();
    boots.into_iter().for_each(|name| {
        if !known.contains(&name) {
            known.push(name)
        }
    });
    let help = if known.is_empty() {
        format!("add a boot block with `namespace: {wanted}`")
    } else {
        format!(
            "add a boot block with `namespace: {wanted}`, or `connection-namespace` with one of {}",
            listing(&known)
        )
    };
    Some((message, help))
}

/// Definitions go onto the device with a deploy block of their namespace.
fn no_overlay(before: &[&DraftAction<'_>], test: &DraftAction<'_>) -> Option<(String, String)> {
    let BlockKind::Test(TestKind::Definitions(_)) = &test.block.kind else { return None };
    let namespace = test.block.namespace();
    let deploys: Vec<&str> = before
        .iter()
        .filter(|action| matches!(action.block.kind, BlockKind::Deploy { .. }))
        .map(|action| action.block.namespace())
        .collect();
    if deploys.contains(&namespace) {
        return None;
    }
    if test.block.common.namespace.is_none() {
        let message = "nothing puts these definitions onto the device: no deploy block comes before the test";
        return Some((message.into(), "add a deploy block, or move the test behind it".into()));
    }
    let message = format!(
        "nothing puts these definitions onto the device: no deploy block of namespace {namespace:?} comes before the test"
    );
    let help = match deploys.first() {
        Some(first) => format!(
            "write `namespace: {first}` and `connection-namespace: {}`: what that deploy has put onto the device runs \
             on this console",
            test.block.connection_namespace()
        ),
        None => format!("add a deploy block with `namespace: {namespace}`"),
    };
    Some((message, help))
}

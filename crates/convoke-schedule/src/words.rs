//! Phrases that shortages are told in.

use std::collections::BTreeSet;

use crate::similar::nearest;
use crate::wanted::Wanted;

/// The roles of the set, each once, in order.
pub(crate) fn roles(set: &[&Wanted]) -> Vec<String> {
    let mut roles: Vec<String> = Vec::new();
    for role in set.iter().filter_map(|want| want.role.as_ref()) {
        if !roles.contains(role) {
            roles.push(role.clone());
        }
    }
    roles
}

/// `roles a and b together need`, `role a needs`, `the job needs`.
pub(crate) fn who_needs(set: &[&Wanted]) -> String {
    let roles = roles(set);
    match roles.as_slice() {
        [] => "the job needs".to_owned(),
        [role] => format!("role {role} needs"),
        _ => format!("roles {} together need", join(&roles, "and")),
    }
}

/// `4 devices of type docker with tag tap on worker rack-1`: what all of the set have in common.
pub(crate) fn what(set: &[&Wanted]) -> String {
    let first = set.first().map(|want| (&want.device, &want.worker));
    let common = |same: &dyn Fn(&Wanted) -> bool| set.iter().all(|want| same(want));
    let types: BTreeSet<&str> = set.iter().map(|want| want.device_type.as_str()).collect();
    let types: Vec<String> = types.into_iter().map(|name| format!("of type {name}")).collect();
    let mut text = format!("{} {} {}", set.len(), plural(set.len(), "device"), join(&types, "or"));
    text.push_str(&tag_words(set));
    if let Some((device, worker)) = first {
        if let Some(worker) = worker.as_ref().filter(|_| common(&|want| want.worker == *worker)) {
            text.push_str(&format!(" on worker {worker}"));
        }
        if let Some(device) = device.as_ref().filter(|_| common(&|want| want.device == *device)) {
            text.push_str(&format!(" named {device}"));
        }
    }
    text
}

/// ` with tag a`, ` with tags a and b or with tag c`; nothing when one of the set needs no tag.
fn tag_words(set: &[&Wanted]) -> String {
    let all: BTreeSet<&BTreeSet<String>> = set.iter().map(|want| &want.tags).collect();
    if all.iter().any(|tags| tags.is_empty()) {
        return String::new();
    }
    // A need for more tags of the same kind is met by no other device: only the widest needs say what counts.
    let widest = all.iter().filter(|tags| !all.iter().any(|other| other != *tags && other.is_subset(tags)));
    let words: Vec<String> = widest
        .map(|tags| {
            let names: Vec<String> = tags.iter().cloned().collect();
            format!("with {} {}", plural(names.len(), "tag"), join(&names, "and"))
        })
        .collect();
    format!(" {}", join(&words, "or"))
}

pub(crate) fn exists(number: usize) -> String {
    match number {
        0 => "none exists".to_owned(),
        1 => "1 exists".to_owned(),
        _ => format!("{number} exist"),
    }
}

pub(crate) fn plural(number: usize, word: &str) -> String {
    if number == 1 { word.to_owned() } else { format!("{word}s") }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn join(words: &[String], last: &str) -> String {
    match words {
        [] => String::new(),
        [word] => word.clone(),
        [front @ .., end] => format!("{} {last} {end}", front.join(", ")),
    }
}

pub(crate) fn suggestion(text: &str, known: &[&str], none: &str, list: &str) -> String {
    if known.is_empty() {
        return none.to_owned();
    }
    if let Some(name) = nearest(text, known.iter().copied()) {
        return format!("did you mean {name}?");
    }
    let shown: Vec<&str> = known.iter().copied().take(12).collect();
    let more = if known.len() > shown.len() { ", …" } else { "" };
    format!("{list}: {}{more}", shown.join(", "))
}

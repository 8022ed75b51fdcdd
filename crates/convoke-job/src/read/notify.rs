//! `notify`: when to tell whom (job-definition.md §2.4). Whether users exist is the server's to check.

use super::cursor::{At, Findings};
use super::hints::did_you_mean;

pub(crate) fn notify(at: &At<'_>, findings: &mut Findings) {
    const KEYS: [&str; 7] = ["criteria", "verbosity", "recipients", "callback", "callbacks", "compare", "per"];
    const CODE: &str = "schema.notify";
    if !findings.is_mapping(at, CODE) {
        return;
    }
    unknown(at, &KEYS, findings);
    match at.get("criteria") {
        None => {
            findings.push(
                at.error_at_name(CODE, "`criteria` is required").help("add for example `criteria: {status: finished}`"),
            );
        }
        Some(criteria) if findings.is_mapping(&criteria, CODE) => match criteria.get("status") {
            Some(status) => {
                findings.word(&status, CODE, &["all", "finished", "running", "complete", "canceled", "incomplete"]);
            }
            None => findings
                .push(criteria.error_at_name(CODE, "`status` is required").help("add for example `status: finished`")),
        },
        Some(_) => {}
    }
    if let Some(kind) = at.get("criteria").and_then(|criteria| criteria.get("type")) {
        findings.word(&kind, CODE, &["regression", "progression"]);
    }
    if let Some(verbosity) = at.get("verbosity") {
        findings.word(&verbosity, CODE, &["verbose", "quiet", "status-only"]);
    }
    if let Some(per) = at.get("per") {
        findings.word(&per, CODE, &["job", "group"]);
    }
    if let Some(recipients) = at.get("recipients")
        && findings.is_list(&recipients, CODE)
    {
        recipients.items().for_each(|item| recipient(&item, findings));
    }
    match (at.get("callback"), at.get("callbacks")) {
        (Some(one), Some(list)) => {
            let finding = list.error_at_name(CODE, "`callback` and `callbacks` exclude each other");
            findings.push(finding.also(one.name, "the other one").help("put all of them into `callbacks`"));
        }
        (Some(one), None) => callback(&one, findings),
        (None, Some(list)) if findings.is_list(&list, CODE) => list.items().for_each(|item| callback(&item, findings)),
        _ => {}
    }
}

fn unknown(at: &At<'_>, known: &[&str], findings: &mut Findings) {
    for (key, value) in at.entries() {
        if !known.contains(&key.text.as_str()) {
            let message = format!("unknown key `{}`{}", key.text, did_you_mean(&key.text, known));
            findings
                .push(value.error_at_name("schema.notify", message).help(format!("known here: {}", known.join(", "))));
        }
    }
}

fn recipient(at: &At<'_>, findings: &mut Findings) {
    const CODE: &str = "schema.notify";
    let Some(to) = at.get("to") else {
        findings.push(at.error_at_name(CODE, "`to` is required").help("write `- to: {method: email, user: NAME}`"));
        return;
    };
    if !findings.is_mapping(&to, CODE) {
        return;
    }
    let method = to.get("method").and_then(|at| findings.word(&at, CODE, &["email", "irc"]));
    let wanted: &[&str] = match method.as_deref() {
        Some("email") => &["email", "user"],
        Some("irc") => &["handle", "user"],
        _ => {
            if to.get("method").is_none() {
                findings.push(to.error_at_name(CODE, "`method` is required").help("write email or irc"));
            }
            return;
        }
    };
    if !wanted.iter().any(|key| to.get(key).is_some()) {
        let finding = to.error_at_name(CODE, format!("one of {} is required", wanted.join(", ")));
        findings.push(finding.help("say who is to be told"));
    }
    if let Some(email) = to.get("email")
        && let Some(text) = findings.filled_text(&email, CODE)
        && !text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
    {
        findings.push(email.error(CODE, format!("{text:?} is no email address")).help("write NAME@HOST"));
    }
}

fn callback(at: &At<'_>, findings: &mut Findings) {
    const CODE: &str = "schema.notify";
    if !findings.is_mapping(at, CODE) {
        return;
    }
    unknown(at, &["url", "method", "token", "header", "dataset", "content-type"], findings);
    match at.get("url") {
        Some(url) => {
            findings.filled_text(&url, CODE);
        }
        None => findings.push(at.error_at_name(CODE, "`url` is required").help("add the address to call")),
    }
    let words: [(&str, &[&str]); 3] = [
        ("method", &["GET", "POST"]),
        ("dataset", &["minimal", "logs", "results", "all"]),
        ("content-type", &["json", "urlencoded"]),
    ];
    for (key, words) in words {
        if let Some(at) = at.get(key) {
            findings.word(&at, CODE, words);
        }
    }
}

//! The top of the page: verdict, names, counts. And its foot.

use convoke_journal::Health;
use convoke_journal::model::Counts;

use super::html::{self, span};
use crate::story::Story;

/// The verdict in a word or two.
pub(super) fn verdict(story: &Story) -> &'static str {
    match story.run.health() {
        None => "Cut off",
        Some(Health::Complete) if fails(story) => "Complete, with failing tests",
        Some(health) => health.as_str(),
    }
}

/// `good`, `bad` or `odd`, for colours.
pub(super) fn tone(story: &Story) -> &'static str {
    match story.run.health() {
        Some(Health::Complete) if !fails(story) => "good",
        None | Some(Health::Canceled) => "odd",
        Some(_) => "bad",
    }
}

fn fails(story: &Story) -> bool {
    story.run.members.iter().flat_map(|member| &member.results).any(convoke_journal::model::CaseResult::fails)
}

/// Results as pills.
pub(super) fn counts(counts: Counts) -> String {
    let all = [("pass", counts.pass), ("fail", counts.fail), ("skip", counts.skip), ("unknown", counts.unknown)];
    let pills: Vec<String> = all
        .iter()
        .filter(|(name, count)| *count > 0 || *name == "pass")
        .map(|(name, count)| format!("<span class=\"pill {name}\"><b>{count}</b> {name}</span>"))
        .collect();
    pills.join(" ")
}

/// The head.
pub(super) fn head(story: &Story) -> String {
    let run = &story.run;
    let members = match story.lanes.len() {
        1 => "1 member".to_owned(),
        count => format!("{count} members"),
    };
    let mut facts = vec![members, span(story.end_ns)];
    if let Some(started) = run.started {
        facts.push(format!("<time>{}</time>", started.strftime("%Y-%m-%d %H:%M:%S UTC")));
    }
    facts.push(html::text(&run.job_file));
    if run.ended.is_some() {
        facts.push(format!("exit status {}", run.exit_status()));
    }
    let rehearsal = if run.rehearsal { " <span class=\"tag\">rehearsal</span>" } else { "" };
    let mut out = format!(
        "<p class=\"verdict {}\">{}</p>\n<h1>{}{rehearsal}</h1>\n<p class=\"facts\">{}</p>\n<p class=\"counts\">{}</p>\n",
        tone(story),
        verdict(story),
        html::text(&run.job_name),
        facts.join(" <span class=\"dot\" aria-hidden=\"true\">·</span> "),
        counts(run.test_counts())
    );
    for finding in &run.findings {
        let place = if finding.line == 0 { String::new() } else { format!("line {}: ", finding.line) };
        out.push_str(&format!(
            "<p class=\"finding\"><b>{}</b> {place}{}</p>\n",
            html::text(&finding.severity),
            html::text(&finding.message)
        ));
    }
    out
}

/// The foot.
pub(super) fn foot(story: &Story) -> String {
    let secrets = match story.secrets {
        0 => "",
        _ => " Secret values are shown as <code>[MASKED]</code>.",
    };
    format!(
        "<p>{}, group {}. Made from <a href=\"journal.jsonl\">journal.jsonl</a> alone; <code>convoke report</code> makes it again.{secrets}</p>",
        html::text(&story.run.program),
        html::text(&story.run.group)
    )
}

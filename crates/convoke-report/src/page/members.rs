//! The members as a table, with their files.

use std::collections::BTreeMap;

use super::head;
use super::html::{self, span};
use crate::story::Story;

/// More members are laid out when their table comes near the window.
const FAR: usize = 30;

/// The section.
pub(super) fn section(story: &Story) -> String {
    // Waits of one member may overlap; each is counted by itself in the call table, here together.
    let mut waited: BTreeMap<u32, Vec<(u64, u64)>> = BTreeMap::new();
    for call in story.calls.iter().filter(|call| !call.waited_for.is_empty()) {
        waited.entry(call.member).or_default().push((call.made_ns, call.made_ns + call.took_ns(story.end_ns)));
    }
    let far = if story.run.members.len() > FAR { " class=\"far\"" } else { "" };
    let mut out = format!(
        "<section id=\"members\"{far} aria-label=\"Members\">\n<h2>Members</h2>\n<div class=\"scroll\"><table class=\"members\">\n<thead><tr><th scope=\"col\">member</th>\
         <th scope=\"col\">device</th><th scope=\"col\">verdict</th><th scope=\"col\">took</th><th scope=\"col\">of it waiting</th>\
         <th scope=\"col\">tests</th><th scope=\"col\">files</th></tr></thead>\n<tbody>\n",
    );
    for member in &story.run.members {
        let device = member.device.as_deref().unwrap_or("–");
        let kind = member.device_type.as_ref().unwrap_or(&member.info.device_type);
        let health = member.health.map_or("Unknown", |health| health.as_str());
        let took = member.duration_s().map_or("–".into(), |seconds| span((seconds * 1e9) as u64));
        let waiting = waited.get(&member.info.sub_id).map_or(0, |waits| union(waits.clone()));
        let waiting = if waiting == 0 { "–".to_owned() } else { span(waiting) };
        let essential = if member.info.essential { " <span class=\"tag\">essential</span>" } else { "" };
        let played = if member.info.played { " <span class=\"tag\">played</span>" } else { "" };
        let folder = html::text(&member.folder());
        out.push_str(&format!(
            "<tr><th scope=\"row\">{}{essential}{played}</th><td>{} <span class=\"quiet\">{}</span></td><td class=\"{}\">{health}</td>\
             <td class=\"n\">{took}</td><td class=\"n\">{waiting}</td><td>{}</td><td class=\"files\"><a href=\"members/{folder}/log.yaml\">log</a> \
             <a href=\"members/{folder}/console.log\">console</a> <a href=\"members/{folder}/definition.yaml\">definition</a></td></tr>\n",
            html::text(&member.label),
            html::text(device),
            html::text(kind),
            health.to_lowercase(),
            head::counts(member.test_counts()),
        ));
    }
    out.push_str("</tbody></table></div>\n</section>\n");
    out
}

/// The time that these spans cover together.
fn union(mut spans: Vec<(u64, u64)>) -> u64 {
    spans.sort_unstable();
    let (mut sum, mut until) = (0, 0);
    for (from, to) in spans {
        sum += to.saturating_sub(from.max(until));
        until = until.max(to);
    }
    sum
}

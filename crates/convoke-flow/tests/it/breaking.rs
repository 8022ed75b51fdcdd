//! Every way to break one call of a job: an ID renamed, a call dropped, the role of a wait-all exchanged, two calls
//! swapped, a call moved to another role. The tests of the program run what is made here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use convoke_flow::{Call, Flow, Origin, Step};
use convoke_group::CallKind;
use convoke_job::{Source, Span};

/// A job with one call broken.
pub(crate) struct Mutant {
    /// How.
    pub(crate) how: &'static str,
    /// Where.
    pub(crate) at: String,
    pub(crate) text: String,
}

/// Where a call is written in the job.
struct Site<'a> {
    span: Span,
    call: &'a Call,
    roles: Vec<String>,
    /// The script in which it is written, by the place of its definition.
    script: usize,
}

/// All calls that are written in the job itself, in the order of the document.
fn sites(flow: &Flow) -> Vec<Site<'_>> {
    fn walk<'a>(steps: &'a [Step], script: usize, out: &mut dyn FnMut(&'a Call, usize)) {
        for step in steps {
            match step {
                Step::Call(call) => out(call, script),
                Step::Block(block) => walk(&block.body, block.place.span.start, out),
                Step::Definition(definition) => walk(&definition.body, definition.place.span.start, out),
                Step::Choice(choice) => choice.ways.iter().for_each(|way| walk(way, script, out)),
                Step::Repeat(repeat) => walk(&repeat.body, script, out),
                Step::Beside(body) => walk(body, script, out),
                Step::Join | Step::Read(_) | Step::Stop(_) | Step::Opaque(_) => {}
            }
        }
    }
    let mut sites: BTreeMap<Span, Site<'_>> = BTreeMap::new();
    for member in &flow.members {
        walk(&member.steps, 0, &mut |call, script| {
            if call.place.text == 0 {
                let fresh = || Site { span: call.place.span, call, roles: Vec::new(), script };
                let site = sites.entry(call.place.span).or_insert_with(fresh);
                site.roles.push(member.role.to_string());
            }
        });
    }
    sites.into_values().collect()
}

/// Every way to break one call of a job.
pub(crate) fn mutants(text: &str, flow: &Flow) -> Vec<Mutant> {
    let sites = sites(flow);
    let roles: BTreeSet<String> = flow.members.iter().map(|member| member.role.to_string()).collect();
    let source = Source::new("", text);
    let mut out = Vec::new();
    let written = |site: &Site<'_>| &text[site.span.start..site.span.end];
    let mut add = |how: &'static str, site: &Site<'_>, mut edits: Vec<(Span, String)>| {
        edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
        let mut mutated = text.to_owned();
        edits.iter().for_each(|(span, with)| mutated.replace_range(span.start..span.end, with));
        let line = source.position(site.span.start).line;
        out.push(Mutant { how, at: format!("{} in line {line}", written(site)), text: mutated });
    };
    for (index, site) in sites.iter().enumerate() {
        let words = written(site);
        let id = site.call.id.known().unwrap_or_default();
        if let Some(at) = words.rfind(id).filter(|_| !id.is_empty()) {
            add("rename an ID", site, vec![(site.span, format!("{}{id}-x{}", &words[..at], &words[at + id.len()..]))]);
        }
        if !words.starts_with("lava-") || !matches!(site.call.origin, Origin::Helper { .. }) {
            continue;
        }
        let dropped = || (site.span, "echo dropped".to_owned());
        add(
            match site.call.kind {
                CallKind::Send => "drop a send",
                CallKind::Sync => "drop a sync",
                _ => "drop a wait",
            },
            site,
            vec![dropped()],
        );
        if let Some(role) = site.call.role.as_ref().and_then(|role| role.known()) {
            for other in roles.iter().filter(|other| *other != role) {
                let with = words.replacen(&format!(" {role}"), &format!(" {other}"), 1);
                add("wait for another role", site, vec![(site.span, with)]);
            }
        }
        let helper = |other: &&Site<'_>| written(other).starts_with("lava-");
        if let Some(next) = sites[index + 1..].iter().find(helper).filter(|next| next.script == site.script) {
            let swapped = vec![(site.span, written(next).to_owned()), (next.span, words.to_owned())];
            add("swap two calls", site, swapped);
        }
        for role in roles.iter().filter(|role| !site.roles.contains(role)) {
            let of_role = |other: &&Site<'_>| other.roles.contains(role) && helper(other);
            if let Some(first) = sites.iter().find(of_role) {
                let before = (first.span, format!("{words}; {}", written(first)));
                add("move a call to another role", site, vec![dropped(), before]);
            }
            if let Some(last) = sites.iter().rfind(of_role) {
                let after = (last.span, format!("{}; {words}", written(last)));
                add("move a call to another role", site, vec![dropped(), after]);
            }
        }
    }
    out
}

/// The jobs of a folder, in the order of their names.
pub(crate) fn jobs(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
    paths.retain(|path| !path.to_string_lossy().ends_with(".lab.yaml"));
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

//! What the check says of a job's calls, compared with what happens when the job is run.
//!
//! A job that can end has every call satisfied; one that cannot does not, and the calls that the findings name are those
//! that hang, besides those that wait for them.

use std::collections::{BTreeMap, BTreeSet};

use convoke_flow::{Judgement, Met, PlayedCall, Repositories, Verdict, judge, read};
use convoke_group::CallKind;
use convoke_job::{Options, Source};
use serde_json::Value;

use crate::harness::{Place, Run, User};

/// A call: the member's number, the kind and the ID.
type Made = (usize, &'static str, String);

/// What the check says of a job.
pub(crate) struct Said {
    text: String,
    pub(crate) verdict: Verdict,
    /// The calls that are certainly made and satisfied.
    met: BTreeSet<Made>,
    /// The calls that are never satisfied.
    lost: BTreeSet<Made>,
    /// Those of them that findings name.
    named: BTreeSet<Made>,
}

impl Said {
    /// What it says of this text; nothing when it is no job.
    pub(crate) fn of(text: String) -> Option<Said> {
        let source = Source::new("job", text.as_str());
        let job = convoke_job::read(&source, &Options::default()).job?;
        let flow = read(&job, &source, &Repositories::new());
        let judgement = judge(&flow);
        let lost = played(&judgement, |call| call.met == Met::Lost);
        let met = played(&judgement, |call| call.only_if.is_empty() && matches!(call.met, Met::Satisfied(_)));
        // What is hidden behind another mistake is told, and not reached.
        let named = named(&judgement).intersection(&lost).cloned().collect();
        Some(Said { verdict: judgement.verdict, met, lost, named, text })
    }

    /// Runs the job, and tells where that is not what was said.
    pub(crate) fn wrong(&self, options: &[&str]) -> Option<String> {
        let place = Place::new(User::Ordinary);
        let text = match self.verdict {
            Verdict::CannotEnd => hasty(&self.text),
            Verdict::CanEnd | Verdict::Unknown => going_on(&self.text),
        };
        let options = [&["--force", "--log-level", "error"], options].concat();
        let run = place.run(&place.write("job.yaml", text), &options);
        let mut told = Vec::new();
        if !run.dir.exists() {
            return Some(run.ended.stderr);
        }
        let (met, failed) = calls(&run);
        let mut tell = |what: &str, calls: BTreeSet<&Made>| {
            if !calls.is_empty() {
                told.push(format!("{what} {calls:?}"));
            }
        };
        tell("these hung:", failed.difference(&self.lost).collect());
        if self.verdict == Verdict::CannotEnd {
            tell("these did not hang:", self.named.difference(&failed).collect());
            if failed.is_empty() || !matches!(run.ended.code, Some(1 | 2)) {
                told.push(format!("it came to its end with {:?}", run.ended.code));
            }
            if self.named.is_empty() {
                told.push("no finding names a call that hangs".into());
            }
        } else {
            tell("these were not satisfied:", self.met.difference(&met).collect());
            let ended = run.journal().into_iter().filter(|event| event["event"] == "member-ended");
            told.extend(ended.filter(|event| event["health"] != "Complete").map(|event| event.to_string()));
        }
        (!told.is_empty()).then(|| format!("{}: {}", self.verdict.as_str(), told.join("; ")))
    }
}

/// What hangs and is not certain to do so ends by its limit, which is awaited: a short one.
fn hasty(text: &str) -> String {
    text.replace("timeout: {seconds: 30}", "timeout: {seconds: 12}")
        .replace("timeout:\n          minutes: 1\n", "timeout:\n          seconds: 12\n")
}

/// Commands that fail, because the data of a dropped message are missing or this machine has no such command, do not end
/// a script: the verdict does not speak of them.
fn going_on(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        out += &format!("{line}\n");
        if let (true, Some(next)) = (line.ends_with(" steps:"), lines.peek()) {
            let indent = &next[..next.len() - next.trim_start().len()];
            out += &format!("{indent}- set +e\n");
        }
    }
    out
}

fn kind(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Send => "send",
        CallKind::Wait => "wait",
        CallKind::WaitAll => "wait_all",
        CallKind::Sync => "sync",
        CallKind::Assemble => "group_data",
    }
}

fn played(judgement: &Judgement<'_>, which: impl Fn(&PlayedCall<'_>) -> bool) -> BTreeSet<Made> {
    let by = &judgement.played.played_by;
    let calls = judgement.played.calls.iter().filter(|call| which(call));
    calls
        .flat_map(|made| {
            let members = (0..by.len()).filter(|member| by[*member] == made.member);
            members.map(|member| (member, kind(made.call.kind), made.call.id.shown().to_owned()))
        })
        .collect()
}

fn named(judgement: &Judgement<'_>) -> BTreeSet<Made> {
    let waits = judgement.reasons.iter().filter(|reason| reason.is_mistake()).flat_map(|reason| &reason.waits);
    waits
        .flat_map(|wait| wait.members.iter().map(|member| (*member, kind(wait.call.kind), wait.call.id.shown().into())))
        .collect()
}

/// The calls of a run: those that were satisfied, and the others.
fn calls(run: &Run) -> (BTreeSet<Made>, BTreeSet<Made>) {
    let (mut met, mut open) = (BTreeSet::new(), BTreeMap::new());
    let journal = run.journal();
    let members = journal[0]["members"].as_array().unwrap();
    // A name in an ID stands in the plan as `‹client 2›`.
    let names: Vec<(&str, String)> = (members.iter().enumerate())
        .map(|(index, member)| {
            let role = |member: &Value| member["role"].as_str().unwrap().to_owned();
            let same = |members: &[Value]| members.iter().filter(|other| role(other) == role(member)).count();
            let number = if same(members) > 1 { format!(" {}", same(&members[..=index])) } else { String::new() };
            (member["name"].as_str().unwrap(), format!("‹{}{number}›", role(member)))
        })
        .collect();
    let planned = |id: &str| names.iter().fold(id.to_owned(), |id, (name, planned)| id.replace(name, planned));
    for event in &journal {
        let number = (event["member"].as_u64(), event["call_id"].as_u64());
        if event["event"] == "call-made" {
            let kinds = ["send", "wait", "wait_all", "sync", "group_data"];
            let kind = kinds.into_iter().find(|kind| event["call"] == **kind).unwrap();
            let member = usize::try_from(event["member"].as_u64().unwrap()).unwrap();
            open.insert(number, (member, kind, planned(event["message_id"].as_str().unwrap())));
        } else if event["event"] == "call-answered" && event["ok"] == true {
            met.extend(open.remove(&number));
        }
    }
    (met, open.into_values().collect())
}

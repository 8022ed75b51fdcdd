//! Jobs with one call broken, run on sandboxes: what happens is what the check has said.
//!
//! A mutant that can end has every call satisfied; one that cannot does not, and the calls that the findings name are
//! those that hang. Twenty of each are run; `CONVOKE_MUTANTS=1000` runs all there are.

#[path = "../../../convoke-flow/tests/it/breaking.rs"]
mod breaking;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use breaking::{Mutant, jobs, mutants};
use convoke_flow::{Judgement, Met, PlayedCall, Repositories, Verdict, judge, read};
use convoke_group::CallKind;
use convoke_job::{Options, Source};
use serde_json::Value;

use crate::harness::{Place, Run, User, repository};

/// What the verdict does not speak of: the server is gone while a client measures with it, and iperf3 hangs by itself.
const BY_ITSELF: [(&str, &str); 3] = [
    ("drop a sync", "lava-sync clients-done in line 30"),
    ("move a call to another role", "lava-sync clients-done in line 30"),
    ("swap two calls", "lava-wait \"turn-of-$turn\" in line 55"),
];

/// A call: the member's number, the kind and the ID.
type Made = (usize, &'static str, String);

/// A mutant and what the check says of it.
struct Tried {
    name: String,
    mutant: Mutant,
    verdict: Verdict,
    /// The calls that are certainly made and satisfied.
    met: BTreeSet<Made>,
    /// The calls that are never satisfied.
    lost: BTreeSet<Made>,
    /// Those of them that findings name.
    named: BTreeSet<Made>,
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

/// What the check says of a mutant; nothing when it is no job any more.
fn tried(name: &str, mutant: Mutant) -> Option<Tried> {
    let source = Source::new("mutant", mutant.text.as_str());
    let job = convoke_job::read(&source, &Options::default()).job?;
    let flow = read(&job, &source, &Repositories::new());
    let judgement = judge(&flow);
    let lost = played(&judgement, |call| call.met == Met::Lost);
    let met = played(&judgement, |call| call.only_if.is_empty() && matches!(call.met, Met::Satisfied(_)));
    // What is hidden behind another mistake is told, and not reached.
    let named = named(&judgement).intersection(&lost).cloned().collect();
    Some(Tried { name: name.to_owned(), verdict: judgement.verdict, met, lost, named, mutant })
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

/// So many of a list, spread over the ways of breaking and over the jobs.
fn spread(mut of: Vec<Tried>, most: usize) -> Vec<Tried> {
    let hows: BTreeSet<&'static str> = of.iter().map(|tried| tried.mutant.how).collect();
    let mut taken: Vec<Tried> = Vec::new();
    for how in hows.iter().cycle() {
        if taken.len() == most || of.is_empty() {
            break;
        }
        let often = |name: &str| taken.iter().filter(|tried| tried.name == name).count();
        let next = of.iter().enumerate().filter(|(_, tried)| tried.mutant.how == *how);
        if let Some((index, _)) = next.min_by_key(|(_, tried)| often(&tried.name)) {
            taken.push(of.remove(index));
        }
    }
    taken
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

/// What is wrong with what was said of a mutant, now that it has run.
fn wrong(tried: &Tried) -> Option<String> {
    let place = Place::new(User::Ordinary);
    let Tried { name, mutant, verdict, .. } = tried;
    let text = match verdict {
        // What hangs and is not certain to do so ends by its limit, which is awaited.
        Verdict::CannotEnd => mutant
            .text
            .replace("timeout: {seconds: 30}", "timeout: {seconds: 12}")
            .replace("timeout:\n          minutes: 1\n", "timeout:\n          seconds: 12\n"),
        // Commands that lack the data of a dropped message fail, which the verdict does not speak of.
        _ => mutant.text.replace("          steps:\n", "          steps:\n          - set +e\n"),
    };
    let run = place.run(&place.write("job.yaml", text), &["--force", "--log-level", "error"]);
    let (met, failed) = calls(&run);
    let list = |calls: BTreeSet<&Made>| calls.iter().map(|call| format!("{call:?}")).collect::<Vec<_>>().join(", ");
    let mut told = Vec::new();
    let mut tell = |what: &str, calls: BTreeSet<&Made>| {
        if !calls.is_empty() {
            told.push(format!("{what} {}", list(calls)));
        }
    };
    tell("these were not satisfied:", tried.met.difference(&met).filter(|_| *verdict == Verdict::CanEnd).collect());
    tell("these hung:", failed.difference(&tried.lost).collect());
    tell("these did not hang:", tried.named.difference(&failed).collect());
    if *verdict == Verdict::CannotEnd {
        if failed.is_empty() || !matches!(run.ended.code, Some(1 | 2)) {
            told.push(format!("it came to its end with {:?}", run.ended.code));
        }
        if tried.named.is_empty() {
            told.push("no finding names a call that hangs".into());
        }
    } else {
        let ended = run.journal().into_iter().filter(|event| event["event"] == "member-ended");
        told.extend(ended.filter(|event| event["health"] != "Complete").map(|event| event.to_string()));
    }
    let (how, at, verdict) = (mutant.how, &mutant.at, verdict.as_str());
    (!told.is_empty()).then(|| format!("{name}: {how}, {at}: {verdict}: {}", told.join("; ")))
}

#[test]
fn what_happens_to_mutants_is_what_the_check_says() {
    let most = std::env::var("CONVOKE_MUTANTS").ok().map_or(20, |most| most.parse().unwrap());
    let (mut end, mut stuck) = (Vec::new(), Vec::new());
    for path in jobs(&repository().join("examples")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        if text.contains("qemu") || path.with_extension("lab.yaml").exists() {
            continue;
        }
        let source = Source::new("job", text.as_str());
        let job = convoke_job::read(&source, &Options::default()).job.unwrap();
        let flow = read(&job, &source, &Repositories::new());
        let broken = mutants(&text, &flow).into_iter();
        let broken = broken.filter(|mutant| !BY_ITSELF.contains(&(mutant.how, &mutant.at)));
        for tried in broken.filter_map(|mutant| tried(&name, mutant)) {
            match tried.verdict {
                Verdict::CanEnd => end.push(tried),
                Verdict::CannotEnd => stuck.push(tried),
                Verdict::Unknown => {}
            }
        }
    }
    let todo = Mutex::new([spread(stuck, most), spread(end, most)].into_iter().flatten());
    let bad = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let next = todo.lock().unwrap().next();
                    let Some(tried) = next else { break };
                    let told = wrong(&tried);
                    bad.lock().unwrap().extend(told);
                }
            });
        }
    });
    let bad = bad.into_inner().unwrap();
    assert!(bad.is_empty(), "{} mutants:\n{}", bad.len(), bad.join("\n"));
}

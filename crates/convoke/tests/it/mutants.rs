//! Jobs with one call broken, run on sandboxes: what happens is what the check has said.
//!
//! Twenty that can end and twenty that cannot; `CONVOKE_MUTANTS=1000` runs all there are.

#[path = "../../../convoke-flow/tests/it/breaking.rs"]
mod breaking;

use std::collections::BTreeSet;
use std::sync::Mutex;

use breaking::{jobs, mutants};
use convoke_flow::{Repositories, Verdict, read};
use convoke_job::{Options, Source};

use crate::harness::repository;
use crate::said::Said;

/// What the verdict does not speak of: the server is gone while a client measures with it, and iperf3 hangs by itself.
const BY_ITSELF: [(&str, &str); 3] = [
    ("drop a sync", "lava-sync clients-done in line 30"),
    ("move a call to another role", "lava-sync clients-done in line 30"),
    ("swap two calls", "lava-wait \"turn-of-$turn\" in line 55"),
];

/// A mutant and what the check says of it.
struct Tried {
    job: String,
    how: &'static str,
    at: String,
    said: Said,
}

/// So many of a list, spread over the ways of breaking and over the jobs.
fn spread(mut of: Vec<Tried>, most: usize) -> Vec<Tried> {
    let hows: BTreeSet<&'static str> = of.iter().map(|tried| tried.how).collect();
    let mut taken: Vec<Tried> = Vec::new();
    for how in hows.iter().cycle() {
        if taken.len() == most || of.is_empty() {
            break;
        }
        let often = |job: &str| taken.iter().filter(|tried| tried.job == job).count();
        let next = of.iter().enumerate().filter(|(_, tried)| tried.how == *how);
        if let Some((index, _)) = next.min_by_key(|(_, tried)| often(&tried.job)) {
            taken.push(of.remove(index));
        }
    }
    taken
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
        for mutant in broken {
            let Some(said) = Said::of(mutant.text) else { continue };
            let tried = Tried { job: name.clone(), how: mutant.how, at: mutant.at, said };
            match tried.said.verdict {
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
                    let Tried { job, how, at, said } = tried;
                    let wrong = said.wrong(&[]).map(|wrong| format!("{job}: {how}, {at}: {wrong}"));
                    bad.lock().unwrap().extend(wrong);
                }
            });
        }
    });
    let bad = bad.into_inner().unwrap();
    assert!(bad.is_empty(), "{} mutants:\n{}", bad.len(), bad.join("\n"));
}

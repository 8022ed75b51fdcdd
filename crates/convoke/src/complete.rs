//! What a shell offers when Tab is pressed: the script asks this program, which knows the roles and IDs of the job on the
//! command line.
//!
//! It never fails: where nothing can be read, nothing is offered. Nothing is printed beside the candidates.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::{CompleteEnv, EnvCompleter, Shells};
use convoke_flow::foresight::{awaited, sendings};
use convoke_job::job::JobKind;
use convoke_lab::Lab;

use crate::arguments::Arguments;
use crate::commands::{Loaded, flow, load};

/// By this variable a shell's script says that it asks.
const ASKED: &str = "CONVOKE_COMPLETE";

/// Answers a shell that asks, and ends; else does nothing.
pub(crate) fn answer() {
    CompleteEnv::with_factory(Arguments::command).var(ASKED).complete();
}

/// The script that makes a shell ask.
pub(crate) fn script(shell: clap_complete::Shell) -> Option<Vec<u8>> {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let completer: &dyn EnvCompleter = shells.completer(&shell.to_string())?;
    completer.write_registration(ASKED, "convoke", "convoke", "convoke", &mut script).ok()?;
    Some(script)
}

/// Roles of the job.
pub(crate) fn roles(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(JobKind::Group(group)) = job().and_then(|loaded| loaded.job).map(|job| job.kind) else {
        return Vec::new();
    };
    matching(current, group.roles.iter().map(|role| role.name.value.to_string()))
}

/// IDs that somebody in the job waits for.
pub(crate) fn ids(current: &OsStr) -> Vec<CompletionCandidate> {
    let flow = job().and_then(|loaded| flow(&loaded).ok().flatten());
    matching(current, flow.iter().flat_map(awaited))
}

/// `ID:KEY=` of each value that somebody in the job sends.
pub(crate) fn answers(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(flow) = job().and_then(|loaded| flow(&loaded).ok().flatten()) else { return Vec::new() };
    let judgement = convoke_flow::judge(&flow);
    let sends = sendings(&flow, &judgement.played);
    let pairs = sends.iter().filter_map(|sending| Some((sending.call.id.known()?, &sending.call.data)));
    let texts =
        pairs.flat_map(|(id, data)| data.iter().filter_map(move |(key, _)| Some(format!("{id}:{}=", key.known()?))));
    matching(current, texts)
}

/// Codes of findings.
pub(crate) fn codes(current: &OsStr) -> Vec<CompletionCandidate> {
    matching(current, convoke_job::codes().map(str::to_owned))
}

fn matching(current: &OsStr, texts: impl Iterator<Item = String>) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let texts: BTreeSet<String> = texts.filter(|text| text.starts_with(&*current)).collect();
    texts.into_iter().map(CompletionCandidate::new).collect()
}

/// The job on the command line that is typed: the first word that is one.
fn job() -> Option<Loaded> {
    // convoke -- convoke run JOB …
    let words: Vec<OsString> = std::env::args_os().skip(4).collect();
    let files = words.iter().map(PathBuf::from).filter(|path| path.is_file());
    files.filter_map(|path| load(&path, &Lab::default(), true).ok()).find(|loaded| loaded.job.is_some())
}

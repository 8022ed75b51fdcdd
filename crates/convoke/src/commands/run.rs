//! `convoke run`: the main job.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use convoke_flow::Flow;
use convoke_flow::foresight::{Waits, waits_for};
use convoke_job::Diagnostic;
use convoke_run::{FolderError, NoPlan, Outcome, Plan, Play, Replay, RunError, RunFolder, RunOptions, Script, Stops};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::arguments::{Answer, RunArguments};
use crate::attend::{Stage, attend};
use crate::commands::job;
use crate::commands::outlook::{self, Outlook};
use crate::commands::signals::Signals;
use crate::failure::Failure;
use crate::output;
use crate::view::{self, Format, Level, is_live};

/// This program, as journals name it.
pub(super) const PROGRAM: &str = concat!("convoke ", env!("CARGO_PKG_VERSION"));

/// Folder of runs that are given none.
const RUNS: &str = "convoke-runs";

pub(crate) fn run(arguments: RunArguments) -> Result<ExitCode, Failure> {
    let can_ask = arguments.format == Format::Auto && io::stdin().is_terminal() && is_live();
    if !arguments.breaks.is_empty() && !can_ask {
        let what = "--break asks at a terminal what to do: run it at one, without --format, or leave --break out";
        return Err(Failure::User(what.into()));
    }
    let replay = arguments.replay.as_deref().map(Replay::read).transpose();
    let replay = replay.map_err(|error| Failure::User(error.to_string()))?;
    let lab = job::load_lab(job::lab_of(arguments.lab.as_deref(), &arguments.job).as_deref())?;
    let mut loaded = job::load(&arguments.job, &lab, arguments.rehearse)?;
    // Of some roles only, the lab need not have what the others ask for.
    if let (Some(job), false, true) = (&loaded.job, arguments.rehearse, arguments.only.is_empty()) {
        loaded.findings.extend(convoke_lab::check_inventory(job, &lab).into_iter().map(or_rehearse));
    }
    let flow = outlook::flow(&loaded)?;
    let outlook = flow.as_ref().map(Outlook::of);
    loaded.findings.extend(outlook.iter().flat_map(Outlook::findings));
    loaded.print();
    let bad = loaded.all().any(Diagnostic::is_error);
    let mut findings = loaded.recorded();
    let job = loaded.job.filter(|_| !bad).ok_or(Failure::Findings)?;
    if let Some(outlook) = &outlook {
        if outlook.is_hopeless() && !arguments.force {
            return Err(Failure::User("the job cannot end, see above; --force runs it all the same".into()));
        }
        findings.extend(outlook.record(&job));
    }
    let group = Uuid::new_v4().to_string();
    if !arguments.breaks.is_empty() && job.size() < 2 {
        return Err(Failure::User("--break stops a group, and this job has a single device and no group".into()));
    }
    breaks(&arguments.breaks, flow.as_ref())?;
    let plan = convoke_run::plan(&job, &lab, &group, arguments.first_id, arguments.rehearse, &arguments.only)
        .map_err(no_plan)?;
    let script = flow.as_ref().zip(outlook.as_ref()).map(|(flow, outlook)| Script::of(flow, outlook.judgement()));
    let script = script.unwrap_or_default();
    if replay.is_none() && arguments.answers.is_empty() && !can_ask {
        values_are_known(&script, &plan)?;
    }
    let folder = match &arguments.output {
        Some(path) => RunFolder::create(path),
        None => RunFolder::create_default(Path::new(RUNS), &job.name, jiff::Timestamp::now()),
    };
    let folder = folder.map_err(|error: FolderError| Failure::User(error.to_string()))?;
    let dir = folder.path().to_owned();
    let level = if arguments.verbose > 0 { Level::verbose(arguments.verbose) } else { arguments.log_level };
    let stage = Stage::default();
    let (tell, stops) = mpsc::unbounded_channel();
    let (ask, asks) = mpsc::unbounded_channel();
    let play = match replay {
        Some(replay) => {
            // Nobody asks, and whoever listens for questions must know it.
            drop(ask);
            Play::Replay(replay)
        }
        None => Play::Improvise { script, answers: answers(arguments.answers), ask: can_ask.then_some(ask) },
    };
    let options = RunOptions {
        job_file: arguments.job.display().to_string(),
        program: PROGRAM.to_owned(),
        views: vec![view::chosen(arguments.format, level, &shown(&dir, arguments.output.as_deref()), &stage)],
        folder,
        keep: arguments.keep,
        findings,
        stops: (!arguments.breaks.is_empty()).then_some(Stops { at: arguments.breaks, tell }),
        play: Some(play),
    };
    attended(async |cancel| {
        // Ends when the run does: nobody is left then to tell of a stop.
        let attending = tokio::spawn(attend(stops, asks, stage, cancel.clone()));
        let outcome = convoke_run::execute(plan, options, cancel).await;
        let _ = attending.await;
        let outcome = outcome.map_err(run_error)?;
        if arguments.keep {
            keep(&outcome).await?;
        }
        Ok(exit_code(&outcome))
    })
}

/// That the group can stop at each of these IDs, as far as is known.
fn breaks(ids: &[String], flow: Option<&Flow>) -> Result<(), Failure> {
    for (id, flow) in ids.iter().zip(flow.into_iter().cycle()) {
        let meant = |near: Option<String>| near.map(|near| format!("; did you mean {near}?"));
        match waits_for(flow, id) {
            Waits::Known => {}
            Waits::Possible { unknown, near } => {
                let meant = meant(near).unwrap_or_default();
                let what = unknown.first().map(String::as_str).unwrap_or_default();
                output::eprint(&format!("warning: --break {id}: nobody is known to wait for it, but {what}{meant}\n"));
            }
            Waits::Never { sent, near, ids } => {
                let sent = if sent { "it is sent, but nobody waits for it" } else { "nobody waits for it" };
                let all = if ids.is_empty() {
                    "; nobody waits for anything".into()
                } else {
                    format!("; what is waited for is {}", ids.join(", "))
                };
                return Err(Failure::User(format!("--break {id}: {sent}{}", meant(near).unwrap_or(all))));
            }
        }
    }
    Ok(())
}

/// That nobody need be asked for what played members send.
fn values_are_known(script: &Script, plan: &Plan) -> Result<(), Failure> {
    let Some((id, keys)) = script.lacks(plan) else { return Ok(()) };
    let key = keys.first().copied().unwrap_or("KEY");
    Err(Failure::User(format!(
        "--only: the job does not say what {} of {id} is: run it at a terminal, without --format, to be asked; or give it with \
         --answer {id}:{key}=VALUE, or an earlier run with --replay DIR",
        keys.join(", ")
    )))
}

/// The values of each message, in the order given.
fn answers(given: Vec<Answer>) -> BTreeMap<String, Vec<(String, String)>> {
    let mut answers: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for (id, value) in given {
        answers.entry(id).or_default().extend(value);
    }
    answers
}

/// Does `work` on a runtime of its own; the user's first signal cancels it.
pub(super) fn attended(
    work: impl AsyncFnOnce(CancellationToken) -> Result<ExitCode, Failure>,
) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::Lab(format!("the machine gives no threads: {error}")))?;
    runtime.block_on(async {
        let cancel = CancellationToken::new();
        let canceller = tokio::spawn(Signals::listen()?.cancel(cancel.clone()));
        let ended = work(cancel).await;
        canceller.abort();
        ended
    })
}

pub(super) fn exit_code(outcome: &Outcome) -> ExitCode {
    ExitCode::from(u8::try_from(outcome.exit_status).unwrap_or(4))
}

/// What a lab lacks, a rehearsal does not need.
fn or_rehearse(mut finding: Diagnostic) -> Diagnostic {
    let rehearse = "--rehearse puts a sandbox in the place of every device";
    finding.help = Some(match finding.help {
        None => rehearse.into(),
        Some(help) => match help.strip_suffix(", or rehearse the job on sandboxes") {
            Some(help) => format!("{help}; or {rehearse}"),
            None => format!("{help}; {rehearse}"),
        },
    });
    finding
}

/// Where the files are, as short as it can be said.
pub(super) fn shown(dir: &Path, given: Option<&Path>) -> PathBuf {
    let here = std::env::current_dir().ok();
    given.or_else(|| dir.strip_prefix(here.as_deref()?).ok()).unwrap_or(dir).to_owned()
}

pub(super) fn no_plan(error: NoPlan) -> Failure {
    Failure::User(error.to_string())
}

pub(super) fn run_error(error: RunError) -> Failure {
    match &error {
        RunError::Devices(cause) if convoke_journal::model::exit_status(cause.class) == 4 => {
            Failure::Bug(error.to_string())
        }
        RunError::Devices(_) | RunError::Record(_) => Failure::Lab(error.to_string()),
        RunError::Replay(_) => Failure::User(error.to_string()),
    }
}

/// Holds the devices until the user has seen enough.
async fn keep(outcome: &Outcome) -> Result<(), Failure> {
    let entrances = outcome.kept.entrances();
    if entrances.is_empty() {
        return Ok(());
    }
    let mut text = String::from("devices are kept until Ctrl-C; enter one with\n");
    for (label, command) in entrances {
        text.push_str(&format!("  {label}: {command}\n"));
    }
    output::print(&text)?;
    Signals::listen()?.next().await;
    outcome.kept.end().await;
    Ok(())
}

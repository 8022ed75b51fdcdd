//! Executes a plan: devices, group, members, verdict, files.

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoke_coordinator::{GroupClient, LocalGroup, TcpClient};
use convoke_dispatcher::device::DeviceInfo;
use convoke_dispatcher::error::ActionError;
use convoke_dispatcher::{DispatchOptions, MemberRun};
use convoke_group::{GroupName, MemberName, RoleName};
use convoke_job::MemberJob;
use convoke_job::member::Place;
use convoke_journal::{Body, Failure, Files, Health, Journal, MemberInfo, Recorder, View};
use convoke_lab::sandbox::Ground;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::casting::{Casting, Parts, parts};
use crate::devices::{self, Logins, MemberDevice};
use crate::facts::{Explaining, Facts};
use crate::folder::RunFolder;
use crate::kept::Shelf;
use crate::observer::{self, Names};
use crate::plan::{Plan, PlannedMember};
use crate::played::{Play, Want};
use crate::replay::NoReplay;
use crate::report::Report;
use crate::stops::{Door, Stoppable, Stops};
use crate::supervise::{Ready, supervise};
use crate::verdict::VerdictView;

/// How a plan is executed.
pub struct RunOptions {
    /// The job file as the user gave it.
    pub job_file: String,
    /// `convoke 0.1.0`.
    pub program: String,
    /// Where the files go.
    pub folder: RunFolder,
    /// Keep the devices after the end, until [`Outcome::kept`] is dropped.
    pub keep: bool,
    /// What looks at the events while they come, besides the files.
    pub views: Vec<Box<dyn View>>,
    /// What the check said, and the planned flow; recorded first.
    pub findings: Vec<Body>,
    /// Where the group is to stop; it must be a group within this process.
    pub stops: Option<Stops>,
    /// How members without a device are played; needed when the plan has some.
    pub play: Option<Play>,
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// Verdict of the group.
    pub health: Health,
    /// First member that failed, and how.
    pub first_failure: Option<(u32, Failure)>,
    /// Exit status of the command.
    pub exit_status: i32,
    /// The devices, when they are kept.
    pub kept: Shelf,
}

/// Why a plan could not be executed, or its record not be kept.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The machine cannot make the devices.
    #[error("{0}")]
    Devices(ActionError),
    /// The earlier run cannot be played.
    #[error("{0}")]
    Replay(NoReplay),
    /// The record could not be written, for example because the disk is full. What could be is there.
    #[error("the record of the run is incomplete: {0}")]
    Record(io::Error),
}

/// Runs the members of `plan` to their ends, their group within this process. Firing `cancel` cancels them.
pub async fn execute(plan: Plan, options: RunOptions, cancel: CancellationToken) -> Result<Outcome, RunError> {
    run(plan, None, options, cancel).await
}

/// Runs the only member of `plan`, whose group is at the coordinator that `client` asks. It has left the group, or could
/// not, when this returns. The others' devices are elsewhere, and so are their networks.
pub async fn execute_member(
    plan: Plan,
    client: TcpClient,
    options: RunOptions,
    cancel: CancellationToken,
) -> Result<Outcome, RunError> {
    let outcome = run(plan, Some(client.clone()), options, cancel).await;
    client.finish().await;
    outcome
}

async fn run(
    plan: Plan,
    remote: Option<TcpClient>,
    options: RunOptions,
    cancel: CancellationToken,
) -> Result<Outcome, RunError> {
    let RunOptions { job_file, program, folder, keep, views, findings, stops, play } = options;
    let parts = parts(&plan, play)?;
    let (journal, recorder) = Journal::create(folder.path()).map_err(RunError::Record)?;
    let (verdict_view, verdict) = VerdictView::new(plan.members.len() + plan.played.len());
    journal.subscribe(Box::new(Files::new(folder.path())));
    journal.subscribe(Box::new(Report::new(folder.path())));
    for view in views {
        journal.subscribe(view);
    }
    let known = verdict_view.known();
    journal.subscribe(Box::new(verdict_view));
    recorder.mask(plan.members.iter().flat_map(|member| &member.job.secrets).map(|(_, value)| value.clone()).collect());
    announce(&plan, job_file.clone(), program.clone(), findings, &recorder);

    let kept = Shelf::new(keep);
    let base = Path::new(&job_file).parent().map(Path::to_owned).unwrap_or_default();
    let template = DispatchTemplate { folder: &folder, base, program: &program, rehearsal: plan.rehearsal };
    let stoppable = stops.map(|stops| Stoppable::new(stops, known.clone(), recorder.clone()));
    let facts = Facts { known, names: Arc::new(names(&plan)), recorder: recorder.clone() };
    let done = CancellationToken::new();
    let casting = Casting { parts, done: done.clone() };
    let started = start(plan, remote, &template, &kept, facts, stoppable.clone(), casting).await;
    let outcome = match started {
        Ok((members, mut played)) => {
            supervise(members, &recorder, cancel).await;
            done.cancel();
            while played.join_next().await.is_some() {}
            if let Some(stoppable) = stoppable {
                stoppable.ended();
            }
            // The view answers as soon as it has seen the last member's end; it cannot go before it has.
            verdict.await.ok()
        }
        Err(error) => {
            recorder.group(Body::Log { level: convoke_journal::LogLevel::Error, text: error.message.clone() });
            recorder.group(Body::RunEnded {
                health: Health::Incomplete,
                first_failure: None,
                exit_status: convoke_journal::model::exit_status(error.class),
            });
            let _ = journal.close();
            return Err(RunError::Devices(error));
        }
    };
    let (health, first_failure, mut exit_status) = match outcome {
        Some(verdict) => (verdict.health, verdict.first_failure, verdict.exit_status),
        None => (Health::Incomplete, None, 4),
    };
    // A run whose record is incomplete is no success, whatever its members say.
    if journal.failure().is_some() && exit_status < 3 {
        exit_status = 3;
    }
    recorder.group(Body::RunEnded { health, first_failure: first_failure.clone(), exit_status });
    drop(recorder);
    journal.close().map_err(RunError::Record)?;
    Ok(Outcome { health, first_failure, exit_status, kept })
}

/// The first events: who takes part, and what the check said.
fn announce(plan: &Plan, job_file: String, program: String, findings: Vec<Body>, recorder: &Recorder) {
    recorder.group(Body::RunStarted {
        version: 1,
        program,
        job_file,
        job_name: plan.job_name.clone(),
        group: plan.group.clone(),
        rehearsal: plan.rehearsal,
        members: everybody(plan),
        secrets: plan.members.iter().map(|member| member.job.secrets.len()).max().unwrap_or_default(),
    });
    for finding in findings {
        recorder.group(finding);
    }
    for member in &plan.members {
        recorder.member(member.job.sub_id.0, Body::Definition { definition: member.job.definition.clone() });
    }
}

fn info(member: &PlannedMember) -> MemberInfo {
    info_of(&member.job, &member.name)
}

fn info_of(job: &MemberJob, name: &str) -> MemberInfo {
    let group = job.group.as_ref();
    MemberInfo {
        sub_id: job.sub_id.0,
        job_id: job.job_id.0,
        name: name.to_owned(),
        role: group.map(|group| group.role.to_string()).unwrap_or_default(),
        device_type: match &job.place {
            Place::Device { device_type, .. } => device_type.to_string(),
            Place::Guest { host_role } => format!("guest of {host_role}"),
        },
        essential: group.is_some_and(|group| group.essential),
        played: false,
    }
}

/// All members of the group, those that are played too.
fn everybody(plan: &Plan) -> Vec<MemberInfo> {
    let mut infos: Vec<MemberInfo> = plan.members.iter().map(info).collect();
    infos.extend(plan.played.iter().map(|member| MemberInfo { played: true, ..info_of(&member.job, &member.name) }));
    infos.sort_by_key(|info| info.sub_id);
    infos
}

/// Where the others reach a device, as far as the lab knows.
fn addresses(device: &DeviceInfo) -> Vec<String> {
    device.files.iter().filter(|(name, _)| name == "ip").map(|(_, text)| text.trim().to_owned()).collect()
}

/// Makes devices and group, and everything each member needs.
async fn start(
    plan: Plan,
    remote: Option<TcpClient>,
    options: &DispatchTemplate<'_>,
    kept: &Shelf,
    facts: Facts,
    stoppable: Option<Stoppable>,
    casting: Casting,
) -> Result<(Vec<Ready>, JoinSet<()>), ActionError> {
    let ground = match plan.ground_settings() {
        Some(settings) => Some(Ground::create(settings).await?),
        None => None,
    };
    let recorder = &facts.recorder;
    let (wants, wanted) = mpsc::unbounded_channel();
    let wants = matches!(casting.parts, Parts::Improvised { .. }).then_some(wants);
    let group = if remote.is_none() { local_group(&plan, &facts, stoppable.clone(), wants) } else { None };
    let played = group.as_ref().map(|group| casting.cast(&plan, group, wanted, recorder)).unwrap_or_default();
    let logins = Logins::of(&plan)?;
    let devices = devices::make(&plan, ground.as_ref(), &logins, kept, stoppable.is_some())?;
    let mut ready = Vec::with_capacity(plan.members.len());
    let mut doors = Vec::with_capacity(plan.members.len());
    let infos: Vec<MemberInfo> = plan.members.iter().map(info).collect();
    let members = plan.members.into_iter().zip(infos).zip(devices.into_iter().zip(logins.authorized));
    for ((member, info), (MemberDevice { device, another }, key)) in members {
        recorder.member(
            member.job.sub_id.0,
            Body::DeviceAllocated {
                device: device.info().name.clone(),
                device_type: device.info().device_type.clone(),
                addresses: addresses(device.info()),
            },
        );
        let client = match (&remote, &group, &member.job.group) {
            (Some(remote), _, Some(_)) => Some(Arc::new(remote.clone()) as Arc<dyn GroupClient>),
            (None, Some(group), Some(membership)) => {
                let role = RoleName::new(membership.role.as_str());
                let client = group.client(MemberName::new(member.name.clone()), role);
                Some(Arc::new(Explaining { client, facts: facts.clone() }) as Arc<dyn GroupClient>)
            }
            _ => None,
        };
        let options = DispatchOptions { authorized_key: key, ..options.for_member(&info)? };
        doors.push(Door {
            sub_id: info.sub_id,
            device: device.info().name.clone(),
            desk: options.desk.clone(),
            another: another.map(|another| Arc::new(Mutex::new(another))),
        });
        ready.push(Ready {
            label: member.label,
            essential: member.job.group.as_ref().is_some_and(|group| group.essential),
            host: member.device.host(),
            run: MemberRun {
                cancel: CancellationToken::new(),
                options,
                job: member.job,
                device,
                client,
                recorder: recorder.clone(),
            },
        });
    }
    if let Some(stoppable) = stoppable {
        stoppable.doors(doors);
    }
    Ok((ready, played))
}

/// What is the same in the options of all members.
struct DispatchTemplate<'a> {
    folder: &'a RunFolder,
    base: PathBuf,
    program: &'a str,
    rehearsal: bool,
}

impl DispatchTemplate<'_> {
    fn for_member(&self, info: &MemberInfo) -> Result<DispatchOptions, ActionError> {
        let scratch = self
            .folder
            .member(info)
            .map_err(|error| ActionError::infrastructure(format!("the folder of a member cannot be made: {error}")))?;
        let mut options = DispatchOptions::new(scratch, self.program);
        options.rehearsal = self.rehearsal;
        options.base = self.base.clone();
        Ok(options)
    }
}

/// The group's task and the observer that records what happens in it; `None` for a single-device job.
fn local_group(
    plan: &Plan,
    facts: &Facts,
    stoppable: Option<Stoppable>,
    wants: Option<mpsc::UnboundedSender<Want>>,
) -> Option<LocalGroup> {
    plan.members.first()?.job.group.as_ref()?;
    let size = NonZeroUsize::new(plan.members.len() + plan.played.len())?;
    let (events, inbox) = mpsc::unbounded_channel();
    let group = LocalGroup::start(GroupName::new(plan.group.clone()), size, events);
    let brake = group.brake();
    brake.stop_at(stoppable.as_ref().map(Stoppable::at).unwrap_or_default());
    tokio::spawn(observer::observe(inbox, facts.clone(), brake, stoppable, wants));
    Some(group)
}

/// Who is who in the group.
fn names(plan: &Plan) -> Names {
    let real = plan.members.iter().map(|member| (&member.name, &member.job, &member.label));
    let played = plan.played.iter().map(|member| (&member.name, &member.job, &member.label));
    real.chain(played).map(|(name, job, label)| (name.clone(), (job.sub_id.0, label.clone()))).collect()
}

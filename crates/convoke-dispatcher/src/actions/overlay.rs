//! Definitions fetched, the overlay made and handed to the device (device-side.md §1).
//!
//! The archive is a nameless file in the scratch directory: whatever ends the member, nothing of it stays behind.

use std::io::{Seek, Write};

use convoke_job::member::{Block, BlockKind, Definition, DefinitionFrom};
use convoke_job::pipeline::PlannedAction;
use convoke_overlay::definition::TestDefinition;
use convoke_overlay::layout::{GroupTable, OverlayError, OverlayPlan, StagedDefinition, write_archive};
use serde_json::{Map, Value};

use crate::actions::{Outcome, Recorded};
use crate::calls::member_name;
use crate::context::Context;
use crate::device::{DOWNLOADS, Deployment, OverlayArchive};
use crate::error::ActionError;
use crate::fetch::{self, Fetched};
use crate::limits::{Deadline, Nature};

/// The `environment` file, in the order of device-side.md §1.2.
pub(crate) fn environment(ctx: &Context) -> Vec<(String, String)> {
    let mut variables = ctx.info.environment.clone();
    variables.extend(ctx.info.configuration.information_variables());
    if ctx.options.rehearsal {
        // A rehearsal has no way to a package server: once is enough, and nobody waits a minute for the next try.
        variables.push(("LAVA_INSTALL_TRIES".to_owned(), "1".to_owned()));
    }
    variables.extend(ctx.job.environment.iter().cloned());
    variables.extend([
        ("LAVA_JOB_ID".to_owned(), ctx.job.job_id.to_string()),
        ("LAVA_DISPATCHER_IP".to_owned(), ctx.info.dispatcher_ip.clone()),
        ("LAVA_JOB_TAGS".to_owned(), ctx.info.tags.join(",")),
        ("LAVA_DISPATCHER_PREFIX".to_owned(), String::new()),
        ("LAVA_DEVICE_HOSTNAME".to_owned(), ctx.info.name.clone()),
        ("LAVA_DEVICE_TYPE".to_owned(), ctx.info.device_type.clone()),
    ]);
    variables
}

/// Says what the overlay will have.
pub(crate) fn describe(ctx: &Context, action: &PlannedAction) -> Outcome {
    ctx.log.debug(format_args!("[{}] preparing the overlay for {}", action.namespace, ctx.results_dir()));
    for (name, value) in environment(ctx) {
        ctx.log.debug(format_args!("- {name}={value}"));
    }
    Ok(None)
}

/// Fetches one definition.
pub(crate) async fn fetch_definition(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    let Some(index) = action.definition else { return Ok(None) };
    let Some((stage, plan)) = ctx.stages.definition(&action.namespace, index) else { return Ok(None) };
    let (mut entry, suite) = (plan.entry.clone(), plan.suite());
    let uuid = format!("{}_{}", ctx.job.job_id, action.level);
    ctx.log.debug(format_args!("uuid={uuid} stage {stage}, suite {suite}"));
    let work = async |ctx: &mut Context| fetch::fetch(&entry, &ctx.options.scratch).await;
    let fetched = ctx.guard(action.name, Nature::Job, deadline, work).await.map_err(|mut error| {
        // The fetcher's own errors name what they are about; a passing limit and a cancel do not.
        if deadline.remaining().is_zero() {
            error.message = format!("{}; it was fetching test definition {}", error.message, described(&entry));
        }
        error
    })?;
    if let Some(commit) = &fetched.commit {
        ctx.log.info(format_args!("{suite}: commit {commit}"));
    }
    let Fetched { document, definition, commit, files } = fetched;
    if ctx.options.rehearsal {
        leave_packages_out(ctx, &mut entry, &definition);
    }
    let staged = StagedDefinition { index, entry, definition, document, uuid, commit, files };
    if let Some((_, plan)) = ctx.stages.definition(&action.namespace, index) {
        plan.fetched = Some(staged);
    }
    Ok(None)
}

/// A rehearsal has no way to a package server. What is missing then makes the step fail that needs it, and only that.
fn leave_packages_out(ctx: &Context, entry: &mut Definition, definition: &TestDefinition) {
    let skip = |part: &str| entry.skip_install.iter().any(|skip| skip == part || skip == "all");
    let mut packages: Vec<&str> = definition.deps.iter().map(String::as_str).collect();
    packages.extend(definition.distro_deps.iter().flat_map(|(_, packages)| packages).map(String::as_str));
    if !packages.is_empty() && !skip("deps") {
        ctx.log.warning(format_args!(
            "{}: a rehearsal installs no packages; its steps find only what this machine has of: {}",
            entry.name,
            packages.join(", ")
        ));
    }
    entry.skip_install.extend(["keys", "sources", "deps"].map(str::to_owned));
}

/// The results of the three actions that prepare a definition's files: they are written with the archive.
pub(crate) fn prepared(ctx: &mut Context, action: &PlannedAction) -> Option<Recorded> {
    let (_, plan) = ctx.stages.definition(&action.namespace, action.definition?)?;
    let staged = plan.fetched.as_ref()?;
    let from = match &staged.entry.from {
        DefinitionFrom::Inline(_) => "inline",
        DefinitionFrom::Git { .. } => "git",
        DefinitionFrom::Url { .. } => "url",
    };
    let mut extra = Map::new();
    extra.insert("from".into(), from.into());
    extra.insert("name".into(), staged.entry.name.clone().into());
    extra.insert("path".into(), staged.entry.path.clone().into());
    extra.insert("uuid".into(), staged.uuid.clone().into());
    Some(Recorded::pass(extra))
}

/// `smoke from https://…`
fn described(entry: &Definition) -> String {
    match &entry.from {
        DefinitionFrom::Inline(_) => entry.name.clone(),
        DefinitionFrom::Git { repository, .. } | DefinitionFrom::Url { repository, .. } => {
            format!("{} from {}", entry.name, fetch::shown(repository))
        }
    }
}

/// Where a definition comes from, for its suite's result.
pub(crate) fn source(entry: &Definition, document: &Value) -> Map<String, Value> {
    let mut facts = Map::new();
    match &entry.from {
        DefinitionFrom::Inline(_) => {
            facts.insert("repository".into(), document.clone());
        }
        DefinitionFrom::Git { repository, branch, revision, .. } => {
            facts.insert("repository".into(), repository.clone().into());
            if let Some(revision) = revision.as_ref().or(branch.as_ref()) {
                facts.insert("revision".into(), revision.clone().into());
            }
        }
        DefinitionFrom::Url { repository, .. } => {
            facts.insert("repository".into(), repository.clone().into());
        }
    }
    facts
}

/// Makes the archive.
pub(crate) async fn compress(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    let work = async |ctx: &mut Context| archive(ctx, action).await;
    let overlay = ctx.guard(action.name, Nature::Job, deadline, work).await?;
    ctx.log.debug(format_args!("made {}", overlay.file_name));
    ctx.overlay = Some(overlay);
    Ok(None)
}

async fn archive(ctx: &Context, action: &PlannedAction) -> Result<OverlayArchive, ActionError> {
    let plan = overlay_plan(ctx, action);
    let scratch = ctx.options.scratch.clone();
    let made = tokio::task::spawn_blocking(move || -> Result<_, ActionError> {
        let disk = |error: std::io::Error| {
            ActionError::infrastructure(format!("cannot write the overlay in {}: {error}", scratch.display()))
        };
        let mut file = tempfile::tempfile_in(&scratch).map_err(disk)?;
        let warnings = write_archive(&plan, &mut file).map_err(|error| match error {
            OverlayError::Write(error) => disk(error),
            error => ActionError::job(error.to_string()),
        })?;
        file.flush().and_then(|()| file.rewind()).map_err(disk)?;
        Ok((file, warnings))
    });
    let (file, warnings) = match made.await {
        Ok(made) => made?,
        Err(error) => {
            return Err(ActionError::new(crate::error::ErrorClass::Bug, format!("making the overlay: {error}")));
        }
    };
    for warning in warnings {
        ctx.log.warning(warning);
    }
    let job = &ctx.job.job_id;
    Ok(OverlayArchive {
        file_name: format!("overlay-{}.tar.gz", action.level),
        file,
        keep_at: Some(format!("/{job}-overlay-{}.tar.gz", action.level)),
        applied: false,
    })
}

/// Whether the action's block says `authorize: ssh`.
fn authorizes(ctx: &Context, action: &PlannedAction) -> bool {
    action.block.is_some_and(|block| ctx.job.blocks[block].parameters.get("authorize") == Some(&Value::from("ssh")))
}

/// Says whose key is put onto the device.
pub(crate) fn authorize(ctx: &Context, action: &PlannedAction) -> Outcome {
    match &ctx.options.authorized_key {
        // A deploy to ssh has the action too; its keys are the admin's business.
        _ if !authorizes(ctx, action) => {}
        Some(_) => ctx.log.info("root of the device will take the key of the group's guests"),
        None => ctx.log.warning("no key is put onto the device: the group has no guests that would log in with one"),
    }
    Ok(None)
}

fn overlay_plan(ctx: &Context, action: &PlannedAction) -> OverlayPlan {
    let job = &ctx.job;
    let os = action.block.and_then(|block| match &job.blocks[block].kind {
        BlockKind::Deploy { os, .. } => os.clone(),
        _ => None,
    });
    OverlayPlan {
        job_id: job.job_id.to_string(),
        results_dir: ctx.results_dir(),
        shell: ctx.info.shell.clone(),
        environment: environment(ctx),
        secrets: job.secrets.clone(),
        group: job.group.as_ref().map(|group| GroupTable {
            self_name: member_name(job),
            role: group.role.as_str().to_owned(),
            members: group.members.clone(),
        }),
        stages: ctx.stages.staged(),
        distro: os.or_else(|| ctx.info.os.clone()),
        device_files: ctx.info.files.clone(),
        authorized_key: authorizes(ctx, action).then(|| ctx.options.authorized_key.clone()).flatten(),
        character_delay: Some(ctx.info.configuration.character_delays.test).filter(|delay| !delay.is_zero()),
    }
}

/// Gives the device what the block has made, unless it is for the device to fetch, or for later blocks.
pub(crate) async fn hand_over(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    if !ctx.options.rehearsal
        && let Some(number) = action.block
        && let BlockKind::Deploy { to, .. } = &ctx.job.blocks[number].kind
    {
        let nothing_more = to == "overlay" || DOWNLOADS.contains(&to.as_str());
        if nothing_more || is_transferred(&ctx.job.blocks, number) {
            ctx.transfer.extend(ctx.overlay.take().map(|overlay| (action.namespace.clone(), overlay)));
        }
        if nothing_more {
            return Ok(None);
        }
    }
    let deployment = match action.block.map(|block| &ctx.job.blocks[block]) {
        Some(Block { kind: BlockKind::Deploy { to, .. }, parameters, .. }) => Deployment {
            to: to.clone(),
            parameters: parameters.clone(),
            images: std::mem::take(&mut ctx.images),
            overlay: ctx.overlay.take().filter(|overlay| !overlay.applied),
            results_dir: ctx.results_dir(),
            scratch: ctx.options.scratch.clone(),
        },
        // A docker test brings its overlay without a deploy block.
        _ => {
            let Some(overlay) = ctx.overlay.take() else { return Ok(None) };
            Deployment::of_overlay("sandbox", overlay)
        }
    };
    let work = async |ctx: &mut Context| ctx.device().deploy(deployment).await;
    ctx.before_test = ctx.guard(action.name, Nature::Lab, deadline, work).await?.before_test;
    ctx.deployed = true;
    Ok(None)
}

/// Whether the device is to fetch the overlay of this deploy block itself: the next boot of its namespace says so.
fn is_transferred(blocks: &[Block], deploy: usize) -> bool {
    let namespace = blocks[deploy].namespace();
    let later = blocks[deploy + 1..].iter().filter(|block| block.namespace() == namespace);
    later
        .take_while(|block| !matches!(block.kind, BlockKind::Deploy { .. }))
        .any(|block| matches!(block.kind, BlockKind::Boot { .. }) && block.parameters.contains_key("transfer_overlay"))
}

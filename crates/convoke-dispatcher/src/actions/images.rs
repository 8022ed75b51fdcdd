//! What a deploy block downloads (job-definition.md §7): each image fetched, verified, unpacked, with its
//! overlays put in, for the device or for later blocks.
//!
//! The work is that of `convoke-artifact`; here it is one action with its limit, its log and its result.

use convoke_artifact::{Artifact, Cache, Error, Fault as Whose, Order, Origin, Resource};
use convoke_device::{Fault, placeholder};
use convoke_job::downloads;
use convoke_job::member::BlockKind;
use convoke_job::pipeline::PlannedAction;
use serde_json::{Map, Value};

use crate::actions::{Outcome, Recorded};
use crate::context::Context;
use crate::device::Image;
use crate::error::{ActionError, ErrorClass};
use crate::limits::{Deadline, Nature};

/// Downloads the image of `action` and makes it ready.
pub(crate) async fn download(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    let Some((label, parameters)) = wanted(ctx, action) else { return Ok(None) };
    let parameters = placeholder::fill(&parameters, &ctx.info.configuration)
        .map_err(|Fault { message, help }| ActionError::job(format!("image {label}: {message}: {help}")))?;
    let work = async |ctx: &mut Context| prepare(ctx, action, &label, &parameters).await;
    let artifact = ctx.guard(action.name, Nature::Lab, deadline, work).await.map_err(|mut error| {
        error.message = format!("{}: image {label}: {}", action.name, error.message);
        error
    })?;
    for note in &artifact.notes {
        ctx.log.warning(format_args!("{label}: {note}"));
    }
    ctx.log.debug(match artifact.origin {
        Origin::Here => format!("{label}: {} bytes, used in place", artifact.size),
        Origin::Downloaded => format!("{label}: {} bytes, downloaded", artifact.size),
        Origin::Kept => format!("{label}: {} bytes, kept from an earlier run", artifact.size),
    });
    let mut extra = Map::from_iter([("label".to_owned(), label.clone().into())]);
    extra.insert("size".into(), artifact.size.into());
    for sum in &artifact.sums.0 {
        extra.insert(format!("{}sum", sum.algorithm.name()), sum.digest.clone().into());
    }
    match deploys_to(ctx, action) {
        Some("downloads") => {
            let name = left_name(ctx, action, &label, &parameters);
            ctx.log.info(format_args!("{label}: later blocks find it at downloads://{name}"));
            extra.insert("downloads".into(), name.clone().into());
            ctx.downloads.insert(name, artifact);
        }
        Some("download") => ctx.log.debug(format_args!("{label}: nothing more is done with it")),
        _ => {
            ctx.images.retain(|image| image.label != label);
            ctx.images.push(Image { label, parameters, file: artifact.file });
        }
    }
    Ok(Some(Recorded::pass(extra)))
}

fn deploys_to<'a>(ctx: &'a Context, action: &PlannedAction) -> Option<&'a str> {
    match &ctx.job.blocks[action.block?].kind {
        BlockKind::Deploy { to, .. } => Some(to),
        _ => None,
    }
}

/// Under which name a deploy to `downloads` leaves the image.
fn left_name(ctx: &Context, action: &PlannedAction, label: &str, parameters: &Map<String, Value>) -> String {
    let text = |key: &str| parameters.get(key).and_then(Value::as_str);
    let block = action.block.map(|block| &ctx.job.blocks[block].parameters);
    let uniquify = block.and_then(|block| block.get("uniquify")) == Some(&Value::Bool(true));
    downloads::name_of(label, text("url").unwrap_or_default(), text("compression"), uniquify)
}

/// The label and the keys of what `action` downloads.
fn wanted(ctx: &Context, action: &PlannedAction) -> Option<(String, Map<String, Value>)> {
    let label = action.image.clone()?;
    let block = &ctx.job.blocks[action.block?].parameters;
    let places = ["images", "extra_files"].into_iter().filter_map(|key| block.get(key)?.get(&label));
    let found = places.chain(block.get(&label)).find_map(Value::as_object)?;
    Some((label, found.clone()))
}

async fn prepare(
    ctx: &mut Context,
    action: &PlannedAction,
    label: &str,
    parameters: &Map<String, Value>,
) -> Result<Artifact, ActionError> {
    let resource = Resource::from_value(&Value::Object(parameters.clone())).map_err(failed)?;
    ctx.log.info(format_args!("downloading {}", convoke_artifact::place::shown(&resource.url)));
    let takes_overlay = resource.wants_lava();
    let order = Order {
        resource,
        scratch: std::path::absolute(&ctx.options.scratch)
            .map_err(|error| ActionError::infrastructure(error.to_string()))?,
        base: ctx.options.base.clone(),
        cache: Cache::of_user(),
        downloads: ctx.downloads.iter().map(|(name, artifact)| (name.clone(), artifact.path())).collect(),
        patience: action.connection_limit,
    };
    let overlay = ctx.overlay.as_ref().filter(|_| takes_overlay).map(|overlay| &overlay.file);
    let artifact = convoke_artifact::prepare(&order, overlay, |_| {}).await.map_err(failed)?;
    if takes_overlay && let Some(overlay) = &mut ctx.overlay {
        ctx.log.debug(format_args!("{label} has the overlay {}", overlay.file_name));
        overlay.applied = true;
    }
    Ok(artifact)
}

/// An artifact's error as an action's.
fn failed(error: Error) -> ActionError {
    let class = match error.fault {
        Whose::Job => ErrorClass::Job,
        Whose::Lab => ErrorClass::Infrastructure,
        Whose::Bug => ErrorClass::Bug,
    };
    ActionError::new(class, error.message)
}

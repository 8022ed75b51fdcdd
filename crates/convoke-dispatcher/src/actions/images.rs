//! What a deploy block downloads (job-definition.md §7): each image fetched, verified, unpacked, with its overlays put in.
//!
//! The work is that of `convoke-artifact`; here it is one action with its limit, its log and its result.

use std::collections::BTreeMap;

use convoke_artifact::{Artifact, Cache, Error, Fault, Order, Origin, Resource};
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
    ctx.images.retain(|image| image.label != label);
    ctx.images.push(Image { label, parameters, file: artifact.file });
    Ok(Some(Recorded::pass(extra)))
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
        downloads: BTreeMap::new(),
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
        Fault::Job => ErrorClass::Job,
        Fault::Lab => ErrorClass::Infrastructure,
        Fault::Bug => ErrorClass::Bug,
    };
    ActionError::new(class, error.message)
}

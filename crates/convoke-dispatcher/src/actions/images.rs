//! What a deploy block downloads (job-definition.md §7): each image fetched, verified, unpacked, with its overlays put in.

use std::fs::File;
use std::io::{Read, Seek, Write};

use convoke_job::pipeline::PlannedAction;
use serde_json::{Map, Value};

use crate::actions::{Outcome, Recorded};
use crate::context::Context;
use crate::device::Image;
use crate::error::ActionError;
use crate::limits::{Deadline, Nature};

/// Downloads the image of `action` and makes it ready.
pub(crate) async fn download(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    let Some((label, parameters)) = wanted(ctx, action) else { return Ok(None) };
    let url = parameters.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
    ctx.log.info(format_args!("downloading {url}"));
    let work = async |ctx: &mut Context| prepare(ctx, action, &parameters).await;
    let (file, size) = ctx.guard(action.name, Nature::Lab, deadline, work).await?;
    ctx.images.retain(|image| image.label != label);
    ctx.images.push(Image { label: label.clone(), parameters, file });
    let extra = [("label", Value::from(label)), ("size", Value::from(size))];
    Ok(Some(Recorded::pass(extra.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())))
}

/// The label and the keys of what `action` downloads.
fn wanted(ctx: &Context, action: &PlannedAction) -> Option<(String, Map<String, Value>)> {
    let label = action.image.clone()?;
    let block = &ctx.job.blocks[action.block?].parameters;
    let places = ["images", "extra_files"].into_iter().filter_map(|key| block.get(key)?.get(&label));
    let found = places.chain(block.get(&label)).find_map(Value::as_object)?;
    Some((label, found.clone()))
}

/// Whether the image takes the test overlay.
fn takes_overlay(parameters: &Map<String, Value>) -> bool {
    parameters.get("overlays").and_then(|overlays| overlays.get("lava")).is_some_and(|lava| *lava == Value::Bool(true))
}

async fn prepare(
    ctx: &mut Context,
    action: &PlannedAction,
    parameters: &Map<String, Value>,
) -> Result<(File, u64), ActionError> {
    let url = parameters.get("url").and_then(Value::as_str).unwrap_or_default();
    let Some(path) = url.strip_prefix("file://") else {
        return Err(ActionError::job(format!("{}: {url}: only file:// is there", action.name)));
    };
    let mut base = File::open(path).map_err(|error| ActionError::job(format!("{}: {url}: {error}", action.name)))?;
    let size = base.metadata().map_or(0, |data| data.len());
    let overlay = if takes_overlay(parameters) { ctx.overlay.as_mut() } else { None };
    let Some(overlay) = overlay else { return Ok((base, size)) };
    let disk =
        |error: std::io::Error| ActionError::infrastructure(format!("cannot put the overlay into {url}: {error}"));
    let mut out = tempfile::tempfile_in(&ctx.options.scratch).map_err(disk)?;
    std::io::copy(&mut base, &mut out).map_err(disk)?;
    out.write_all(&[0; 512]).map_err(disk)?;
    overlay.file.rewind().map_err(disk)?;
    append_cpio(&mut overlay.file, &mut out).map_err(disk)?;
    overlay.file.rewind().map_err(disk)?;
    overlay.applied = true;
    Ok((out, size))
}

fn append_cpio(archive: &mut File, out: &mut File) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let entry = |bytes: &mut Vec<u8>, name: &str, mode: u32, data: &[u8]| {
        let fields = [0, mode, 0, 0, 1, 0, data.len() as u32, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        bytes.extend_from_slice(b"070701");
        fields.iter().for_each(|field| bytes.extend_from_slice(format!("{field:08x}").as_bytes()));
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend_from_slice(data);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    };
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    for file in tar.entries()? {
        let mut file = file?;
        let kind = file.header().entry_type();
        let bits = if kind.is_dir() { 0o040_000 } else { 0o100_000 };
        let mode = file.header().mode()? & 0o7777;
        let name = file.path()?.to_string_lossy().trim_end_matches('/').to_owned();
        let mut data = Vec::new();
        file.read_to_end(&mut data)?;
        entry(&mut bytes, &name, bits | mode, &data);
    }
    entry(&mut bytes, "TRAILER!!!", 0, &[]);
    out.write_all(&bytes)
}

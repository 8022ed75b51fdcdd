//! The overlay as a gzip-compressed tar stream.
//!
//! Same plan, same bytes: owner root, one fixed time stamp, the order of [`entries`]. A tree's entries are checked one
//! by one: what would leave its directory or hide behind a symbolic link is refused, what would be replaced by a
//! generated file is left out with a warning, what is neither file, directory nor link is left out.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::path::{Component, Path};

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use super::files::{base, definition_directory, warnings};
use super::{Entry, EntryKind, OverlayError, OverlayPlan, StagedDefinition, entries};
use crate::definition::RESERVED;

/// The time stamp of every entry: early enough to be in the past on a board without a clock, not 0, which some tools
/// take for "missing".
const TIME: u64 = 86_400;

/// Writes the overlay's archive. Returns warnings, one line each, to be logged.
pub fn write_archive<W: Write>(plan: &OverlayPlan, out: W) -> Result<Vec<String>, OverlayError> {
    let mut warnings = warnings(plan);
    let gzip = GzBuilder::new().mtime(0).write(out, Compression::fast());
    let mut tar = Builder::new(gzip);
    let base = base(plan)?;
    for entry in entries(plan)? {
        match &entry.kind {
            EntryKind::Directory => append(&mut tar, &entry, EntryType::Directory, &[])?,
            EntryKind::File(bytes) => append(&mut tar, &entry, EntryType::Regular, bytes)?,
            EntryKind::Trees(stage, at) => {
                let Some(staged) = plan.stages.get(*stage).and_then(|stage| stage.definitions.get(*at)) else {
                    continue;
                };
                let directory = format!("{base}/{}", definition_directory(*stage, staged));
                let mut links = HashSet::new();
                for tree in &staged.files {
                    let reader = tree.open().map_err(|cause| tree_error(staged, cause))?;
                    copy_tree(&mut tar, &directory, staged, reader, &mut links, &mut warnings)?;
                }
            }
        }
    }
    let gzip = tar.into_inner().map_err(OverlayError::Write)?;
    gzip.finish().and_then(|mut out| out.flush()).map_err(OverlayError::Write)?;
    Ok(warnings)
}

fn append<W: Write>(tar: &mut Builder<W>, entry: &Entry, kind: EntryType, bytes: &[u8]) -> Result<(), OverlayError> {
    let mut header = header(kind, entry.mode, bytes.len() as u64);
    let path = if kind == EntryType::Directory { format!("{}/", entry.path) } else { entry.path.clone() };
    tar.append_data(&mut header, path, bytes).map_err(OverlayError::Write)
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(TIME);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn tree_error(staged: &StagedDefinition, cause: io::Error) -> OverlayError {
    OverlayError::Tree { suite: staged.suite(), cause }
}

fn copy_tree<W: Write>(
    tar: &mut Builder<W>,
    directory: &str,
    staged: &StagedDefinition,
    reader: Box<dyn Read + '_>,
    links: &mut HashSet<String>,
    warnings: &mut Vec<String>,
) -> Result<(), OverlayError> {
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries().map_err(|cause| tree_error(staged, cause))? {
        let entry = entry.map_err(|cause| tree_error(staged, cause))?;
        let refuse = |path: &Path, why: &str| {
            OverlayError::plan(format!("{:?}, fetched for {}", path.display().to_string(), staged.suite()), why)
        };
        let path = entry.path().map_err(|cause| tree_error(staged, cause))?.into_owned();
        if path.to_str().is_none() {
            warnings.push(format!("{}: {} is left out: its name is not UTF-8", staged.suite(), path.display()));
            continue;
        }
        let Some(name) = relative(&path) else {
            return Err(refuse(&path, "leaves the definition's directory"));
        };
        if name.is_empty() {
            continue;
        }
        let ancestors = name.match_indices('/').map(|(at, _)| &name[..at]);
        if ancestors.into_iter().any(|ancestor| links.contains(ancestor)) {
            return Err(refuse(&path, "lies behind a symbolic link"));
        }
        if RESERVED.contains(&name.as_str()) {
            if name != staged.entry.path {
                warnings.push(format!("{}: the fetched {name} is replaced by the overlay's own", staged.suite()));
            }
            continue;
        }
        let kind = entry.header().entry_type();
        let mode = entry.header().mode().unwrap_or(0o644) & 0o7777;
        let target = format!("{directory}/{name}");
        match kind {
            EntryType::Directory => {
                // A directory must stay passable while what is in it is unpacked.
                let mut header = header(kind, mode | 0o700, 0);
                tar.append_data(&mut header, format!("{target}/"), io::empty()).map_err(OverlayError::Write)?;
            }
            EntryType::Symlink | EntryType::Link => {
                let link = entry.link_name().map_err(|cause| tree_error(staged, cause))?;
                let Some(link) = link else { continue };
                let mut header = header(kind, 0o777, 0);
                if kind == EntryType::Symlink {
                    links.insert(name);
                    tar.append_link(&mut header, target, link).map_err(OverlayError::Write)?;
                } else {
                    // A hard link names another entry of the same archive.
                    let Some(to) = relative(&link) else {
                        return Err(refuse(&path, "is a hard link that leaves the definition's directory"));
                    };
                    header.set_mode(mode);
                    tar.append_link(&mut header, target, format!("{directory}/{to}")).map_err(OverlayError::Write)?;
                }
            }
            _ if kind.is_file() || kind.is_contiguous() => {
                links.remove(&name);
                let mut header = header(EntryType::Regular, mode, entry.size());
                tar.append_data(&mut header, target, entry).map_err(OverlayError::Write)?;
            }
            _ => warnings.push(format!("{}: {name} is neither file, directory nor link; left out", staged.suite())),
        }
    }
    Ok(())
}

/// A path of a tree without `.` components, or nothing when it is absolute or goes up.
fn relative(path: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(parts.join("/"))
}

//! The overlay on a disk of its own, for a guest whose images are not to be touched (device-side.md §2).
//!
//! An ext2 file system that every kernel and boot loader reads; it holds what is *in* the overlay's folder
//! (`/lava-<id>`), to be mounted there by its UUID. The file is sparse: only what is written takes room.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::copy;
use crate::entry::normal;
use crate::error::Error;
use crate::order::path_of;
use crate::overlay::ext4;
use crate::overlay::tree::{Tree, TreeKind};
use crate::tools::{Tools, run};

/// What an overlay's disk is to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DiskOrder {
    /// An existing folder on a disk with room: the file without a name is made in it.
    pub scratch: PathBuf,
    /// The overlay's folder on the device, `/lava-77`: what lies in it in the archive comes to the disk's root.
    pub folder: String,
    /// Length of the disk in bytes (`guest.size` of the device, there in MB).
    pub size: u64,
    /// The file system's UUID; the device finds it by it.
    pub uuid: Uuid,
}

/// A disk with an overlay.
#[derive(Debug)]
pub struct OverlayDisk {
    /// A raw image without a name.
    pub file: File,
    /// To be mounted by: `/dev/disk/by-uuid/<uuid>`.
    pub uuid: Uuid,
}

impl OverlayDisk {
    /// See [`Artifact::path`](crate::Artifact::path).
    pub fn path(&self) -> PathBuf {
        path_of(&self.file)
    }
}

/// mke2fs makes none that is smaller.
const LEAST: u64 = 1 << 20;

pub(crate) fn make(tools: &Tools<'_>, order: &DiskOrder, overlay: OwnedFd) -> Result<File, Error> {
    if order.size < LEAST {
        return Err(Error::lab(format!("an overlay disk of {} bytes is too small; see guest.size", order.size)));
    }
    let disk = copy::nameless(&order.scratch)?;
    disk.set_len(order.size).map_err(|error| Error::disk("make the overlay disk", &error))?;
    let uuid = order.uuid.to_string();
    let fixed = ["-q", "-F", "-t", "ext2", "-m", "0", "-L", "lava-overlay", "-U", &uuid];
    let mut arguments: Vec<_> = fixed.into_iter().map(Into::into).collect();
    arguments.push(path_of(&disk).into());
    let output = run(tools, "mke2fs", arguments)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let line = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("nothing");
        return Err(Error::lab(format!("cannot make the overlay disk: mke2fs says: {}", line.trim())));
    }
    let strip = normal(Path::new(&order.folder)).unwrap_or_default();
    let kind = TreeKind::Archive { below: PathBuf::new(), strip };
    let tree = Tree { what: "the test overlay".into(), file: overlay.into(), kind };
    ext4::find(&disk, None, "the overlay disk")?.put(tools, &[tree])?;
    Ok(disk)
}

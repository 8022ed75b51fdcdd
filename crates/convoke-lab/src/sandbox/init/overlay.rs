//! Puts overlay archives onto the device: unpacked at its root, and kept where that is asked for.

use std::error::Error;
use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::OwnedFd;
use std::path::Path;

use convoke_children::StageFailure;
use flate2::read::MultiGzDecoder;

use crate::sandbox::messages::OverlayNote;

/// Unpacks each; one descriptor a note.
pub(super) fn unpack(notes: &[OverlayNote], fds: Vec<OwnedFd>) -> Result<(), StageFailure> {
    if notes.len() != fds.len() {
        return Err(StageFailure::new("an overlay came without its file"));
    }
    for (note, fd) in notes.iter().zip(fds) {
        one(note, File::from(fd)).map_err(|error| {
            StageFailure::new(format!("cannot unpack {} on the device: {}", note.file_name, whole(&error)))
        })?;
    }
    Ok(())
}

/// An error with its causes: the archive's names the file, and only its cause what the kernel said.
fn whole(error: &io::Error) -> String {
    let causes = std::iter::successors(Some(error as &(dyn Error + 'static)), |error| (*error).source());
    let mut texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.dedup();
    texts.join(": ")
}

fn one(note: &OverlayNote, mut file: File) -> io::Result<()> {
    file.rewind()?;
    if let Some(path) = &note.keep_at {
        let path = Path::new(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        io::copy(&mut file, &mut File::create(path)?)?;
        file.rewind()?;
    }
    let mut archive = tar::Archive::new(MultiGzDecoder::new(io::BufReader::new(file)));
    archive.set_preserve_permissions(true);
    archive.set_preserve_mtime(true);
    archive.set_overwrite(true);
    archive.unpack("/")
}

//! Putting files into an image: what is put in comes as a tar stream, whatever the image is.
//!
//! | module | is about |
//! |---|---|
//! | [`tree`] | what is put in: entries of a tar stream, or one file |
//! | [`cpio`] | appending to an initramfs |

pub(crate) mod cpio;
pub(crate) mod tree;

use std::io::{Seek, SeekFrom};

use crate::copy;
use crate::error::Error;
use crate::order::{Artifact, Phase, Progress};
use crate::resource::Format;
use crate::work::Bench;
use tree::Tree;

/// Puts `trees` into a copy of the artifact that nobody else has.
pub(crate) fn put(
    bench: &Bench<'_>,
    artifact: &mut Artifact,
    format: Format,
    trees: &[Tree],
    place: &str,
) -> Result<(), Error> {
    match format {
        Format::CpioNewc => {
            let folders = cpio::folders(&artifact.file, place)?;
            own(bench, artifact)?;
            cpio::append(&mut artifact.file, trees, folders)
        }
        Format::Ext4 | Format::Tar => Err(Error::bug("this format is not written yet")),
    }
}

/// Makes the file the artifact's own, by a copy if it is not.
fn own(bench: &Bench<'_>, artifact: &mut Artifact) -> Result<(), Error> {
    if !artifact.own {
        let total = Some(artifact.size);
        let mut copied = copy::nameless(&bench.order.scratch)?;
        let mut moved = |done| (bench.tell)(Progress { phase: Phase::Copy, done, total });
        copy::copy(&artifact.file, &copied, &mut moved).map_err(|error| Error::disk("copy the image", &error))?;
        copied.seek(SeekFrom::Start(0)).map_err(|error| Error::disk("copy the image", &error))?;
        artifact.file = copied;
        artifact.own = true;
    }
    Ok(())
}

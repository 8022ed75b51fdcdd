//! Putting files into an image: what is put in comes as a tar stream, whatever the image is.
//!
//! | module | is about |
//! |---|---|
//! | [`tree`] | what is put in: entries of a tar stream, or one file |
//! | [`cpio`] | appending to an initramfs |
//! | [`ext4`] | files into an ext2, ext3 or ext4 file system |
//! | [`partition`] | where the file systems of a disk are |
//! | [`sparse`] | Android's sparse form |
//! | [`tarball`] | appending to a tar archive |

pub(crate) mod cpio;
pub(crate) mod ext4;
pub(crate) mod partition;
pub(crate) mod sparse;
pub(crate) mod tarball;
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
        Format::Ext4 => {
            let partition = bench.order.resource.partition;
            if sparse::is_sparse(&artifact.file).map_err(|error| Error::disk(&format!("read {place}"), &error))? {
                let plain = copy::nameless(bench.tools.scratch)?;
                sparse::expand(&artifact.file, &plain, place)?;
                (artifact.file, artifact.own) = (plain, true);
                artifact.notes.push(format!("{place} was in sparse form; it is used as a plain image"));
            }
            // Before anything is copied.
            ext4::find(&artifact.file, partition, place)?;
            own(bench, artifact)?;
            ext4::find(&artifact.file, partition, place)?.put(&bench.tools, trees)
        }
        Format::Tar => {
            let end = tarball::end(&artifact.file, place)?;
            own(bench, artifact)?;
            tarball::append(&mut artifact.file, trees, end)
        }
    }
}

/// Makes the file the artifact's own, by a copy if it is not.
fn own(bench: &Bench<'_>, artifact: &mut Artifact) -> Result<(), Error> {
    if !artifact.own {
        let total = Some(artifact.size);
        let mut copied = copy::nameless(bench.tools.scratch)?;
        let mut moved = |done| (bench.tell)(Progress { phase: Phase::Copy, done, total });
        copy::copy(&artifact.file, &copied, &mut moved).map_err(|error| Error::disk("copy the image", &error))?;
        copied.seek(SeekFrom::Start(0)).map_err(|error| Error::disk("copy the image", &error))?;
        artifact.file = copied;
        artifact.own = true;
    }
    Ok(())
}

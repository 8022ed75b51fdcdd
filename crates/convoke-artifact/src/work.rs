//! The work itself, blocking: a file is found or fetched, verified, unpacked, and the overlay put into a copy of it.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::copy;
use crate::entry::normal;
use crate::error::Error;
use crate::fetch::{self, Fetched};
use crate::order::{Artifact, Order, Origin, Phase, Progress};
use crate::overlay;
use crate::overlay::tree::{FromStart, Tree, TreeKind};
use crate::resource::{Overlay, Resource};
use crate::store::Store;
use crate::tools::Tools;
use crate::unpack::{Compression, damaged};

/// What the work is done with.
pub(crate) struct Bench<'a> {
    pub(crate) order: &'a Order,
    pub(crate) tools: Tools<'a>,
    /// What is kept between runs, if anything is.
    pub(crate) store: Option<&'a Store>,
    pub(crate) tell: &'a dyn Fn(Progress),
}

/// Makes what is ordered; `lava` is the test overlay, a tar archive.
pub(crate) fn make(bench: &Bench<'_>, lava: Option<OwnedFd>) -> Result<Artifact, Error> {
    let resource = &bench.order.resource;
    let mut artifact = get(bench, resource)?;
    let mut lava = lava.map(File::from);
    let mut trees = Vec::new();
    for overlay in &resource.overlays {
        match overlay {
            Overlay::Lava => {
                // Without tests there is none.
                let Some(file) = lava.take() else { continue };
                trees.push(Tree { what: "the test overlay".into(), file, kind: TreeKind::at_root() });
            }
            Overlay::Other { name, resource: other, archive, path } => {
                let what = format!("overlay {name}");
                let got = get(bench, other)
                    .map_err(|error| Error { message: format!("{what}: {}", error.message), ..error })?;
                let at = normal(Path::new(path)).unwrap_or_default();
                let kind = match (archive, path.ends_with('/')) {
                    (true, _) => TreeKind::Archive { below: at, strip: PathBuf::new() },
                    (false, true) => TreeKind::File(at.join(other.file_name())),
                    (false, false) => TreeKind::File(at),
                };
                trees.push(Tree { what, file: got.file, kind });
            }
        }
    }
    let Some(format) = resource.format.filter(|_| !trees.is_empty()) else { return Ok(artifact) };
    let place = fetch::shown_of(bench.order, resource);
    overlay::put(bench, &mut artifact, format, &trees, &place)?;
    artifact.size = artifact.file.metadata().map_err(|error| Error::disk("read the image", &error))?.len();
    Ok(artifact)
}

/// A resource without its overlays: fetched, verified, unpacked.
fn get(bench: &Bench<'_>, resource: &Resource) -> Result<Artifact, Error> {
    let fetched = fetch::fetch(bench, resource)?;
    let place = fetch::shown_of(bench.order, resource);
    let (file, own) = match resource.compression {
        None => (fetched.file, fetched.key.is_none() && fetched.origin == Origin::Downloaded),
        Some(compression) => unpacked(bench, resource, &fetched, compression, &place)?,
    };
    let size = file.metadata().map_err(|error| Error::disk("read what was fetched", &error))?.len();
    Ok(Artifact { file, size, own, origin: fetched.origin, sums: fetched.sums, notes: Vec::new() })
}

/// What comes out of it, and whether nobody else has that.
fn unpacked(
    bench: &Bench<'_>,
    resource: &Resource,
    fetched: &Fetched,
    compression: Compression,
    place: &str,
) -> Result<(File, bool), Error> {
    let key = fetched.key.as_ref().filter(|_| resource.use_cache);
    let Some((store, key)) = bench.store.zip(key) else {
        let out = copy::nameless(bench.tools.scratch)?;
        unpack(bench, &fetched.file, compression, place, &out)?;
        return Ok((out, true));
    };
    let name = format!("{key}.{}", compression.name());
    if let Some(made) = store.made(&name) {
        return Ok((made, false));
    }
    let failed = |error: io::Error| Error::disk("keep what is unpacked", &error);
    let out = store.unnamed().map_err(failed)?;
    unpack(bench, &fetched.file, compression, place, &out)?;
    store.keep(&out, &name).map_err(failed)?;
    Ok((out, false))
}

/// Unpacks `packed` into the empty file `out`.
pub(crate) fn unpack(
    bench: &Bench<'_>,
    packed: &File,
    compression: Compression,
    place: &str,
    out: &File,
) -> Result<(), Error> {
    let total = packed.metadata().ok().map(|metadata| metadata.len());
    let source = Counted { inner: FromStart::new(packed), done: 0, total, tell: bench.tell };
    let mut reader = compression
        .reader(BufReader::with_capacity(256 * 1024, source))
        .map_err(|error| Error::disk("unpack", &error))?;
    let mut buffer = vec![0; 256 * 1024];
    let mut out = out;
    loop {
        let length = match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(damaged(place, compression, &error)),
        };
        out.write_all(&buffer[..length]).map_err(|error| Error::disk(&format!("unpack {place}"), &error))?;
    }
}

/// A reader that tells how far it is.
struct Counted<'a, R> {
    inner: R,
    done: u64,
    total: Option<u64>,
    tell: &'a dyn Fn(Progress),
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.done += length as u64;
        (self.tell)(Progress { phase: Phase::Unpack, done: self.done, total: self.total });
        Ok(length)
    }
}

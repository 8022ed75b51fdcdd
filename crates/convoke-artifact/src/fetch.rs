//! Where the bytes come from: a file of this machine, or a server.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use crate::checksum::{Hasher, Sums};
use crate::error::Error;
use crate::order::{Order, Origin, Phase, Progress};
use crate::overlay::tree::FromStart;
use crate::place::{Place, shown};
use crate::resource::Resource;
use crate::work::Bench;

/// The bytes of a resource as its place has them, verified.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) file: File,
    pub(crate) origin: Origin,
    pub(crate) sums: Sums,
    pub(crate) notes: Vec<String>,
}

/// Where a resource is.
fn place(order: &Order, resource: &Resource) -> Result<Place, Error> {
    if let Some(name) = resource.url.strip_prefix("downloads://") {
        return order.downloads.get(name).cloned().map(Place::Here).ok_or_else(|| {
            let known: Vec<&str> = order.downloads.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "nothing was downloaded before".into() } else { known.join(", ") };
            Error::job(format!(
                "there is no downloads://{name}; an earlier deploy to downloads is to leave it ({known})"
            ))
        });
    }
    Ok(match Place::of(&resource.url) {
        Place::Here(_) if !resource.url.contains("://") => Place::Here(order.base.join(&resource.url)),
        place => place,
    })
}

/// How a resource is called in messages.
pub(crate) fn shown_of(order: &Order, resource: &Resource) -> String {
    place(order, resource).map_or_else(|_| shown(&resource.url), |place| place.shown())
}

/// Gets the bytes of a resource.
pub(crate) fn fetch(bench: &Bench<'_>, resource: &Resource) -> Result<Fetched, Error> {
    match place(bench.order, resource)? {
        Place::Here(path) => here(bench, resource, path),
        Place::There(url) => Err(Error::bug(format!("{url}: not yet"))),
    }
}

/// A file of this machine, used in place.
fn here(bench: &Bench<'_>, resource: &Resource, path: PathBuf) -> Result<Fetched, Error> {
    let place = path.display().to_string();
    let file = File::open(&path).map_err(|error| Error::job(format!("cannot read {place}: {error}")))?;
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err(Error::job(format!("{place} is not a file")));
    }
    let sums = sums(bench, &file, resource, &place)?;
    sums.verify(&resource.checksums, &place)?;
    Ok(Fetched { file, origin: Origin::Here, sums, notes: Vec::new() })
}

/// The sums that the job gives, of a file.
fn sums(bench: &Bench<'_>, file: &File, resource: &Resource, place: &str) -> Result<Sums, Error> {
    if resource.checksums.is_empty() {
        return Ok(Sums::default());
    }
    let reading = |error: &std::io::Error| Error::disk(&format!("read {place}"), error);
    let total = file.metadata().map_err(|error| reading(&error))?.len();
    let mut hasher = Hasher::new(resource.checksums.iter().map(|sum| sum.algorithm));
    let mut reader = FromStart::new(file);
    let mut buffer = vec![0; 256 * 1024];
    let mut done = 0;
    loop {
        let length = reader.read(&mut buffer).map_err(|error| reading(&error))?;
        if length == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..length]);
        done += length as u64;
        (bench.tell)(Progress { phase: Phase::Verify, done, total: Some(total) });
    }
}

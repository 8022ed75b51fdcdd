//! Where the bytes come from: a file of this machine, the cache, or a server.

pub(crate) mod download;

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use crate::checksum::{Algorithm, Checksum, Hasher, Sums};
use crate::copy;
use crate::error::Error;
use crate::order::{Order, Origin, Phase, Progress};
use crate::overlay::tree::FromStart;
use crate::place::{Place, shown};
use crate::resource::Resource;
use crate::store::Store;
use crate::work::Bench;
use download::{Download, Got, Version};

/// The bytes of a resource as its place has them, verified.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) file: File,
    pub(crate) origin: Origin,
    pub(crate) sums: Sums,
    /// What names these bytes in the cache.
    pub(crate) key: Option<String>,
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
    match place(order, resource) {
        Ok(place) if !resource.url.starts_with("downloads://") => place.shown(),
        _ => shown(&resource.url),
    }
}

/// Gets the bytes of a resource.
pub(crate) fn fetch(bench: &Bench<'_>, resource: &Resource) -> Result<Fetched, Error> {
    match place(bench.order, resource)? {
        Place::Here(path) => here(bench, resource, path),
        Place::There(url) if !url.starts_with("http://") && !url.starts_with("https://") => {
            Err(Error::job(format!("cannot download {}: only http, https, file and downloads are known", shown(&url))))
        }
        Place::There(_) => match bench.store.filter(|_| resource.use_cache) {
            Some(store) => kept(bench, resource, store),
            None => uncached(bench, resource),
        },
    }
}

/// A file of this machine, used in place.
fn here(bench: &Bench<'_>, resource: &Resource, path: PathBuf) -> Result<Fetched, Error> {
    let place = shown_of(bench.order, resource);
    let file = File::open(&path).map_err(|error| Error::job(format!("cannot read {place}: {error}")))?;
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err(Error::job(format!("{place} is not a file")));
    }
    let sums = sums(bench, &file, &resource.checksums, &place)?;
    sums.verify(&resource.checksums, &place)?;
    // What an earlier deploy left has no name that would mean anything in another run.
    let key = match resource.url.starts_with("downloads://") {
        true => None,
        false => Store::key_of_file(&path, &file).map_err(|error| Error::disk(&format!("read {place}"), &error))?,
    };
    Ok(Fetched { file, origin: Origin::Here, sums, key })
}

/// From a server into a file that nobody keeps.
fn uncached(bench: &Bench<'_>, resource: &Resource) -> Result<Fetched, Error> {
    let file = copy::nameless(bench.tools.scratch)?;
    let download = Download {
        bench,
        resource,
        file: &file,
        version: Version::default(),
        conditions: Vec::new(),
        begun: &|_| Ok(()),
    };
    let Got::Whole { sums, .. } = download.run()? else {
        return Err(Error::lab(format!("{}: the server answers 304 to no condition", shown(&resource.url))));
    };
    sums.verify(&resource.checksums, &shown(&resource.url))?;
    Ok(Fetched { file, origin: Origin::Downloaded, sums, key: None })
}

/// From the cache, else from a server into the cache.
fn kept(bench: &Bench<'_>, resource: &Resource, store: &Store) -> Result<Fetched, Error> {
    let place = shown(&resource.url);
    let failed = |error: std::io::Error| Error::disk("use the cache of downloads", &error);
    // The sum says it all: nobody need be asked.
    let sha256 = resource.checksums.iter().find(|sum| sum.algorithm == Algorithm::Sha256);
    let known = |sha256: &str| -> Result<Option<Fetched>, Error> {
        let Some(file) = store.content(sha256) else { return Ok(None) };
        let rest: Vec<Checksum> =
            resource.checksums.iter().filter(|sum| sum.algorithm != Algorithm::Sha256).cloned().collect();
        let mut sums = sums(bench, &file, &rest, &place)?;
        sums.0.push(Checksum { algorithm: Algorithm::Sha256, digest: sha256.to_owned() });
        Ok(Some(Fetched { file, origin: Origin::Kept, sums, key: Some(sha256.to_owned()) }))
    };
    if let Some(sum) = sha256
        && let Some(fetched) = known(&sum.digest)?
    {
        fetched.sums.verify(&resource.checksums, &place)?;
        return Ok(fetched);
    }
    let key = Store::key(&resource.url, &resource.headers);
    let _lock = store.lock(&key).map_err(failed)?;
    let mut conditions = Vec::new();
    let mut last = None;
    // With another sum than the job's it is a new version that is wanted: no condition then.
    if let Some(index) = store.index(&key)
        && let Some(fetched) = known(&index.sha256)?
        && fetched.sums.verify(&resource.checksums, &place).is_ok()
    {
        if !resource.checksums.is_empty() {
            return Ok(fetched);
        }
        conditions = index.version.unless();
        last = Some(fetched);
    }
    loop {
        let (file, version) = store.partial(&key).map_err(failed)?;
        let download = Download {
            bench,
            resource,
            file: &file,
            version,
            conditions: conditions.clone(),
            begun: &|version| store.begun(&key, version).map_err(failed),
        };
        let got = download.run().inspect_err(|_| tidy(store, &key, &file))?;
        let Got::Whole { version, sums, continued } = got else {
            store.forget(&key);
            return last.ok_or_else(|| Error::lab(format!("{place}: the server answers 304 to no condition")));
        };
        if let Err(error) = sums.verify(&resource.checksums, &place) {
            store.forget(&key);
            // Two halves that do not belong together: once more, from the start.
            if continued {
                continue;
            }
            return Err(error);
        }
        let sha256 = sums.get(Algorithm::Sha256).unwrap_or_default().to_owned();
        store.adopt(&key, &file, version, &sha256).map_err(failed)?;
        return Ok(Fetched { file, origin: Origin::Downloaded, sums, key: Some(sha256) });
    }
}

/// A disk with less room than this is full.
const FULL: u64 = 4 << 20;

/// After a failure, with the lock: a beginning is worth keeping when there is one and the disk has room for it.
fn tidy(store: &Store, key: &str, file: &File) {
    let full = rustix::fs::fstatvfs(file).is_ok_and(|disk| disk.f_bavail * disk.f_frsize < FULL);
    if full || file.metadata().is_ok_and(|data| data.len() == 0) {
        store.forget(key);
    }
}

/// Sums of a file.
fn sums(bench: &Bench<'_>, file: &File, wanted: &[Checksum], place: &str) -> Result<Sums, Error> {
    if wanted.is_empty() {
        return Ok(Sums::default());
    }
    let reading = |error: &std::io::Error| Error::disk(&format!("read {place}"), error);
    let total = file.metadata().map_err(|error| reading(&error))?.len();
    let mut hasher = Hasher::new(wanted.iter().map(|sum| sum.algorithm));
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

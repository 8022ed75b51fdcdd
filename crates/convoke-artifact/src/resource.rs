//! Something to download, as the job says it (job-definition.md §7).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::checksum::{Algorithm, Checksum};
use crate::error::Error;
use crate::place::shown;
use crate::unpack::Compression;

/// Something to download.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// `http://`, `https://`, `file://`, `downloads://`, or a path relative to the job.
    pub url: String,
    /// Sent with the request, and never to another server that it is led to.
    pub headers: Vec<(String, String)>,
    /// How it is compressed; `None` leaves it as it is.
    pub compression: Option<Compression>,
    /// Of the file as it is downloaded.
    pub checksums: Vec<Checksum>,
    /// Whether a copy kept from an earlier run may be used, and this one kept.
    pub use_cache: bool,
    /// What it is, when something is to be put into it.
    pub format: Option<Format>,
    /// Number of the partition with the file system, counted from 1 as partition tables do; `None`: the whole file.
    pub partition: Option<u32>,
    /// Whether the job says that it is in Android's sparse form (which is recognised all the same).
    pub sparse: bool,
    /// What is put into it, in order.
    pub overlays: Vec<Overlay>,
}

/// What an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// An initramfs, packed or not.
    CpioNewc,
    /// An ext2, ext3 or ext4 file system, or a disk with one in a partition.
    Ext4,
    /// A tar archive.
    Tar,
}

/// One thing to put into an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Overlay {
    /// The test overlay (`lava: true`).
    Lava,
    /// Another download.
    Other {
        /// Its name in the job.
        name: String,
        /// Where from.
        resource: Box<Resource>,
        /// Whether it is an archive to be unpacked (`format: tar`) or a file to be placed (`format: file`).
        archive: bool,
        /// Folder the archive is unpacked into; of a file its path, or its folder when it ends in a slash.
        path: String,
    },
}

impl Resource {
    /// A download without anything else.
    pub fn new(url: impl Into<String>) -> Resource {
        Resource {
            url: url.into(),
            headers: Vec::new(),
            compression: None,
            checksums: Vec::new(),
            use_cache: true,
            format: None,
            partition: None,
            sparse: false,
            overlays: Vec::new(),
        }
    }

    /// Reads the mapping of a job (`{url: …, compression: …}`). Keys that concern others (`image_arg`, `type`) are left alone.
    ///
    /// # Errors
    /// A job error: a key has a value that is not known, or one that convoke does not support (`scp`, `rclone`,
    /// `zip`, `archive`).
    /// The message does not name the image; the caller knows it.
    pub fn from_value(value: &Value) -> Result<Resource, Error> {
        let map = value.as_object().ok_or_else(|| Error::job("it is no mapping with `url`"))?;
        let url = text(map, "url")?.filter(|url| !url.is_empty()).ok_or_else(|| Error::job("`url` is required"))?;
        let mut resource = Resource::new(url);
        known_scheme(&resource.url)?;
        if let Some(headers) = map.get("headers").filter(|headers| !headers.is_null()) {
            let headers = headers.as_object().ok_or_else(|| Error::job("`headers` is no mapping"))?;
            for (name, value) in headers {
                resource.headers.push((name.clone(), scalar(value, "headers")?));
            }
        }
        resource.compression = match text(map, "compression")? {
            None => None,
            Some(word) if word == "zip" => {
                return Err(Error::job("compression zip is not supported; use gz, bz2, xz or zstd"));
            }
            Some(word) => Some(
                Compression::of_word(&word)
                    .ok_or_else(|| Error::job(format!("compression {word:?} is not gz, bz2, xz or zstd")))?,
            ),
        };
        if text(map, "archive")?.is_some() {
            return Err(Error::job("`archive` is not supported: no deploy of convoke takes a folder"));
        }
        for algorithm in Algorithm::ALL {
            if let Some(digest) = text(map, &format!("{}sum", algorithm.name()))? {
                resource.checksums.push(Checksum::strict(algorithm, &digest)?);
            }
        }
        resource.use_cache = flag(map, "use_cache")?.unwrap_or(true);
        resource.sparse = flag(map, "sparse")?.unwrap_or(false);
        resource.format = match text(map, "format")?.as_deref() {
            None => None,
            Some("cpio.newc") => Some(Format::CpioNewc),
            Some("ext4" | "ext3" | "ext2") => Some(Format::Ext4),
            Some("tar") => Some(Format::Tar),
            Some(other) => return Err(Error::job(format!("format {other:?} is not cpio.newc, ext4 or tar"))),
        };
        resource.partition = match map.get("partition").filter(|value| !value.is_null()) {
            None => None,
            Some(number) => match number.as_u64().and_then(|number| u32::try_from(number).ok()) {
                Some(number @ 1..) => Some(number),
                _ => return Err(Error::job("`partition` is no number; partitions are counted from 1, as fdisk does")),
            },
        };
        if let Some(overlays) = map.get("overlays").filter(|overlays| !overlays.is_null()) {
            let overlays = overlays.as_object().ok_or_else(|| Error::job("`overlays` is no mapping"))?;
            for (name, value) in overlays {
                resource.overlays.extend(overlay(name, value)?);
            }
        }
        resource.consistent()?;
        Ok(resource)
    }

    fn consistent(&self) -> Result<(), Error> {
        if !self.overlays.is_empty() && self.format.is_none() {
            return Err(Error::job("`overlays` needs `format`: cpio.newc, ext4 or tar"));
        }
        if self.partition.is_some() && self.format != Some(Format::Ext4) {
            return Err(Error::job("`partition` needs `format: ext4`"));
        }
        Ok(())
    }

    /// Its file name: the last part of the URL, without what stands behind `?` or `#`.
    pub fn file_name(&self) -> &str {
        let path = self.url.split(['?', '#']).next().unwrap_or_default();
        let name = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path);
        if matches!(name, "." | "..") { "file" } else { name }
    }

    /// Whether the test overlay goes into it.
    pub fn wants_lava(&self) -> bool {
        self.overlays.contains(&Overlay::Lava)
    }
}

fn overlay(name: &str, value: &Value) -> Result<Option<Overlay>, Error> {
    if name == "lava" && !value.is_object() {
        let wanted = value.as_bool().ok_or_else(|| Error::job("`overlays: lava:` is neither true nor false"))?;
        return Ok(wanted.then_some(Overlay::Lava));
    }
    let within = |error: Error| Error { message: format!("overlay {name}: {}", error.message), ..error };
    let map = value.as_object().ok_or_else(|| Error::job(format!("overlay {name} is no mapping with `url`")))?;
    let mut own = map.clone();
    let format = own.remove("format");
    let archive = match format.as_ref().and_then(Value::as_str) {
        Some("tar") => true,
        Some("file") => false,
        _ => return Err(Error::job(format!("overlay {name}: `format` is neither file nor tar"))),
    };
    let path = text(map, "path").map_err(within)?;
    let path = path.ok_or_else(|| Error::job(format!("overlay {name}: `path` is required")))?;
    if path.split('/').any(|part| part == "..") || path.contains('\0') {
        return Err(Error::job(format!("overlay {name}: the path {path:?} leaves the image")));
    }
    if !archive && path.trim_matches('/').is_empty() {
        return Err(Error::job(format!("overlay {name}: `path` names no file")));
    }
    let resource = Resource::from_value(&Value::Object(own)).map_err(within)?;
    Ok(Some(Overlay::Other { name: name.to_owned(), resource: Box::new(resource), archive, path }))
}

fn known_scheme(url: &str) -> Result<(), Error> {
    let Some((scheme, _)) = url.split_once("://") else { return Ok(()) };
    match scheme {
        "http" | "https" | "file" | "downloads" => Ok(()),
        "scp" | "rclone" => {
            Err(Error::job(format!("{scheme} is not supported; give {} by http, https or file", shown(url))))
        }
        _ => Err(Error::job(format!("cannot download {}: only http, https, file and downloads are known", shown(url)))),
    }
}

fn text(map: &Map<String, Value>, key: &str) -> Result<Option<String>, Error> {
    map.get(key).filter(|value| !value.is_null()).map(|value| scalar(value, key)).transpose()
}

fn scalar(value: &Value, key: &str) -> Result<String, Error> {
    match value {
        Value::String(text) => Ok(text.clone()),
        // A checksum of digits only is read as a number, and then has lost leading zeros: only text is safe.
        Value::Number(number) if !key.ends_with("sum") => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        _ => Err(Error::job(format!("`{key}` is no text; put it in quotes"))),
    }
}

fn flag(map: &Map<String, Value>, key: &str) -> Result<Option<bool>, Error> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let flag = value.as_bool().ok_or_else(|| Error::job(format!("`{key}` is neither true nor false")))?;
            Ok(Some(flag))
        }
    }
}

//! Deploy blocks: known method, its keys, and what it downloads (job-definition.md §7).

use super::block::check_keys;
use super::cursor::{At, Findings};
use super::hints::did_you_mean;
use super::tables::{self, Keys};
use crate::member::BlockKind;
use crate::node::NodeKind;

const SCHEMES: [&str; 6] = ["http", "https", "file", "scp", "downloads", "rclone"];
const COMPRESSIONS: [&str; 5] = ["bz2", "gz", "xz", "zip", "zstd"];

pub(crate) fn deploy(at: &At<'_>, findings: &mut Findings) -> Option<BlockKind> {
    let method = method(at, "to", "deploy", tables::DEPLOYS, findings)?;
    check_keys(at, tables::DEPLOY, method, &format!("deploy to {}", method.name), findings);
    let os = at.get("os").and_then(|os| findings.filled_text(&os, "action.key"));
    if let Some(authorize) = at.get("authorize") {
        findings.word(&authorize, "action.key", &["ssh"]);
    }
    if let Some(backend) = at.get("overlay_backend") {
        findings.word(&backend, "action.key", &["auto", "e2fsprogs", "guestfs"]);
    }
    if let Some(images) = at.get("images")
        && method.name != "iso-installer"
    {
        self::images(&images, method, findings);
    }
    match method.name {
        "tftp" | "ssh" | "nfs" => network(at, findings),
        "docker" => {
            if let Some(image) = at.get("image") {
                docker_image(&image, findings);
            }
        }
        _ => {}
    }
    Some(BlockKind::Deploy { to: method.name.to_owned(), os })
}

/// The method under `key`, or a finding.
pub(crate) fn method(
    at: &At<'_>,
    key: &'static str,
    what: &str,
    known: &'static [Keys],
    findings: &mut Findings,
) -> Option<&'static Keys> {
    let Some(method_at) = at.get(key) else {
        findings.push(
            at.error_at_name("action.method", format!("`{key}` is required"))
                .help(format!("say how to {what}, for example `{key}: sandbox`")),
        );
        return None;
    };
    let text = findings.filled_text(&method_at, "action.method")?;
    let found = known.iter().find(|method| method.name == text);
    if found.is_none() {
        let names: Vec<&str> = known.iter().map(|method| method.name).collect();
        let message = format!("there is no {what} method {text:?}{}", did_you_mean(&text, &names));
        findings.push(method_at.error("action.method", message).help(format!("known: {}", names.join(", "))));
    }
    found
}

fn images(at: &At<'_>, method: &Keys, findings: &mut Findings) {
    if !findings.is_mapping(at, "action.key") {
        return;
    }
    if at.node.as_map().is_some_and(<[_]>::is_empty) && matches!(method.name, "tmpfs" | "downloads" | "download") {
        findings.push(at.error_at_name("action.key", "there is no image").help("add at least one, `NAME: {url: …}`"));
    }
    // Vendor tools take images of other shapes, too.
    if matches!(method.name, "tmpfs" | "downloads" | "download" | "nfs") {
        at.entries().for_each(|(_, image)| resource(&image, findings));
    }
}

fn network(at: &At<'_>, findings: &mut Findings) {
    for key in ["kernel", "dtb", "modules", "ramdisk", "nfsrootfs", "tee", "preseed", "firmware", "rootfs"] {
        if let Some(at) = at.get(key) {
            resource(&at, findings);
        }
    }
    if let Some(list) = at.get("dtbo")
        && findings.is_list(&list, "action.key")
    {
        list.items().for_each(|item| resource(&item, findings));
    }
    if let Some(files) = at.get("extra_files")
        && findings.is_mapping(&files, "action.key")
    {
        files.entries().for_each(|(_, file)| resource(&file, findings));
    }
    if let Some(kind) = at.get("kernel").and_then(|kernel| kernel.get("type")) {
        findings.word(&kind, "action.key", &["image", "uimage", "zimage"]);
    }
    if let Some(persistent) = at.get("persistent_nfs") {
        if let Some(nfs) = at.get("nfsrootfs") {
            let finding = persistent.error_at_name("action.key", "`nfsrootfs` and `persistent_nfs` exclude each other");
            findings.push(finding.also(nfs.name, "the other one").help("keep one of them"));
        }
        if findings.is_mapping(&persistent, "action.key") && persistent.get("address").is_none() {
            let finding = persistent.error_at_name("action.key", "`address` is required");
            findings.push(finding.help("add `address: \"SERVER:/path\"`"));
        }
    }
}

/// Something to download.
fn resource(at: &At<'_>, findings: &mut Findings) {
    if !findings.is_mapping(at, "action.key") {
        return;
    }
    match at.get("url") {
        None => {
            let finding = at.error_at_name("action.key", "`url` is required");
            findings.push(finding.help("add `url:` with an address to download from"));
        }
        Some(url) => {
            let Some(text) = findings.filled_text(&url, "action.key") else { return };
            let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
            // A placeholder may stand for the scheme, too. A path relative to the job, which LAVA does not know, says that
            // it is one.
            let relative = ["./", "../"].iter().any(|start| text.starts_with(start));
            if !SCHEMES.contains(&scheme) && !text.starts_with('{') && !relative {
                let finding = url.error("action.url", format!("{text:?} is no address to download from"));
                findings.push(finding.help(format!(
                    "start it with one of {}://, or, for a file beside the job, with ./ or ../",
                    SCHEMES.join("://, ")
                )));
            }
        }
    }
    if let Some(compression) = at.get("compression")
        && compression.node.kind != NodeKind::Null
    {
        findings.word(&compression, "action.key", &COMPRESSIONS);
    }
    if let Some(archive) = at.get("archive") {
        findings.word(&archive, "action.key", &["tar"]);
    }
}

/// `name:tag`, or a mapping with `name`.
pub(crate) fn docker_image(at: &At<'_>, findings: &mut Findings) {
    let name_at = match at.node.kind {
        NodeKind::Map(_) => match at.get("name") {
            Some(name) => name,
            None => {
                let finding = at.error_at_name("action.key", "`name` is required");
                findings.push(finding.help("add the name of the docker image"));
                return;
            }
        },
        _ => at.clone(),
    };
    let Some(name) = findings.filled_text(&name_at, "action.key") else { return };
    let (path, tag) = match name.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (name.as_str(), None),
    };
    let path_fits = !path.is_empty()
        && path
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '/' | ':' | '-' | '@'));
    let tag_fits = tag.is_none_or(|tag| {
        !tag.is_empty() && tag.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
    });
    if !path_fits || !tag_fits {
        let finding = name_at.error("action.key", format!("{name:?} is no name of a docker image"));
        findings.push(finding.help("write it in lower case, for example debian:bookworm"));
    }
}

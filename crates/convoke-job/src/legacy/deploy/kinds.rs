//! The ways to get something onto a device, one for each kind of command.

use serde_json::{Map, json};

use super::{Deployed, file_name, plain, resource};
use crate::diagnostic::Diagnostic;
use crate::legacy::model::{Action, Role};
use crate::legacy::template::Template;
use crate::legacy::{LegacyOptions, Notes};
use crate::node::Node;

/// A whole disk image, by the device type's template.
pub(super) fn image(
    action: &Action<'_>,
    role: &Role,
    template: Option<Template>,
    options: &LegacyOptions,
    notes: &mut Notes,
) -> Option<Deployed> {
    let path = format!("{}.command", action.path);
    let device_type = &role.device_type;
    let problem = if template.is_none() {
        let message = format!("it is not known how an image gets onto a device of type {device_type}");
        let help = format!(
            "say it in the lab file: legacy-map: {{{device_type}: {{deploy: {{to: flasher}}, boot: {{method: minimal}}}}}}; \
             or rehearse the job on sandboxes"
        );
        Some((message, help))
    } else if action.text("image").is_none_or(str::is_empty) {
        let message = match action.parameter("hwpack") {
            Some(_) => "an image cannot be made from a hardware pack",
            None => "\"image\" is missing",
        };
        Some((message.to_owned(), "give a complete disk image: \"image\": URL".to_owned()))
    } else {
        None
    };
    if let Some((message, help)) = problem {
        if options.rehearse {
            let message = format!("{message}; the rehearsal puts a sandbox in its place");
            notes.add(Diagnostic::warning("legacy.deploy-method", path, action.span, message));
            return Some(plain(&Template::neutral()));
        }
        notes.add(Diagnostic::error("legacy.deploy-method", path, action.span, message).help(help));
        return None;
    }
    let (template, url) = (template?, action.text("image")?);
    let mut deployed = plain(&template);
    let mut resource = resource(url);
    if let Some(argument) = &template.image_arg {
        resource.insert("image_arg".to_owned(), argument.as_str().into());
    }
    match &template.image {
        Some(label) => {
            let images = deployed.deploy.entry("images").or_insert_with(|| json!({}));
            if let Some(images) = images.as_object_mut() {
                images.insert(label.clone(), resource.into());
            }
        }
        None => {
            deployed.deploy.insert("image".to_owned(), resource.into());
        }
    }
    Some(deployed)
}

/// Kernel and friends for an emulator: images on its command line.
pub(super) fn emulated(action: &Action<'_>, template: Option<&Template>) -> Deployed {
    let mut deployed = template.map(plain).unwrap_or_else(|| plain(&Template::neutral()));
    let arguments = [
        ("kernel", "-kernel {kernel}"),
        ("ramdisk", "-initrd {ramdisk}"),
        ("dtb", "-dtb {dtb}"),
        ("rootfs", "-drive format=raw,file={rootfs}"),
    ];
    let mut images = Map::new();
    for (name, argument) in arguments {
        if let Some(url) = action.text(name) {
            let mut resource = resource(url);
            resource.insert("image_arg".to_owned(), argument.into());
            images.insert(name.to_owned(), resource.into());
        }
    }
    deployed.deploy.insert("images".to_owned(), images.into());
    deployed
}

/// Kernel and friends over the network: `tftp` and `u-boot`, unless the template says how it boots.
pub(super) fn network(action: &Action<'_>, given: Option<&Template>, notes: &mut Notes) -> Deployed {
    let mut deploy = given.filter(|given| given.to() == "tftp").map(|given| given.deploy.clone()).unwrap_or_default();
    deploy.insert("to".to_owned(), "tftp".into());
    for name in ["kernel", "ramdisk", "dtb", "modules", "nfsrootfs"] {
        let Some(url) = action.text(name) else { continue };
        let mut resource = resource(url);
        if name == "kernel"
            && let Some(kind) = kernel_type(url)
        {
            notes.assume("kernel type: by the file's name");
            resource.insert("type".to_owned(), kind.into());
        }
        deploy.insert(name.to_owned(), resource.into());
    }
    let commands = if action.parameter("nfsrootfs").is_some() { "nfs" } else { "ramdisk" };
    let mut boot = given.map(|given| given.boot.clone()).unwrap_or_default();
    if boot.get("method").is_none() {
        boot.insert("method".to_owned(), "u-boot".into());
    }
    if boot.get("method").is_some_and(|method| method == "u-boot") && !boot.contains_key("commands") {
        boot.insert("commands".to_owned(), commands.into());
    }
    Deployed { deploy, boot }
}

pub(super) fn android(action: &Action<'_>, given: Option<&Template>, notes: &mut Notes) -> Deployed {
    let given = given.filter(|given| given.to() == "fastboot");
    let mut deployed = given
        .map(plain)
        .unwrap_or_else(|| Template::new(&json!({"to": "fastboot"}), None, &json!({"method": "fastboot"})).pair());
    let mut images = Map::new();
    for name in ["boot", "system", "data"] {
        if let Some(url) = action.text(name) {
            images.insert(if name == "data" { "userdata" } else { name }.to_owned(), resource(url).into());
        }
    }
    for item in action.parameter("images").and_then(Node::as_list).unwrap_or_default() {
        for (key, url) in item.as_map().unwrap_or_default() {
            if let Some(url) = url.as_text() {
                images.insert(key.text.clone(), resource(url).into());
            }
        }
    }
    if images.contains_key("userdata") {
        notes.assume("android: the `data` image is the partition `userdata`");
    }
    deployed.deploy.insert("images".to_owned(), images.into());
    deployed
}

/// Nothing but the overlay; the device boots what is on it.
pub(super) fn overlay(template: Option<&Template>, notes: &mut Notes) -> Deployed {
    let mut boot = template.map(|template| template.boot.clone()).unwrap_or_default();
    if template.is_none_or(|template| template.to() != "overlay") {
        notes.assume(
            "a device that nothing is deployed on boots what it has, and fetches the overlay with wget and tar",
        );
        boot = Map::new();
        boot.insert("method".to_owned(), "minimal".into());
        let transfer = json!({"download_command": "wget -S --progress=dot:giga", "unpack_command": "tar -C / -xzf"});
        boot.insert("transfer_overlay".to_owned(), transfer);
    }
    let deploy = json!({"to": "overlay"}).as_object().cloned().unwrap_or_default();
    Deployed { deploy, boot }
}

fn kernel_type(url: &str) -> Option<&'static str> {
    let name = file_name(url);
    let kinds = [("uImage", "uimage"), ("zImage", "zimage"), ("vmlinuz", "zimage"), ("Image", "image")];
    kinds.into_iter().find(|(start, _)| name.starts_with(start)).map(|(_, kind)| kind)
}

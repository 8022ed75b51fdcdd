//! Action trees of deploy blocks.

use serde_json::Value;

use super::{ActionTree, Method, TreeContext, action, leaf, test_definition};
use crate::member::Block;

pub(super) fn tree(to: &str, block: &Block, context: &TreeContext) -> Method {
    let environment = leaf("deploy-device-env");
    let tree = match to {
        "sandbox" => action("deploy-sandbox", vec![sandbox_overlay(block, context), environment]).retrying(),
        "tmpfs" => {
            let mut children = vec![overlay(to, block, context), leaf("apply-overlay-guest"), environment];
            children.extend(downloads(block.parameters.get("images")));
            action("deployimages", children)
        }
        "tftp" => {
            let mut children = vec![overlay(to, block, context)];
            children.extend(top_level_downloads(block));
            children.push(prepare_tftp_overlay());
            children.push(environment);
            action("tftp-deploy", children)
        }
        "ssh" => {
            let mut children = vec![overlay(to, block, context)];
            children.extend(top_level_downloads(block));
            children.push(action("prepare-scp-overlay", vec![leaf("extract-rootfs"), leaf("extract-modules")]));
            children.push(environment);
            action("scp-overlay", children)
        }
        "docker" => action("deploy-docker", vec![environment, overlay(to, block, context)]).retrying(),
        "downloads" => {
            let mut children = vec![overlay(to, block, context)];
            children.extend(downloads(block.parameters.get("images")));
            action("downloads", children)
        }
        _ => {
            let mut children = vec![overlay(to, block, context)];
            children.extend(downloads(block.parameters.get("images")));
            children.extend(top_level_downloads(block));
            children.push(environment);
            return Method { tree: action("deploy-other", children).retrying(), listed: false };
        }
    };
    Method { tree, listed: true }
}

/// A sandbox needs no network overlay and no place for NFS, so those levels do not exist.
fn sandbox_overlay(block: &Block, context: &TreeContext) -> ActionTree {
    let mut children = Vec::new();
    if block.parameters.contains_key("authorize") {
        children.push(leaf("ssh-authorize"));
    }
    if context.multinode {
        children.push(leaf("lava-multinode-overlay"));
    }
    children.push(test_definition(context));
    children.push(leaf("compress-overlay"));
    action("lava-overlay", children)
}

/// LAVA numbers the parts that have nothing to do, too: a deploy to ssh compresses at level 1.1.5 (the name of the
/// archive on the host ends in it), one to tmpfs at 1.1.4.
fn overlay(to: &str, block: &Block, context: &TreeContext) -> ActionTree {
    let mut children = Vec::new();
    if to == "ssh" || block.parameters.contains_key("authorize") {
        children.push(leaf("ssh-authorize"));
    }
    children.push(leaf("lava-vland-overlay"));
    children.push(leaf("lava-multinode-overlay"));
    children.push(test_definition(context));
    children.push(leaf("compress-overlay"));
    children.push(leaf("persistent-nfs-overlay"));
    action("lava-overlay", children)
}

pub(super) fn docker_overlay(context: &TreeContext) -> ActionTree {
    let mut children = Vec::new();
    if context.multinode {
        children.push(leaf("lava-multinode-overlay"));
    }
    children.push(test_definition(context));
    children.push(leaf("compress-overlay"));
    action("lava-create-overlay", children)
}

fn prepare_tftp_overlay() -> ActionTree {
    action(
        "prepare-tftp-overlay",
        vec![
            leaf("extract-nfsrootfs"),
            leaf("parse-persistent-nfs"),
            leaf("extract-overlay-ramdisk"),
            leaf("extract-modules"),
            leaf("apply-overlay-tftp"),
            action("prepare-kernel", vec![leaf("uboot-prepare-kernel")]),
            leaf("configure-preseed-file"),
            leaf("compress-ramdisk"),
        ],
    )
}

/// One `download-retry` per resource of a mapping.
fn downloads(images: Option<&Value>) -> Vec<ActionTree> {
    images
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(label, resource)| download(label, resource))
        .collect()
}

/// Resources that stand directly in the block, or in a list or mapping of it (`dtbo`, `extra_files`).
fn top_level_downloads(block: &Block) -> Vec<ActionTree> {
    let mut out = Vec::new();
    for (key, value) in &block.parameters {
        match value {
            Value::Object(_) if key == "extra_files" => out.extend(downloads(Some(value))),
            Value::Object(_) => out.extend(download(key, value)),
            Value::Array(items) if key == "dtbo" => {
                out.extend(items.iter().enumerate().filter_map(|(at, item)| download(&format!("dtbo{at}"), item)));
            }
            _ => {}
        }
    }
    out
}

fn download(label: &str, resource: &Value) -> Option<ActionTree> {
    let url = resource.get("url")?.as_str()?;
    let labelled = |name| ActionTree { image: Some(label.to_owned()), ..leaf(name) };
    let mut children = vec![labelled(match url.split_once("://").map(|(scheme, _)| scheme) {
        Some("file") | None => "file-download",
        Some("scp") => "scp-download",
        Some("rclone") => "rclone-download",
        Some("downloads") => "pre-downloaded",
        _ => "http-download",
    })];
    if resource.get("overlays").is_some() {
        children.push(labelled("append-overlays"));
    }
    Some(action("download-retry", children).retrying())
}

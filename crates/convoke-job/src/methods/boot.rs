//! Action trees of boot blocks.

use serde_json::Value;

use super::{ActionTree, Method, TreeContext, action, leaf};
use crate::member::{Block, BlockKind};

pub(super) fn tree(method: &str, block: &Block, context: &TreeContext) -> Method {
    let shell = || if context.shell { shell().to_vec() } else { Vec::new() };
    let mut listed = true;
    let tree = match method {
        "sandbox" => {
            let mut children = vec![leaf("start-sandbox")];
            if matches!(&block.kind, BlockKind::Boot { auto_login: Some(_), .. }) {
                children.push(login());
            }
            children.extend(shell());
            action("boot-sandbox", children)
        }
        "qemu" | "qemu-nfs" => {
            let mut children = vec![action("boot-qemu-image", vec![leaf("execute-qemu")]).retrying()];
            children.extend(session(block, context));
            action("boot-image-retry", children)
        }
        "u-boot" => {
            let mut commands = vec![reset(block), leaf("bootloader-interrupt"), leaf("bootloader-commands"), login()];
            commands.extend(shell());
            action(
                "uboot-action",
                vec![
                    leaf("uboot-from-media"),
                    leaf("bootloader-overlay"),
                    leaf("connect-device"),
                    action("uboot-commands", commands),
                ],
            )
        }
        "grub" | "grub-efi" => {
            let mut children =
                vec![leaf("bootloader-from-media"), leaf("bootloader-overlay"), leaf("connect-device"), reset(block)];
            if method == "grub-efi" {
                children.extend([leaf("uefi-menu-interrupt"), leaf("grub-efi-menu-selector")]);
            }
            children.extend([leaf("bootloader-interrupt"), leaf("bootloader-commands"), login()]);
            children.extend(shell());
            action("grub-main-action", children)
        }
        "ipxe" => {
            let mut children = vec![reset(block), leaf("bootloader-interrupt"), leaf("bootloader-commands"), login()];
            children.extend(shell());
            let children = vec![
                leaf("bootloader-overlay"),
                leaf("connect-device"),
                action("bootloader-retry", children).retrying(),
            ];
            // The only method whose block action is not itself run again.
            return Method { tree: action("bootloader-action", children), listed };
        }
        "ssh" => {
            let mut children = vec![leaf("scp-deploy"), leaf("prepare-ssh"), leaf("ssh-connection"), login()];
            children.extend(shell());
            children.push(leaf("scp-overlay-unpack"));
            action("login-ssh", children)
        }
        "docker" => {
            let mut children = vec![leaf("docker-run")];
            children.extend(shell());
            action("boot-docker", children)
        }
        "minimal" => {
            let mut children = vec![leaf("connect-device")];
            if block.parameters.get("reset") != Some(&Value::Bool(false)) {
                children.push(reset(block));
            }
            children.extend(session(block, context));
            action("minimal-boot", children)
        }
        "new_connection" => {
            let mut children = vec![leaf("open-connection")];
            children.extend(session(block, context));
            action("new-connection", children)
        }
        _ => {
            listed = false;
            let mut children = vec![leaf("connect-device"), reset(block), login()];
            children.extend(shell());
            action("boot-other", children)
        }
    };
    Method { tree: tree.retrying(), listed }
}

fn login() -> ActionTree {
    action("auto-login-action", vec![leaf("login-action")]).retrying()
}

fn shell() -> [ActionTree; 2] {
    [leaf("expect-shell-connection"), leaf("export-device-env")]
}

/// From the first text on a console to a shell that has the overlay.
fn session(block: &Block, context: &TreeContext) -> Vec<ActionTree> {
    let mut children = vec![login()];
    if context.shell {
        children.push(leaf("expect-shell-connection"));
        children.extend(transfer(block));
        children.push(leaf("export-device-env"));
    }
    children
}

/// The device fetches its overlay, once its shell is there.
fn transfer(block: &Block) -> Option<ActionTree> {
    block.parameters.contains_key("transfer_overlay").then(|| leaf("overlay-unpack"))
}

fn reset(block: &Block) -> ActionTree {
    let how = if block.parameters.contains_key("soft_reboot") { "send-reboot-commands" } else { "pdu-reboot" };
    action("reset-device", vec![leaf(how)])
}

//! `context`: overrides of device-template variables, a restricted set (job-definition.md §2.2, rule 19).

use serde_json::{Map, Value};

use super::cursor::{At, Findings};
use super::hints::{closest, did_you_mean};
use crate::node::NodeKind;

const KEYS: &[&str] = &[
    "arch",
    "boot_character_delay",
    "boot_console",
    "boot_retry",
    "boot_root",
    "booti_dtb_addr",
    "booti_kernel_addr",
    "booti_ramdisk_addr",
    "bootloader_prompt",
    "bootm_dtb_addr",
    "bootm_kernel_addr",
    "bootm_ramdisk_addr",
    "bootz_dtb_addr",
    "bootz_kernel_addr",
    "bootz_ramdisk_addr",
    "console_device",
    "cpu",
    "custom_kernel_args",
    "deploy_character_delay",
    "extra_kernel_args",
    "extra_nfsroot_args",
    "extra_options",
    "failure_retry",
    "guestfs_driveid",
    "guestfs_interface",
    "guestfs_size",
    "kernel_loglevel",
    "kernel_start_message",
    "lava_test_results_dir",
    "machine",
    "memory",
    "menu_interrupt_prompt",
    "model",
    "monitor",
    "mustang_menu_list",
    "netdevice",
    "no_kvm",
    "no_network",
    "serial",
    "test_character_delay",
    "tftp_mac_address",
    "uboot_altbank",
    "uboot_extra_error_message",
    "uboot_needs_interrupt",
    "vga",
];

/// Whether a job may set this template variable in its `context`.
///
/// # Errors
/// What it may have been meant to be.
pub fn context_key(name: &str) -> Result<(), String> {
    match KEYS.contains(&name) {
        true => Ok(()),
        false => Err(format!("{name:?} is not a context variable{}", did_you_mean(name, KEYS))),
    }
}

/// Reads a context; `extra` are the keys an instance adds.
pub(crate) fn context(at: &At<'_>, extra: &[String], findings: &mut Findings) -> Map<String, Value> {
    let mut out = Map::new();
    if !findings.is_mapping(at, "context.value") {
        return out;
    }
    for (key, value) in at.entries() {
        if !KEYS.contains(&key.text.as_str()) && !extra.contains(&key.text) {
            let message = format!("not a context variable{}", did_you_mean(&key.text, KEYS));
            let mend = closest(&key.text, KEYS).map_or_else(
                || "remove it; only variables of the device template can be set here".to_owned(),
                |name| format!("write `{name}`"),
            );
            findings.push(value.error_at_name("context.key", message).help(mend));
            continue;
        }
        // A boolean counts as an integer, as in LAVA.
        let scalar = |kind: &NodeKind| matches!(kind, NodeKind::Int(_) | NodeKind::Text(_) | NodeKind::Bool(_));
        let sound = match &value.node.kind {
            NodeKind::List(items) => items.iter().all(|item| scalar(&item.kind)),
            kind => scalar(kind),
        };
        if !sound {
            let message = format!("text, an integer or a list of these expected, got {}", value.node.describe());
            findings.push(value.error("context.value", message).help("quote it if it is meant as text"));
        }
        out.insert(key.text.clone(), value.node.to_value());
    }
    out
}

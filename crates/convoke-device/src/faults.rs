//! What is probably wrong with a configuration that can be read: keys that look like slips, and commands that the device's
//! boot methods need and that are not there.
//!
//! LAVA's templates write many keys that only some methods need, so a key that is not known is no fault by itself: only one
//! that is nearly a known one is.

use convoke_job::{Diagnostic, Node};

use crate::Dictionary;
use crate::qemu::Machine;

/// Known keys by place.
const KEYS: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "hostname",
            "device_type",
            "available_architectures",
            "commands",
            "constants",
            "character_delays",
            "environment",
            "device_info",
            "static_info",
            "storage_info",
            "timeouts",
            "actions",
            "parameters",
        ],
    ),
    (
        "commands",
        &[
            "connect",
            "connections",
            "power_on",
            "power_off",
            "hard_reset",
            "soft_reboot",
            "pre_power_command",
            "pre_os_command",
            "users",
        ],
    ),
    ("constants.posix", &["lava_test_sh_cmd", "lava_test_results_dir"]),
    ("character_delays", &["boot", "test", "deploy"]),
    ("timeouts", &["actions", "connections"]),
    ("actions", &["deploy", "boot"]),
    ("actions.deploy", &["methods", "connections", "parameters"]),
    ("actions.boot", &["methods", "connections", "parameters"]),
];

/// Boot methods whose console is a serial line and that begin with a reset.
const SERIAL: &[&str] =
    &["minimal", "u-boot", "grub", "grub-efi", "ipxe", "barebox", "depthcharge", "uefi", "uefi-menu", "bootloader"];

/// What is probably wrong; `root` is the document that `dictionary` was read from.
pub fn faults(root: &Node, dictionary: &Dictionary) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (place, known) in KEYS {
        let mut parts = place.split('.').filter(|part| !part.is_empty());
        let Some(node) = parts.try_fold(root, Node::get) else { continue };
        for (key, _) in node.as_map().unwrap_or_default().iter().filter(|(key, _)| !known.contains(&key.text.as_str()))
        {
            let Some(near) = known.iter().find(|name| is_slip(&key.text, name) && node.get(name).is_none()) else {
                continue;
            };
            let path = if place.is_empty() { key.text.clone() } else { format!("{place}.{}", key.text) };
            let message = format!("unknown key `{}`", key.text);
            let finding = Diagnostic::warning("device.unknown-key", path, key.span, message);
            found.push(finding.help(format!("did you mean `{near}`?")));
        }
    }
    let commands = &dictionary.commands;
    let boot = root.get("actions").and_then(|actions| actions.get("boot")).unwrap_or(root);
    let methods = boot.get("methods").and_then(Node::as_map).unwrap_or_default();
    let span = |name: &str| methods.iter().find(|(key, _)| key.text == name).map_or(boot.span, |(key, _)| key.span);
    let mut fault = |method: &str, message: String, help: &str| {
        let path = format!("actions.boot.methods.{method}");
        found.push(Diagnostic::warning("device.commands", path, span(method), message).help(help));
    };
    for method in dictionary.boot.names() {
        if method == "qemu" {
            if let Err(wrong) = Machine::of_dictionary(dictionary) {
                fault(method, wrong.message, &wrong.help);
            }
        } else if SERIAL.contains(&method) {
            if commands.connect.is_none() && commands.connections.is_empty() {
                let message =
                    format!("boot method {method} needs a console, and there is no command that connects one");
                fault(method, message, "`commands: {connect: telnet HOST PORT}`; in a template: connection_command");
            }
            if commands.hard_reset.is_empty() && commands.power_on.is_empty() && commands.soft_reboot.is_empty() {
                let message = format!("boot method {method} begins with a reset, and there is no command for one");
                fault(method, message, "`commands: {hard_reset: …}`, or power_on and power_off");
            }
        }
    }
    found
}

/// Whether one is the other with one letter too much, too few, wrong or swapped, or another separator.
fn is_slip(one: &str, other: &str) -> bool {
    let same = |text: &str| text.to_lowercase().replace('-', "_");
    let (one, other): (Vec<char>, Vec<char>) = (same(one).chars().collect(), same(other).chars().collect());
    let begin = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[begin..], &other[begin..]);
    let end = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[..one.len() - end], &other[..other.len() - end]);
    one.len().max(other.len()) <= 1 || matches!((one, other), ([a, b], [c, d]) if a == d && b == c)
}

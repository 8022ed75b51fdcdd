//! The commands of the 2014 format and the parameters each of them knows (legacy-json.md §3).

use crate::diagnostic::Diagnostic;
use crate::legacy::Notes;
use crate::legacy::model::Action;

/// What a command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// A disk image, whole or from a hardware pack.
    DeployImage,
    /// Kernel, ramdisk, device tree and file system over the network.
    DeployKernel,
    /// Android partitions.
    DeployAndroid,
    /// `deploy_image`: an image where one is given, else only the overlay.
    DeployAny,
    /// Only the overlay.
    DeployNothing,
    /// Boot what was deployed.
    Boot,
    /// Boot Android.
    BootAndroid,
    /// Test definitions.
    TestShell,
    /// Commands as one test definition.
    RunLines,
    /// Where results go.
    Submit,
}

const LOGIN: [&str; 4] = ["login_prompt", "username", "password_prompt", "password"];
const TABLE: [(&str, Command, &[&str]); 12] = [
    ("deploy_linaro_image", Command::DeployImage, &["image", "hwpack", "rootfs"]),
    (
        "deploy_linaro_kernel",
        Command::DeployKernel,
        &["kernel", "ramdisk", "dtb", "modules", "nfsrootfs", "rootfs", "target_type"],
    ),
    ("deploy_linaro_android_image", Command::DeployAndroid, &["boot", "system", "data", "images"]),
    ("deploy_image", Command::DeployAny, &["image", "target_type"]),
    ("dummy_deploy", Command::DeployNothing, &["target_type"]),
    ("boot_linaro_image", Command::Boot, &[]),
    ("boot_image", Command::Boot, &[]),
    ("boot_linaro_android_image", Command::BootAndroid, &[]),
    ("lava_test_shell", Command::TestShell, &["testdef_repos", "testdef_urls", "skip_install"]),
    ("lava_command_run", Command::RunLines, &["commands", "parser", "iterations"]),
    ("submit_results", Command::Submit, &["server", "stream", "token", "result_disk"]),
    ("submit_results_on_host", Command::Submit, &["server", "stream", "token", "result_disk"]),
];

impl Command {
    pub(crate) fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|(known, ..)| *known == name).map(|(_, command, _)| *command)
    }

    pub(crate) fn names() -> Vec<&'static str> {
        TABLE.iter().map(|(name, ..)| *name).collect()
    }

    /// The command that `name` was probably meant to be.
    pub(crate) fn nearest(name: &str) -> Option<&'static str> {
        let distances = Self::names().into_iter().map(|known| (strsim::damerau_levenshtein(name, known), known));
        distances.min().filter(|(distance, known)| *distance <= known.len() / 4).map(|(_, known)| known)
    }

    pub(crate) fn deploys(self) -> bool {
        matches!(
            self,
            Command::DeployImage
                | Command::DeployKernel
                | Command::DeployAndroid
                | Command::DeployAny
                | Command::DeployNothing
        )
    }

    pub(crate) fn boots(self) -> bool {
        matches!(self, Command::Boot | Command::BootAndroid)
    }

    pub(crate) fn tests(self) -> bool {
        matches!(self, Command::TestShell | Command::RunLines)
    }
}

const FILES: [&str; 10] =
    ["image", "kernel", "ramdisk", "dtb", "modules", "nfsrootfs", "rootfs", "boot", "system", "data"];

/// Says which parameters have no counterpart, and which files of a deploy are not at an address.
pub(crate) fn check_parameters(action: &Action<'_>, notes: &mut Notes) {
    let known = TABLE.iter().find(|(name, ..)| *name == action.name).map_or(&[][..], |(_, _, known)| known);
    let login = action.command.deploys() || action.command.boots();
    for (key, value) in action.parameters.and_then(|node| node.as_map()).unwrap_or_default() {
        let name = key.text.as_str();
        let common = ["role", "timeout", "repeat"].contains(&name);
        let known = common || known.contains(&name) || login && LOGIN.contains(&name);
        if !known {
            let message = format!("\"{name}\" of {} has no counterpart and is dropped", action.name);
            let path = format!("{}.parameters.{name}", action.path);
            notes.add(Diagnostic::warning("legacy.parameter", path, key.span, message));
        } else if action.command.deploys() && FILES.contains(&name) {
            let schemes = ["http://", "https://", "file://", "scp://"];
            let address = value.as_text().is_some_and(|url| schemes.iter().any(|scheme| url.starts_with(scheme)));
            if !address {
                let message = format!("\"{name}\" is an address to download from, not {}", value.describe());
                let finding =
                    Diagnostic::error("legacy.url", format!("{}.parameters.{name}", action.path), value.span, message);
                notes.add(finding.help(format!("start it with one of {}", schemes.join(", "))));
            }
        }
    }
}

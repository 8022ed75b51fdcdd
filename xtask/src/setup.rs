//! Installs the Debian packages that tests and examples use. Asks apt only for what is missing.

use std::process::{Command, Stdio};

use crate::chores::run_command;

/// Package and what it is for. The main job of the README needs none of them.
const PACKAGES: &[(&str, &str)] = &[
    ("bash", "helpers are tested under it"),
    ("busybox", "helpers are tested under its shell, and with nothing but its applets"),
    ("dash", "helpers are tested under it"),
    ("git", "test definitions come from repositories"),
    ("iperf3", "examples/iperf3.yaml measures with it"),
    ("lava-coordinator", "our client speaks to it in tests"),
    ("mandoc", "lints the manual page"),
    ("mksh", "helpers are tested under it"),
    ("perl", "results.tap is read back by its TAP::Parser"),
    ("procps", "tests look for left-over processes"),
    ("python3", "the YAML of a split job is compared with what LAVA's loader reads"),
    ("python3-junitparser", "junit.xml is read back by it"),
    ("python3-yaml", "the YAML 1.1 that LAVA reads with"),
    ("shellcheck", "lints the helpers"),
    ("systemd", "its systemd-analyze checks the unit"),
    ("util-linux", "tests make namespaces and change users"),
];

pub(crate) fn run() -> Result<(), String> {
    let missing: Vec<&str> = PACKAGES.iter().map(|(name, _)| *name).filter(|name| !installed(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("xtask: installing {}", missing.join(" "));
    let root = std::fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0);
    let apt = |arguments: &[&str]| {
        let mut command = if root { Command::new("apt-get") } else { Command::new("sudo") };
        if !root {
            command.arg("apt-get");
        }
        command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        run_command(&mut command)
    };
    // Package lists may be old or absent on a new machine.
    apt(&["-q", "update"])?;
    let mut install = vec!["-q", "-y", "install", "--no-install-recommends"];
    install.extend(&missing);
    apt(&install).map_err(|error| format!("{error}; install by hand: {}", missing.join(" ")))
}

fn installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["-W", "-f", "${db:Status-Status}", package])
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|output| output.stdout == b"installed")
}

//! Installs the Debian packages that tests and examples use, and builds the guest images. Asks apt only for what is missing.
//! What comes along as a service is neither started nor enabled: tests start what they need.

mod qemu;

use std::process::{Command, Stdio};

use crate::chores::run_command;
use crate::images;

/// Package and what it is for. The main job of the README needs none of them.
const PACKAGES: &[(&str, &str)] = &[
    ("bash", "helpers are tested under it, and completion in it"),
    ("busybox", "helpers are tested under its shell, and with nothing but its applets"),
    ("chromium", "the report is opened in it"),
    ("cpio", "an initramfs is made and read back with it"),
    ("dash", "helpers are tested under it"),
    ("e2fsprogs", "overlays are put into ext4 images by it, and the images checked"),
    ("fdisk", "disks with partitions are made with it"),
    ("fish", "completion is tested in it"),
    ("git", "test definitions come from repositories"),
    ("iperf3", "examples/iperf3.yaml measures with it"),
    ("lava-coordinator", "our client speaks to it in tests"),
    ("lava-dispatcher", "its lava-run speaks to our coordinator in tests"),
    ("mandoc", "lints the manual page"),
    ("mksh", "helpers are tested under it"),
    ("openssh-client", "devices are reached with it"),
    ("openssh-server", "devices that are reached by ssh run it in tests"),
    ("openssl", "a server whose certificate nobody knows"),
    ("perl", "results.tap is read back by its TAP::Parser"),
    ("poppler-utils", "the printed report is read back by its pdftotext"),
    ("procps", "tests look for left-over processes"),
    ("protobuf-compiler", "traces are decoded by its protoc"),
    ("python3", "the YAML of a split job is compared with what LAVA's loader reads"),
    ("python3-junitparser", "junit.xml is read back by it"),
    ("python3-yaml", "the YAML 1.1 that LAVA reads with"),
    (qemu::SYSTEM, "guests run in it"),
    ("ser2net", "a board's serial line is behind it in tests"),
    ("shellcheck", "lints the helpers"),
    ("socat", "the serial line of examples/board-serial.yaml"),
    ("systemd", "its systemd-analyze checks the unit"),
    ("systemd-container", "the unit runs under a systemd of its own in it"),
    ("toybox", "helpers are tested with its applets"),
    ("util-linux", "tests make namespaces and change users"),
    ("xz-utils", "archives are packed with it"),
    ("zsh", "completion is tested in it"),
];

/// Installs words for apt-get that are its arguments, with services kept off.
const INSTALL: &str = include_str!("setup/install.sh");

pub(crate) fn run() -> Result<(), String> {
    let missing: Vec<&str> = PACKAGES.iter().map(|(name, _)| *name).filter(|name| !installed(name)).collect();
    if missing.is_empty() {
        // The lists that say which kernel is the newest may be old or absent.
        return images::build().or_else(|_| as_root("apt-get -q update", &[]).and_then(|()| images::build()));
    }
    eprintln!("xtask: installing {}", missing.join(" "));
    // Package lists may be old or absent on a new machine.
    as_root("apt-get -q update", &[])?;
    let by_hand = |error| format!("{error}; install by hand: {}", missing.join(" "));
    let mut beside = Vec::new();
    if missing.contains(&qemu::SYSTEM) {
        match qemu::beside_what_is_installed()? {
            qemu::Way::Candidate(versions) => beside = versions,
            qemu::Way::Suite(suite) => as_root(INSTALL, &["-t", &suite, qemu::SYSTEM]).map_err(by_hand)?,
        }
    }
    let versions: Vec<&str> = beside.iter().map(String::as_str).collect();
    as_root(INSTALL, &[missing.as_slice(), &versions].concat()).map_err(by_hand)?;
    images::build()
}

/// Runs a shell script with arguments as root.
fn as_root(script: &str, arguments: &[&str]) -> Result<(), String> {
    let root = std::fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0);
    let mut command = if root { Command::new("sh") } else { Command::new("sudo") };
    if !root {
        command.arg("sh");
    }
    run_command(command.args(["-c", script, "setup"]).args(arguments))
}

fn installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["-W", "-f", "${db:Status-Status}", package])
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|output| output.stdout == b"installed")
}

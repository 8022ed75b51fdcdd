//! Keys of deploy and boot methods as data (job-definition.md §5, §7, §8; rule 40).

/// Keys every block may have.
pub(super) const COMMON: &[&str] = &[
    "role",
    "timeout",
    "timeouts",
    "protocols",
    "namespace",
    "connection-namespace",
    "failure_retry",
    "failure_retry_interval",
    "repeat",
    "connection",
    "connection_timeout",
    "name",
];
pub(super) const DEPLOY: &[&str] = &["to", "os", "authorize", "overlay_backend"];
pub(super) const BOOT: &[&str] = &[
    "method",
    "prompts",
    "auto_login",
    "transfer_overlay",
    "parameters",
    "soft_reboot",
    "ignore_kernel_messages",
    "commands",
];
pub(super) const TEST: &[&str] =
    &["definitions", "monitors", "interactive", "services", "docker", "downloads-namespace", "disconnect_connection"];

/// What a method takes besides the common keys.
pub(super) struct Keys {
    pub(super) name: &'static str,
    pub(super) required: &'static [&'static str],
    pub(super) optional: &'static [&'static str],
    /// Other keys are taken without a word.
    pub(super) open: bool,
}

const fn keys(name: &'static str, required: &'static [&'static str], optional: &'static [&'static str]) -> Keys {
    Keys { name, required, optional, open: false }
}

const fn open(name: &'static str, required: &'static [&'static str]) -> Keys {
    Keys { name, required, optional: &[], open: true }
}

/// Deploy methods (`to`).
pub(super) const DEPLOYS: &[Keys] = &[
    keys("sandbox", &[], &[]),
    keys("tmpfs", &["images"], &["type", "uefi"]),
    keys(
        "tftp",
        &[],
        &[
            "kernel",
            "dtb",
            "dtbo",
            "modules",
            "ramdisk",
            "nfsrootfs",
            "persistent_nfs",
            "tee",
            "preseed",
            "extra_files",
        ],
    ),
    keys("nfs", &[], &["nfsrootfs", "modules", "images"]),
    keys("ssh", &[], &["firmware", "kernel", "rootfs", "modules"]),
    keys("docker", &["image"], &[]),
    keys("overlay", &[], &[]),
    keys("download", &["images"], &[]),
    keys("downloads", &["images"], &["uniquify", "postprocess"]),
    keys("flasher", &["images"], &["uniquify"]),
    open("fastboot", &["images"]),
    open("usb", &["device"]),
    open("sata", &["device"]),
    open("sd", &["device"]),
    open("nbd", &["kernel", "nbdroot", "initrd"]),
    open("iso-installer", &["images", "iso"]),
    open("fvp", &[]),
    open("avh", &[]),
    open("mps", &[]),
    open("musca", &[]),
    open("qdl", &[]),
    open("recovery", &[]),
    open("u-boot-ums", &[]),
    open("usbg-ms", &[]),
    open("uuu", &[]),
    open("vemsd", &[]),
];

/// Boot methods.
pub(super) const BOOTS: &[Keys] = &[
    keys("sandbox", &[], &[]),
    keys("qemu", &[], &["media", "docker"]),
    keys("qemu-nfs", &["prompts"], &["media"]),
    open("qemu-iso", &["media"]),
    keys("ssh", &["prompts"], &[]),
    keys("minimal", &[], &["reset", "pre_power_command", "pre_os_command"]),
    keys("u-boot", &["commands", "prompts"], &["reset", "use_bootscript"]),
    keys("grub", &["commands"], &["boot_finished", "expect_shell", "reset", "use_bootscript"]),
    keys("grub-efi", &["commands"], &["boot_finished", "expect_shell", "reset", "use_bootscript"]),
    keys("ipxe", &["commands", "prompts"], &["use_bootscript"]),
    open("bootloader", &["bootloader"]),
    keys("docker", &["command", "prompts"], &["downloads-namespace"]),
    keys("new_connection", &["connection"], &[]),
    open("schroot", &["schroot"]),
    open("kexec", &["boot_message"]),
    open("fastboot", &[]),
    open("depthcharge", &["commands"]),
    open("barebox", &["commands"]),
    open("uefi", &["commands"]),
    open("uefi-menu", &[]),
    open("fvp", &["console_string", "image", "arguments", "docker"]),
    open("gdb", &["commands"]),
    open("recovery", &["commands"]),
    open("uuu", &["commands"]),
    open("qdl", &["firehose_program", "rawprogram"]),
    open("nodebooter", &["command"]),
    open("avh", &["prompts"]),
    open("jlink", &[]),
    open("pyocd", &[]),
    open("openocd", &[]),
    open("cmsis-dap", &[]),
    open("dfu", &[]),
    open("musca", &[]),
    open("monitor", &[]),
];

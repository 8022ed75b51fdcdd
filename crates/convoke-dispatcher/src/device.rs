//! What the dispatcher needs of a device: the traits a lab implements.
//!
//! The order of calls on a [`Device`] is `deploy`, `boot`, and in the end `power_off`; deploy and boot may come again
//! (retry, several blocks). Dropping a device ends everything it started.

use std::fs::File;
use std::future::Future;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::ActionError;

/// A boxed future, so that the traits can be objects.
pub type DeviceFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, ActionError>> + Send + 'a>>;

/// A console: a byte stream to and from the device. End of file means that the device is gone.
pub struct Console {
    /// Bytes from the device.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// Bytes to the device.
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
}

/// What is fixed about a device.
#[derive(Clone, Debug)]
pub struct DeviceInfo {
    /// LAVA's name of it.
    pub name: String,
    /// Its type.
    pub device_type: String,
    /// Pattern with `%s` for the job id: constant `posix.lava_test_results_dir`.
    pub results_dir: String,
    /// Constant `posix.lava_test_sh_cmd`.
    pub shell: String,
    /// `environment` of the device.
    pub environment: Vec<(String, String)>,
    /// Prompts used when the job gives none, regular expressions.
    pub prompts: Vec<String>,
    /// Address of the dispatcher as the device sees it, for `LAVA_DISPATCHER_IP`.
    pub dispatcher_ip: String,
    /// Distro when the job's deploy does not say `os`.
    pub os: Option<String>,
    /// Tags, for `LAVA_JOB_TAGS`.
    pub tags: Vec<String>,
    /// What the lab knows of it, for `lava-target-ip` and its like: file name (`ip`, `mac`, `storage`, …) and text.
    pub files: Vec<(String, String)>,
    /// Device limits of actions by name (job-definition.md §3.3 step 3).
    pub action_timeouts: Vec<(String, std::time::Duration)>,
    /// Device limits of connections by action name.
    pub connection_timeouts: Vec<(String, std::time::Duration)>,
}

/// An overlay ready to be put onto a device.
#[derive(Debug)]
pub struct OverlayArchive {
    /// `overlay-1.1.5.tar.gz`.
    pub file_name: String,
    /// The archive, gzip, entries relative to the device's root. Nameless on disk; positioned at its start.
    pub file: File,
    /// Where the archive itself is put, absolute, for secondary connections (`/<job>-overlay-<level>.tar.gz`).
    pub keep_at: Option<String>,
}

/// One device.
pub trait Device: Send {
    /// What is fixed about it.
    fn info(&self) -> &DeviceInfo;

    /// Takes the overlay; the next boot has it unpacked at the device's root.
    fn deploy(&mut self, overlay: OverlayArchive) -> DeviceFuture<'_, ()>;

    /// Boots (or reboots) and gives the console. The prompt has not been waited for.
    fn boot(&mut self) -> DeviceFuture<'_, Console>;

    /// Whether the device's own kernel prints to its console, so that its first line means a reboot
    /// (device-side.md §8.1). A sandbox shares the machine's kernel and says no.
    fn kernel_console(&self) -> bool {
        false
    }

    /// Ends it. Harmless when repeated or never booted.
    fn power_off(&mut self) -> DeviceFuture<'_, ()>;
}

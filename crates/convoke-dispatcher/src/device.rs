//! What the dispatcher needs of a device: the traits a lab implements.
//!
//! ```text
//! deploy block ─→ images downloaded, overlay made ─→ Device::deploy(Deployment)
//! boot block   ─→ the action that starts or connects ─→ Device::boot(BootRequest) ─→ Console
//!                 the action that switches the power ─→ Device::reset(BootRequest)
//!                 the action that opens a further connection ─→ Device::connect(name) ─→ Console
//! command block ─→ Device::command(do), at the end Device::command(undo)
//! finalize     ─→ Device::power_off
//! ```
//!
//! Deploy and boot may come again (retry, several blocks); a boot ends what an earlier one started. Dropping a device ends
//! everything it started. What a job asks for and a device cannot do is known from [`Device::refusal`] before anything
//! runs.

use std::fs::File;
use std::future::Future;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use convoke_device::Dictionary;
use convoke_job::member::{Block, BlockKind, TestKind};
use convoke_journal::Recorder;
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::error::{ActionError, ErrorClass};
use crate::log::Log;

/// A boxed future, so that the traits can be objects.
pub type DeviceFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, ActionError>> + Send + 'a>>;

/// A console: a byte stream to and from the device. End of file means that the device is gone.
pub struct Console {
    /// Bytes from the device.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// Bytes to the device.
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// What the device tells beside its console; `None` when it has nothing but a console.
    pub events: Option<mpsc::UnboundedReceiver<DeviceEvent>>,
    /// Tells the device how large the terminal is, in rows and columns; `None` when it cannot be told.
    pub resize: Option<Resize>,
}

/// Takes rows and columns.
pub type Resize = Box<dyn Fn(u16, u16) + Send>;

impl Console {
    /// A console of a device that tells nothing beside it.
    pub fn new(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Console {
        Console { reader: Box::new(reader), writer: Box::new(writer), events: None, resize: None }
    }
}

/// What a device tells beside its console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceEvent {
    /// The machine was reset and boots again.
    Reset,
    /// It has ended, and the console with it; the sender goes with this. Told before or soon after the console's end of
    /// file.
    Ended(ConsoleEnd),
}

/// Why a console has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleEnd {
    /// Whose fault that is, when it ends an action.
    pub class: ErrorClass,
    /// In a few words: `the machine powered itself off`.
    pub message: String,
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
    /// The device's configuration; that of a device which needs none is the default.
    pub configuration: Arc<Dictionary>,
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
    /// Whether an image has taken it already.
    pub applied: bool,
}

/// What a deploy block has made ready for its device.
#[derive(Debug)]
pub struct Deployment {
    /// `to`.
    pub to: String,
    /// All keys of the block as given.
    pub parameters: Map<String, Value>,
    /// What was downloaded, in the order of the block.
    pub images: Vec<Image>,
    /// The test overlay; `None` when the namespace has no test, an image has taken it, or the device is to fetch it.
    pub overlay: Option<OverlayArchive>,
    /// The results directory on the device, `/lava-77`: everything in the overlay lies in it.
    pub results_dir: String,
    /// An existing folder where files without a name are made.
    pub scratch: PathBuf,
}

/// What a device has made of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deployed {
    /// Lines typed in the shell before the runner of the next test is started, once after each boot: how the device gets
    /// at its overlay.
    pub before_test: Vec<String>,
}

/// Something that was downloaded, verified, unpacked, and has its overlays.
#[derive(Debug)]
pub struct Image {
    /// Its label in the block: `kernel`, `rootfs`, …
    pub label: String,
    /// Its keys as given: `url`, `image_arg`, …
    pub parameters: Map<String, Value>,
    /// The file. Others may use it too: it is never written.
    pub file: File,
}

/// What a boot block asks of its device.
#[derive(Clone, Debug)]
pub struct BootRequest {
    /// `method`.
    pub method: String,
    /// All keys of the block as given.
    pub parameters: Map<String, Value>,
    /// `context` of the job.
    pub context: Map<String, Value>,
    /// Prompts that will be waited for, regular expressions.
    pub prompts: Vec<String>,
    /// For a guest: the address of its host, as a request of the deploy block has stored it (device-side.md §9.3).
    pub host_address: Option<String>,
    /// Takes lines for the member's log.
    pub log: DeviceLog,
}

impl Deployment {
    /// A deployment of an overlay and nothing else.
    pub fn of_overlay(to: impl Into<String>, overlay: OverlayArchive) -> Deployment {
        Deployment {
            to: to.into(),
            parameters: Map::new(),
            images: Vec::new(),
            overlay: Some(overlay),
            results_dir: String::new(),
            scratch: PathBuf::new(),
        }
    }
}

impl BootRequest {
    /// A request without anything but its method.
    pub fn new(method: impl Into<String>, log: DeviceLog) -> BootRequest {
        let (parameters, context) = (Map::new(), Map::new());
        BootRequest { method: method.into(), parameters, context, prompts: Vec::new(), host_address: None, log }
    }
}

/// The member's log, for what a device has to say while it works.
#[derive(Clone, Debug)]
pub struct DeviceLog(pub(crate) Log);

impl DeviceLog {
    /// The log of a member.
    pub fn new(recorder: Recorder, member: u32) -> DeviceLog {
        DeviceLog(Log::new(recorder, member))
    }

    /// A line that is of interest when something is wrong.
    pub fn debug(&self, text: impl std::fmt::Display) {
        self.0.debug(text);
    }

    /// A line that is of interest.
    pub fn info(&self, text: impl std::fmt::Display) {
        self.0.info(text);
    }

    /// A line that somebody should read.
    pub fn warning(&self, text: impl std::fmt::Display) {
        self.0.warning(text);
    }
}

/// What a block asks for and a device cannot do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What, as a fragment.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Refusal {
        Refusal { message: message.into(), help: help.into() }
    }
}

/// Why a device with this configuration cannot run the user command that a block asks for.
pub fn command_refusal(name: &str, dictionary: Option<&Dictionary>) -> Option<Refusal> {
    let known: Vec<&str> =
        dictionary.iter().flat_map(|dictionary| &dictionary.commands.users).map(|user| user.name.as_str()).collect();
    match known.as_slice() {
        [] => Some(Refusal::new(
            format!("the device has no user command {name}: it has none"),
            "add `commands: {users: {NAME: {do: …, undo: …}}}` to its configuration, or leave the block out",
        )),
        names if !names.contains(&name) => {
            let message = format!("the device has no user command {name}: it has {}", names.join(", "));
            Some(Refusal::new(message, "use one of these, or add it to the device's `commands.users`"))
        }
        _ => None,
    }
}

/// Deploys that no device notices, so that all have them: what they download is for later blocks, or for nobody.
pub const DOWNLOADS: [&str; 2] = ["download", "downloads"];

/// Why no device of any kind can do what a test block asks for; only a rehearsal goes on without it.
pub fn unsupported(block: &Block) -> Option<Refusal> {
    let what = match &block.kind {
        BlockKind::Test(_) if block.parameters.contains_key("docker") => "docker test shells",
        BlockKind::Test(TestKind::Services(_)) => "services",
        BlockKind::Test(TestKind::Definitions(_) | TestKind::Monitors(_) | TestKind::Interactive(_))
        | BlockKind::Deploy { .. }
        | BlockKind::Boot { .. }
        | BlockKind::Command { .. } => return None,
    };
    let help = "leave the block out, or try the job with --rehearse, which skips what it cannot run";
    Some(Refusal::new(format!("{what} cannot be run"), help))
}

/// One device.
pub trait Device: Send {
    /// What is fixed about it.
    fn info(&self) -> &DeviceInfo;

    /// Why it cannot do what a block of the job asks for; `None` when it can. Asked before anything runs, of every boot
    /// block and of every deploy but [`DOWNLOADS`].
    fn refusal(&self, block: &Block) -> Option<Refusal>;

    /// Takes what a deploy block has made. The next boot has the overlay unpacked at the device's root, or gets it by what
    /// is to be typed.
    fn deploy(&mut self, deployment: Deployment) -> DeviceFuture<'_, Deployed>;

    /// Boots (or reboots) and gives the console. The prompt has not been waited for. A device whose power is switched
    /// apart from its console only connects here, and starts in [`Device::reset`].
    fn boot(&mut self, request: BootRequest) -> DeviceFuture<'_, Console>;

    /// Opens a connection of the device beside the console of its boot: one of `commands.connections`. What an earlier call
    /// with this name has opened ends.
    fn connect(&mut self, name: &str, _log: DeviceLog) -> DeviceFuture<'_, Console> {
        let message = format!("{} has no connection {name}", self.info().name);
        Box::pin(async { Err(ActionError::new(ErrorClass::Configuration, message)) })
    }

    /// Runs a command of the lab on this machine, to its end; `what` names it in messages. Dropping the future kills it.
    fn command(&mut self, what: &str, _command: &str, _log: DeviceLog) -> DeviceFuture<'_, ()> {
        let message = format!("{what} cannot be run for {}", self.info().name);
        Box::pin(async { Err(ActionError::new(ErrorClass::Configuration, message)) })
    }

    /// Switches the power of a device that is connected off and on again. Nothing to do for a device that
    /// [`Device::boot`] has started.
    fn reset(&mut self, _request: BootRequest) -> DeviceFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    /// Whether the device's own kernel prints to its console, so that its panics stand there (device-side.md §8.1). A
    /// sandbox shares the machine's kernel and says no.
    fn kernel_console(&self) -> bool {
        false
    }

    /// Listens where the device reaches this machine, at [`DeviceInfo::dispatcher_ip`] and a free port.
    fn listen(&mut self) -> DeviceFuture<'_, TcpListener> {
        Box::pin(async {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await;
            listener
                .map_err(|error| ActionError::infrastructure(format!("nothing can listen on this machine: {error}")))
        })
    }

    /// What it was waiting for when its future was dropped, in a few words: for the message of a limit that has passed.
    fn doing(&self) -> Option<String> {
        None
    }

    /// Ends it. Harmless when repeated or never booted.
    fn power_off(&mut self) -> DeviceFuture<'_, ()>;
}

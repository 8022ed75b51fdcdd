//! One login as a device.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use convoke_children::Stage;
use convoke_dispatcher::device::{
    BootRequest, Console, ConsoleEnd, Deployed, Deployment, Device, DeviceEvent, DeviceFuture, DeviceInfo, DeviceLog,
    OverlayArchive, Refusal,
};
use convoke_dispatcher::error::{ActionError, ErrorClass};
use convoke_job::member::{Block, BlockKind};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::command::Common;
use super::key::KeyPair;
use super::stage::{FILES, LoginConfig, LoginEnded};
use super::target::{Target, is_address};
use super::words;
use crate::command;
use crate::qemu::messages::Namespaces;
use crate::sandbox::Ground;
use crate::sandbox::ground::failed;
use crate::spec::DeviceSpec;

/// How long a shell has to take its leave before the connection is cut.
const LOGOUT: Duration = Duration::from_secs(3);
/// What the shell ends with when the overlay cannot be unpacked.
const NOT_UNPACKED: i32 = 97;

/// What a login is made to.
enum Place {
    /// A device of its own, in this machine's network.
    Primary,
    /// Another member's device.
    Guest {
        /// Network in which that device is; `None` for this machine's.
        ground: Option<Arc<Ground>>,
        /// The key that device takes, unless its configuration names one.
        key: Arc<KeyPair>,
    },
}

/// Why a login cannot do what a block asks for.
pub fn refusal(block: &Block) -> Option<Refusal> {
    let (what, method, help) = match &block.kind {
        BlockKind::Deploy { to, .. } if to != "ssh" => ("deploy to", to, "use `to: ssh`"),
        BlockKind::Boot { method, .. } if method != "ssh" => ("boot method", method, "use `method: ssh`"),
        BlockKind::Deploy { .. } | BlockKind::Boot { .. } | BlockKind::Test(_) | BlockKind::Command { .. } => {
            return None;
        }
    };
    Some(Refusal::new(format!("a machine reached by ssh has no {what} {method}"), help))
}

/// One login.
pub struct SshDevice {
    info: DeviceInfo,
    /// Where commands of the lab run.
    folder: PathBuf,
    target: Target,
    place: Place,
    overlays: Vec<OverlayArchive>,
    running: Option<Running>,
}

/// A login that lasts. It ends when this is dropped.
struct Running {
    /// Another handle of the console, to take leave with.
    console: std::os::unix::net::UnixStream,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl SshDevice {
    /// A machine that nobody is logged in to.
    pub fn primary(spec: DeviceSpec, target: Target) -> SshDevice {
        let files = target.host.iter().map(|host| ("ip".to_owned(), format!("{host}\n"))).collect();
        let folder = spec.settings.folder.clone();
        let info = spec.info(String::new(), files);
        SshDevice { info, folder, target, place: Place::Primary, overlays: Vec::new(), running: None }
    }

    /// A guest that is not logged in. It takes over what is fixed about its host, under a name of its own. `ground` is the
    /// network in which the host is, `None` for this machine's; `key` is what the host takes, unless its configuration
    /// names another.
    pub fn guest(
        name: String,
        host: &DeviceInfo,
        target: Target,
        ground: Option<Arc<Ground>>,
        key: Arc<KeyPair>,
    ) -> SshDevice {
        let info = DeviceInfo { name, ..host.clone() };
        SshDevice {
            info,
            folder: PathBuf::new(),
            target,
            place: Place::Guest { ground, key },
            overlays: Vec::new(),
            running: None,
        }
    }

    async fn login(&mut self, request: &BootRequest) -> Result<Console, ActionError> {
        let host = self.host(request)?;
        for overlay in &self.overlays {
            let Some(there) = &overlay.keep_at else { continue };
            let (ours, theirs) = UnixStream::pair().map_err(broken)?;
            let stage = self.start(&request.log, &host, theirs, Some((&overlay.file, there))).await?;
            // Nothing to say to it.
            drop(ours);
            let (ended, _) = stage.recv::<LoginEnded>().await.map_err(failed)?;
            if ended.code != Some(0) {
                return Err(self.not_reached("scp", &host, &ended));
            }
        }
        let (console, theirs) = UnixStream::pair().map_err(broken)?;
        let stage = self.start(&request.log, &host, theirs, None).await?;
        let console = console.into_std().map_err(broken)?;
        let handle = console.try_clone().map_err(broken)?;
        let console = UnixStream::from_std(console).map_err(broken)?;
        let (events, inbox) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let guest = matches!(self.place, Place::Guest { .. });
        let task = tokio::spawn(watch(stage, events, stopped, host, guest));
        self.running = Some(Running { console: handle, stop: Some(stop), task });
        let (reader, writer) = console.into_split();
        Ok(Console { events: Some(inbox), ..Console::new(reader, writer) })
    }

    /// Where to log in.
    fn host(&self, request: &BootRequest) -> Result<String, ActionError> {
        if let Some(host) = &request.host_address {
            if !is_address(host) {
                let message = format!("the host sent {host:?} as its address, which is none");
                return Err(ActionError::job(message).reason("guest.unreachable"));
            }
            return Ok(host.clone());
        }
        self.target.host.clone().ok_or_else(|| {
            let message = "the boot block does not say whose address it is: `parameters: {hostID, host_key}`";
            ActionError::job(message).reason("guest.unreachable")
        })
    }

    /// Starts scp with a file and where it goes, or ssh.
    async fn start(
        &self,
        log: &convoke_dispatcher::device::DeviceLog,
        host: &str,
        console: UnixStream,
        copy: Option<(&File, &str)>,
    ) -> Result<Stage, ActionError> {
        let console = console.into_std().and_then(|end| end.set_nonblocking(false).map(|()| end)).map_err(broken)?;
        let mut files: Vec<&File> = Vec::new();
        let mut labels = Vec::new();
        let identity = match (&self.target.identity, &self.place) {
            (Some(path), _) => Some(path.display().to_string()),
            (None, Place::Guest { key, .. }) => {
                files.push(key.private());
                labels.push("<key>");
                Some(format!("{FILES}0"))
            }
            (None, Place::Primary) => None,
        };
        let (namespaces, mut fds) = self.namespaces();
        let common =
            Common { target: &self.target, host, identity: identity.as_deref(), own_settings: !namespaces.network };
        let command = match copy {
            Some((file, there)) => {
                files.push(file);
                labels.push("<overlay>");
                common.scp(&format!("{FILES}{}", files.len() - 1), there)
            }
            None => common.ssh(),
        };
        let shown = labels.iter().enumerate();
        log.info(shown.fold(command.join(" "), |text, (at, label)| text.replace(&format!("{FILES}{at}"), label)));
        fds.insert(0, console.as_fd());
        fds.extend(files.iter().map(|file| file.as_fd()));
        Stage::spawn("login", &LoginConfig { command, namespaces }, &fds).await.map_err(failed)
    }

    /// The namespaces to be in.
    fn namespaces(&self) -> (Namespaces, Vec<BorrowedFd<'_>>) {
        let Place::Guest { ground: Some(ground), .. } = &self.place else { return Default::default() };
        let (user, network) = ground.network_namespace();
        (Namespaces { user: user.is_some(), network: true }, user.into_iter().chain([network]).collect())
    }

    fn not_reached(&self, program: &str, host: &str, ended: &LoginEnded) -> ActionError {
        let words = words::last(&ended.stderr);
        if ended.code == Some(127) {
            return ActionError::infrastructure(format!("{words}: install openssh-client"));
        }
        match self.place {
            Place::Primary => ActionError::infrastructure(format!("{program} to {host} fails: {words}")),
            Place::Guest { .. } => unreached(program, host, &words),
        }
    }
}

/// The guest's own fault, or its host's, but never its host's device's (job-definition.md §13).
fn unreached(program: &str, host: &str, words: &str) -> ActionError {
    let advice = words::advice(words).map(|advice| format!(": {advice}")).unwrap_or_default();
    ActionError::job(format!("{program} to {host} fails: {words}{advice}")).reason("guest.unreachable")
}

impl Device for SshDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn refusal(&self, block: &Block) -> Option<Refusal> {
        refusal(block)
    }

    fn deploy(&mut self, deployment: Deployment) -> DeviceFuture<'_, Deployed> {
        Box::pin(async move {
            if let Some(overlay) = deployment.overlay {
                self.overlays.retain(|earlier| earlier.file_name != overlay.file_name);
                self.overlays.push(overlay);
            }
            let archives = self.overlays.iter().filter_map(|overlay| overlay.keep_at.as_ref());
            let unpack = |archive| format!("tar -C / -xzf {archive} || exit {NOT_UNPACKED}");
            Ok(Deployed { before_test: archives.map(unpack).collect() })
        })
    }

    fn boot(&mut self, request: BootRequest) -> DeviceFuture<'_, Console> {
        Box::pin(async move {
            self.power_off().await?;
            self.login(&request).await
        })
    }

    fn command(&mut self, what: &str, text: &str, log: DeviceLog) -> DeviceFuture<'_, ()> {
        let (what, text) = (what.to_owned(), text.to_owned());
        Box::pin(async move { command::run(&what, &text, &self.folder, Some(&log)).await })
    }

    /// Logs out. The machine is not this member's to switch off.
    fn power_off(&mut self) -> DeviceFuture<'_, ()> {
        Box::pin(async move {
            let Some(mut running) = self.running.take() else { return Ok(()) };
            // Not every shell knows `logout`. A connection that is gone has no need of either.
            let _ = running.console.write_all(b"\nlogout || exit\n");
            if let Some(stop) = running.stop.take() {
                let _ = stop.send(());
            }
            let _ = (&mut running.task).await;
            Ok(())
        })
    }
}

/// Waits for the end of ssh and says why it came; once told to stop, only for so long.
async fn watch(
    mut stage: Stage,
    events: mpsc::UnboundedSender<DeviceEvent>,
    mut stopped: oneshot::Receiver<()>,
    host: String,
    guest: bool,
) {
    tokio::select! {
        biased;
        told = &mut stopped => {
            if told.is_ok() {
                let _ = tokio::time::timeout(LOGOUT, stage.recv::<LoginEnded>()).await;
            }
            stage.kill();
        }
        ended = stage.recv::<LoginEnded>() => {
            let end = match ended {
                Ok((ended, _)) => end(&ended, &host, guest),
                Err(error) => ConsoleEnd { class: ErrorClass::Infrastructure, message: error.to_string() },
            };
            let _ = events.send(DeviceEvent::Ended(end));
        }
    }
    let _ = stage.wait().await;
}

fn end(ended: &LoginEnded, host: &str, guest: bool) -> ConsoleEnd {
    let words = words::last(&ended.stderr);
    let class = if guest { ErrorClass::Job } else { ErrorClass::Infrastructure };
    match ended.code {
        Some(NOT_UNPACKED) => {
            let message = format!("the overlay could not be unpacked on {host}; its console says why");
            ConsoleEnd { class, message }
        }
        Some(255) if guest => ConsoleEnd { class, message: unreached("ssh", host, &words).message },
        Some(255) => ConsoleEnd { class, message: format!("ssh to {host} fails: {words}") },
        Some(code) => {
            let message = format!("the login shell on {host} ended, exit status {code}");
            ConsoleEnd { class: ErrorClass::Job, message }
        }
        None => {
            ConsoleEnd { class: ErrorClass::Infrastructure, message: format!("ssh to {host} was killed by a signal") }
        }
    }
}

fn broken(error: io::Error) -> ActionError {
    ActionError::infrastructure(format!("cannot start ssh: {error}"))
}

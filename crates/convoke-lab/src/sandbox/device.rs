//! A sandbox as a device.

use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use convoke_children::{Process, Stage};
use convoke_dispatcher::device::{
    BootRequest, Console, Deployed, Deployment, Device, DeviceFuture, DeviceInfo, OverlayArchive, Refusal,
};
use convoke_dispatcher::error::{ActionError, ErrorClass};
use convoke_job::member::{Block, BlockKind};
use tokio::sync::Mutex;

use super::ground::{Ground, failed};
use super::guest::GuestDevice;
use super::messages::{EnterConfig, FromSandbox, InitConfig, OverlayNote, ToInit};
use super::{network, pty};

/// What is fixed about a sandbox; what the lab file or the job's member says of it.
#[derive(Clone, Debug, Default)]
pub struct SandboxSpec {
    /// Name, among those the ground was made with.
    pub name: String,
    /// Device type; `sandbox` unless it stands in for another.
    pub device_type: String,
    /// `environment` of the device.
    pub environment: Vec<(String, String)>,
    /// Tags.
    pub tags: Vec<String>,
    /// Distro when the job's deploy does not say `os`; `None` is what this machine says of itself.
    pub os: Option<String>,
    /// Most bytes of the disk; `None` is the ground's.
    pub disk_limit: Option<u64>,
    /// Device limits of actions.
    pub action_timeouts: Vec<(String, Duration)>,
    /// Device limits of connections.
    pub connection_timeouts: Vec<(String, Duration)>,
}

impl SandboxSpec {
    /// A sandbox of this name with nothing special about it.
    pub fn named(name: impl Into<String>) -> Self {
        SandboxSpec { name: name.into(), device_type: "sandbox".into(), ..SandboxSpec::default() }
    }
}

/// A booted sandbox.
#[derive(Debug)]
pub(super) struct Running {
    /// The control channel; the stage's process itself has ended.
    stage: Stage,
    init: Process,
    /// Consoles asked for so far.
    requests: u64,
}

/// The booted sandbox of a device, shared with the guests on it.
pub(super) type Shared = Arc<Mutex<Option<Running>>>;

/// One sandbox.
#[derive(Debug)]
pub struct SandboxDevice {
    ground: Arc<Ground>,
    info: DeviceInfo,
    number: u32,
    address: Ipv4Addr,
    disk_limit: u64,
    overlays: Vec<OverlayArchive>,
    /// Whether the next boot begins with an empty disk.
    fresh: bool,
    running: Shared,
}

impl Ground {
    /// A device on this ground. Nothing runs before it is booted.
    ///
    /// # Errors
    /// Configuration, when the ground was made without its name.
    pub fn sandbox(self: &Arc<Self>, spec: SandboxSpec) -> Result<SandboxDevice, ActionError> {
        let Some((number, address)) = self.place(&spec.name) else {
            let message = format!("the sandbox `{}` is not among those that the run was set up for", spec.name);
            return Err(ActionError::new(ErrorClass::Configuration, message));
        };
        let disk_limit = spec.disk_limit.unwrap_or_else(|| self.disk_limit());
        let mac = network::mac(address).map(|byte| format!("{byte:02x}")).join(":");
        let info = DeviceInfo {
            prompts: vec![prompt_pattern(&spec.name)],
            name: spec.name,
            device_type: spec.device_type,
            results_dir: "/lava-%s".into(),
            shell: "/bin/sh".into(),
            environment: spec.environment,
            dispatcher_ip: self.address().to_string(),
            os: spec.os.or_else(host_distro),
            tags: spec.tags,
            files: vec![("ip".into(), format!("{address}\n")), ("mac".into(), format!("{mac}\n"))],
            configuration: Arc::default(),
            action_timeouts: spec.action_timeouts,
            connection_timeouts: spec.connection_timeouts,
        };
        Ok(SandboxDevice {
            ground: self.clone(),
            info,
            number,
            address,
            disk_limit,
            overlays: Vec::new(),
            fresh: true,
            running: Shared::default(),
        })
    }
}

impl SandboxDevice {
    /// Address of its `eth0`.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Number of its PID 1 as seen from this machine, for people who want to enter it; `None` when it is off.
    pub fn pid(&self) -> Option<u32> {
        self.running.try_lock().ok()?.as_ref()?.init.pid()
    }

    /// A guest on this sandbox: a shell of its own there. Gone when this sandbox is.
    pub fn guest(&self, name: impl Into<String>) -> GuestDevice {
        GuestDevice::new(name.into(), &self.info, self.running.clone())
    }

    async fn start(&mut self) -> Result<(Running, OwnedFd), ActionError> {
        let disk = std::path::PathBuf::from(format!("{}/disks/{}", super::messages::BASE, self.number));
        let enter = EnterConfig {
            number: self.number,
            address: self.address,
            prefix_len: self.ground.settings.network.1,
            user_namespace: self.ground.user_namespace,
            disk: disk.clone(),
            fresh: self.fresh.then_some(self.disk_limit),
        };
        let init = InitConfig {
            name: self.info.name.clone(),
            disk,
            fresh: self.fresh,
            limit: self.disk_limit,
            root: self.ground.root,
            user_namespace: self.ground.user_namespace,
            overlays: notes(&self.overlays),
        };
        let mut stage = Stage::spawn("sandbox", &enter, &self.ground.descriptors()).await.map_err(failed)?;
        // The second message is for PID 1, which takes the channel over.
        let files: Vec<_> = self.overlays.iter().map(|overlay| overlay.file.as_fd()).collect();
        stage.send(&init, &files).await.map_err(failed)?;

        let (mut process, mut master) = (None, None);
        while process.is_none() || master.is_none() {
            let (message, mut fds) = stage.recv::<FromSandbox>().await.map_err(failed)?;
            match (message, fds.pop()) {
                (FromSandbox::Started, Some(pidfd)) => {
                    process =
                        Some(Process::new(pidfd).map_err(|error| ActionError::infrastructure(error.to_string()))?);
                }
                (FromSandbox::Console, Some(fd)) => master = Some(fd),
                _ => return Err(ActionError::new(ErrorClass::Bug, "a sandbox's stage left out a descriptor")),
            }
        }
        stage.wait().await.map_err(failed)?;
        match (process, master) {
            (Some(init), Some(master)) => Ok((Running { stage, init, requests: 0 }, master)),
            _ => Err(ActionError::new(ErrorClass::Bug, "a sandbox's stage ended early")),
        }
    }
}

impl Device for SandboxDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn refusal(&self, block: &Block) -> Option<Refusal> {
        refusal_of(block)
    }

    fn deploy(&mut self, deployment: Deployment) -> DeviceFuture<'_, Deployed> {
        Box::pin(async move {
            // A deployment is a new disk; several of them before a boot add up, and a repeated one counts once.
            if !self.fresh {
                self.fresh = true;
                self.overlays.clear();
            }
            if let Some(overlay) = deployment.overlay {
                self.overlays.retain(|earlier| earlier.file_name != overlay.file_name);
                self.overlays.push(overlay);
            }
            Ok(Deployed::default())
        })
    }

    fn boot(&mut self, _request: BootRequest) -> DeviceFuture<'_, Console> {
        Box::pin(async move {
            self.power_off().await?;
            let (running, master) = self.start().await?;
            let console = pty::console(master).map_err(|error| ActionError::infrastructure(error.to_string()))?;
            *self.running.lock().await = Some(running);
            // What the disk now holds.
            self.fresh = false;
            self.overlays.clear();
            Ok(console)
        })
    }

    fn power_off(&mut self) -> DeviceFuture<'_, ()> {
        Box::pin(async move {
            let Some(mut running) = self.running.lock().await.take() else { return Ok(()) };
            running.init.kill();
            running.init.wait().await.map_err(|error| ActionError::infrastructure(error.to_string()))
        })
    }
}

impl Drop for SandboxDevice {
    fn drop(&mut self) {
        // Guests share it, so it would stay as long as one of them does. If one is talking to it right now, that one drops
        // it soon.
        if let Ok(mut running) = self.running.try_lock() {
            running.take();
        }
    }
}

impl Running {
    /// Another console on the sandbox, after unpacking `overlays` there.
    pub(super) async fn open_console(&mut self, overlays: &[OverlayArchive]) -> Result<Console, String> {
        self.requests += 1;
        let ours = self.requests;
        let files: Vec<_> = overlays.iter().map(|overlay| overlay.file.as_fd()).collect();
        let request = ToInit::OpenConsole { request: ours, overlays: notes(overlays) };
        self.stage.send(&request, &files).await.map_err(|error| error.to_string())?;
        loop {
            let (message, mut fds) = self.stage.recv::<FromSandbox>().await.map_err(|error| error.to_string())?;
            match (message, fds.pop()) {
                (FromSandbox::Login { request }, Some(master)) if request == ours => {
                    return pty::console(master).map_err(|error| error.to_string());
                }
                (FromSandbox::NoLogin { request, message }, _) if request == ours => return Err(message),
                // For one who gave up waiting: dropped, which hangs it up.
                _ => {}
            }
        }
    }
}

/// Why a sandbox cannot do what a block asks for.
pub(crate) fn refusal_of(block: &Block) -> Option<Refusal> {
    let (what, method) = match &block.kind {
        BlockKind::Deploy { to, .. } => ("deploy to", to),
        BlockKind::Boot { method, .. } => ("boot method", method),
        BlockKind::Test(_) | BlockKind::Command { .. } => return None,
    };
    let help = "use `to: sandbox` and `method: sandbox`, or --rehearse to try the job on a sandbox as it is";
    (method != "sandbox").then(|| Refusal::new(format!("a sandbox has no {what} {method}"), help))
}

fn notes(overlays: &[OverlayArchive]) -> Vec<OverlayNote> {
    let note = |overlay: &OverlayArchive| OverlayNote {
        file_name: overlay.file_name.clone(),
        keep_at: overlay.keep_at.clone(),
    };
    overlays.iter().map(note).collect()
}

/// The prompt of a sandbox's shell as a regular expression.
pub(super) fn prompt_pattern(name: &str) -> String {
    super::shell_stage::prompt(name).replace('.', "\\.")
}

/// This machine's distro as LAVA names it.
fn host_distro() -> Option<String> {
    let text = std::fs::read_to_string("/etc/os-release").ok()?;
    let id = text.lines().find_map(|line| line.strip_prefix("ID="))?.trim_matches('"').to_owned();
    ["debian", "ubuntu", "fedora", "centos"].contains(&id.as_str()).then_some(id)
}

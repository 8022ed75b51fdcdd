//! One QEMU machine as a device.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoke_artifact::Fault as Whose;
use convoke_artifact::disk::{DiskOrder, OverlayDisk};
use convoke_children::Stage;
use convoke_device::Fault;
use convoke_device::acceleration;
use convoke_device::qemu::{self, GuestDisk, Machine};
use convoke_dispatcher::device::{
    BootRequest, Console, ConsoleEnd, Deployed, Deployment, Device, DeviceEvent, DeviceFuture, DeviceInfo, DeviceLog,
    Image, Refusal,
};
use convoke_dispatcher::error::{ActionError, ErrorClass};
use convoke_job::member::{Block, BlockKind};
use serde_json::{Map, Value};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::messages::{AttachConfig, Attached, FromMachine, ListenConfig, Listening, MachineConfig, Namespaces};
use super::probe::Acceleration;
use super::qmp::Qmp;
use super::terminal::Terminal;
use crate::command;
use crate::config::Kvm;
use crate::sandbox::Ground;
use crate::sandbox::ground::failed;
use crate::sandbox::network;
use crate::spec::DeviceSpec;

/// This machine, as a machine on QEMU's own network sees it.
const USER_NETWORK_HOST: &str = "10.0.2.2";

/// Why a machine cannot do what a block asks for.
pub fn refusal(block: &Block) -> Option<Refusal> {
    let refuse = |message: String, help: &str| Some(Refusal::new(message, help));
    match &block.kind {
        BlockKind::Deploy { to, .. } if to == "overlay" => None,
        BlockKind::Deploy { to, .. } if to != "tmpfs" => {
            refuse(format!("a QEMU machine has no deploy to {to}"), "use `to: tmpfs` with `images`")
        }
        BlockKind::Deploy { .. } if block.parameters.contains_key("uefi") => {
            refuse("`uefi` is not taken".into(), "give the firmware as an image with `image_arg: -bios {NAME}`")
        }
        BlockKind::Deploy { .. } => image_fault(&block.parameters),
        BlockKind::Boot { method, .. } if method != "qemu" => {
            refuse(format!("a QEMU machine has no boot method {method}"), "use `method: qemu`")
        }
        BlockKind::Boot { .. } if block.parameters.contains_key("docker") => {
            refuse("QEMU is not run in a container".into(), "leave out `docker`")
        }
        BlockKind::Boot { .. } | BlockKind::Test(_) | BlockKind::Command { .. } => None,
    }
}

/// The first thing that is wrong with how a deploy block's images stand in the command line.
fn image_fault(parameters: &Map<String, Value>) -> Option<Refusal> {
    let images = parameters.get("images").and_then(Value::as_object)?;
    let labels: Vec<&str> = images.keys().map(String::as_str).collect();
    images.values().find_map(|image| {
        let Fault { message, help } = qemu::check_image_arg(&image_arg(image.as_object()?)?, &labels).err()?;
        Some(Refusal { message, help })
    })
}

/// `image_arg`: text, or a list of it.
fn image_arg(image: &Map<String, Value>) -> Option<String> {
    match image.get("image_arg")? {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")),
        _ => None,
    }
}

/// One machine.
pub struct QemuDevice {
    info: DeviceInfo,
    /// Where commands of the lab run.
    folder: PathBuf,
    machine: Machine,
    /// Whether it is one of those made on demand, without a configuration.
    built_in: bool,
    kvm: Kvm,
    acceleration: Arc<Acceleration>,
    /// The ground and the machine's place on it.
    place: Option<(Arc<Ground>, u32, Ipv4Addr)>,
    images: Vec<Image>,
    /// The disk with the test overlay, when no image has taken it.
    disk: Option<OverlayDisk>,
    running: Option<Running>,
}

/// A machine that runs. It ends when this is dropped.
struct Running {
    task: JoinHandle<()>,
    stop: Arc<tokio::sync::Notify>,
    /// Another handle of the console.
    console: std::os::unix::net::UnixStream,
    /// Where people get at it.
    terminal: Option<Terminal>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl QemuDevice {
    /// A machine that is off. `ground` is that of the group; a machine with a network of its own needs none. `acceleration`
    /// is what the machines of a run know together.
    ///
    /// # Errors
    /// Configuration, when the ground was made without its name.
    pub fn new(
        spec: DeviceSpec,
        machine: Machine,
        ground: Option<Arc<Ground>>,
        acceleration: Arc<Acceleration>,
    ) -> Result<QemuDevice, ActionError> {
        let (built_in, kvm) = (spec.dictionary.is_none(), spec.settings.kvm.unwrap_or_default());
        let place = match (&machine.network, ground) {
            (qemu::Network::Group { .. }, Some(ground)) => {
                let Some((number, address)) = ground.place(&spec.name) else {
                    let message = format!("the machine `{}` is not among those that the run was set up for", spec.name);
                    return Err(ActionError::new(ErrorClass::Configuration, message));
                };
                Some((ground, number, address))
            }
            _ => None,
        };
        let files = place.iter().flat_map(|(_, _, address)| {
            let mac = network::mac(*address).map(|byte| format!("{byte:02x}")).join(":");
            [("ip".to_owned(), format!("{address}\n")), ("mac".to_owned(), format!("{mac}\n"))]
        });
        let dispatcher_ip = match (&place, &spec.settings.dispatcher_ip) {
            (Some((ground, ..)), _) => ground.address().to_string(),
            (None, Some(told)) => told.clone(),
            (None, None) if machine.has_user_network() => USER_NETWORK_HOST.to_owned(),
            (None, None) => crate::spec::own_address().unwrap_or_default(),
        };
        let files = files.collect();
        let folder = spec.settings.folder.clone();
        let info = spec.info(dispatcher_ip, files);
        let (images, disk, running) = (Vec::new(), None, None);
        Ok(QemuDevice { info, folder, machine, built_in, kvm, acceleration, place, images, disk, running })
    }

    /// A terminal of this machine with the machine's console, open until it is switched off; `None` when it is off. To be
    /// called when nobody uses the console that [`Device::boot`] gave.
    ///
    /// # Errors
    /// When this machine gives no terminal.
    pub fn terminal(&mut self) -> io::Result<Option<&Path>> {
        let Some(running) = self.running.as_mut().filter(|running| !running.task.is_finished()) else {
            return Ok(None);
        };
        if running.terminal.is_none() {
            running.terminal = Some(Terminal::open(running.console.try_clone()?)?);
        }
        Ok(running.terminal.as_ref().map(Terminal::path))
    }

    async fn start(&mut self, request: &BootRequest) -> Result<Console, ActionError> {
        let (console, theirs) = UnixStream::pair().map_err(broken)?;
        let (monitor, their_monitor) = UnixStream::pair().map_err(broken)?;
        // The program gets blocking ends, as any program expects.
        let theirs = theirs.into_std().and_then(|end| end.set_nonblocking(false).map(|()| end)).map_err(broken)?;
        let their_monitor = their_monitor.into_std().map_err(broken)?;

        // Inherited: the monitor first, then the images.
        let images: Vec<qemu::Image> = (1..)
            .zip(&self.images)
            .map(|(index, image)| qemu::Image {
                label: image.label.clone(),
                arg: image_arg(&image.parameters),
                path: file(index),
            })
            .collect();
        let wrong = |Fault { message, help }: Fault| ActionError::job(format!("{message}: {help}"));
        let args = self.machine.with_images(&images).map_err(wrong)?;
        let mut args = self.accelerated(args, request).await;
        if self.disk.is_some() {
            let GuestDisk { interface, drive_id, .. } = &self.machine.guest;
            let file = file(self.images.len() + 1);
            // This disk is nobody else's: what is written to it stays from boot to boot.
            let drive = format!("file={file},format=raw,media=disk,if={interface},id={drive_id},snapshot=off");
            args.extend(["-drive".to_owned(), drive]);
        }
        let interface = self.place.as_ref().map(|(_, number, _)| format!("q{number}"));
        if let (Some((_, _, address)), Some(interface), qemu::Network::Group { card }) =
            (&self.place, &interface, &self.machine.network)
        {
            let mac = network::mac(*address).map(|byte| format!("{byte:02x}")).join(":");
            args.extend([
                "-netdev".to_owned(),
                format!("tap,id=group,ifname={interface},script=no,downscript=no"),
                "-device".to_owned(),
                format!("{card},netdev=group,mac={mac},romfile="),
                "-S".to_owned(),
            ]);
        }
        let monitor_device = format!("socket,id=convoke,fd={}", number(0));
        args.extend(["-chardev", &monitor_device, "-mon", "chardev=convoke,mode=control"].map(str::to_owned));
        request.log.info(format_args!("Boot command: {}", shown(&self.machine.program, &args, &self.images)));

        let namespaces = self.namespaces();
        let config = MachineConfig { program: self.machine.program.clone(), args, namespaces: namespaces.0 };
        let mut fds: Vec<BorrowedFd<'_>> = vec![theirs.as_fd()];
        fds.extend(&namespaces.1);
        fds.push(their_monitor.as_fd());
        fds.extend(self.images.iter().map(|image| image.file.as_fd()));
        fds.extend(self.disk.iter().map(|disk| disk.file.as_fd()));
        let stage = Stage::spawn("machine", &config, &fds).await.map_err(failed)?;
        drop((theirs, their_monitor));

        let mut qmp = tokio::select! {
            greeted = Qmp::greet(monitor) => match greeted {
                Ok(qmp) => qmp,
                Err(_) => return Err(self.not_started(stage.recv::<FromMachine>().await.map_err(failed)?.0)),
            },
            ended = stage.recv::<FromMachine>() => return Err(self.not_started(ended.map_err(failed)?.0)),
        };
        if let Some(interface) = interface {
            let config = AttachConfig { interface, namespaces: namespaces.0 };
            let attach = Stage::spawn("attach", &config, &namespaces.1).await.map_err(failed)?;
            attach.recv::<Attached>().await.map_err(failed)?;
            qmp.command("cont").await.map_err(broken)?;
        }
        let (events, inbox) = mpsc::unbounded_channel();
        let stop = Arc::new(tokio::sync::Notify::new());
        let task = tokio::spawn(watch(stage, qmp, events, stop.clone()));
        let console = console.into_std().map_err(broken)?;
        let handle = console.try_clone().map_err(broken)?;
        self.running = Some(Running { task, stop, console: handle, terminal: None });
        // Not `into_split`: the socket stays open for the other handle when who uses this one lets it go.
        let (reader, writer) = tokio::io::split(UnixStream::from_std(console).map_err(broken)?);
        Ok(Console { events: Some(inbox), ..Console::new(reader, writer) })
    }

    /// The options with hardware virtualisation as the lab will have it.
    async fn accelerated(&self, options: Vec<String>, request: &BootRequest) -> Vec<String> {
        let program = &self.machine.program;
        let wanted = match self.built_in {
            true => acceleration::accelerated(program, &options, std::env::consts::ARCH),
            false => options.clone(),
        };
        if !acceleration::asks_for_kvm(&wanted) {
            return wanted;
        }
        let why = match self.kvm {
            Kvm::Yes => return wanted,
            Kvm::Probe => match self.acceleration.works(program).await {
                Ok(()) => return wanted,
                Err(why) => why,
            },
            // Nobody has asked for it.
            Kvm::No if wanted != options => return options,
            Kvm::No => "the lab does not say `kvm: probe` or `kvm: yes`".into(),
        };
        request.log.warning(format_args!("the machine is emulated, without hardware virtualisation: {why}"));
        acceleration::emulated(&options)
    }

    /// The namespaces the machine runs in.
    fn namespaces(&self) -> (Namespaces, Vec<BorrowedFd<'_>>) {
        match &self.place {
            None => (Namespaces::default(), Vec::new()),
            Some((ground, ..)) => {
                let (user, network) = ground.network_namespace();
                (Namespaces { user: user.is_some(), network: true }, user.into_iter().chain([network]).collect())
            }
        }
    }

    fn not_started(&self, ended: FromMachine) -> ActionError {
        let FromMachine::Ended { code, stderr } = ended;
        let program = &self.machine.program;
        let words = last_words(&stderr, program);
        if code == Some(127) {
            return ActionError::infrastructure(format!("{words}: install it"));
        }
        // The machine and its images are the job's; its network and its accelerator are the lab's.
        let lab = ["tap", "tun", "kvm", "KVM"].iter().any(|word| words.contains(word));
        let class = if lab { ErrorClass::Infrastructure } else { ErrorClass::Job };
        ActionError::new(class, format!("{program} does not start: {words}"))
    }
}

impl Device for QemuDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn refusal(&self, block: &Block) -> Option<Refusal> {
        refusal(block)
    }

    fn deploy(&mut self, deployment: Deployment) -> DeviceFuture<'_, Deployed> {
        Box::pin(async move {
            // Whatever runs was booted from what is replaced now.
            self.power_off().await?;
            self.images = deployment.images;
            self.disk = None;
            let Some(overlay) = deployment.overlay else { return Ok(Deployed::default()) };
            let folder = deployment.results_dir;
            let order = DiskOrder {
                scratch: std::path::absolute(&deployment.scratch).map_err(broken)?,
                folder: folder.clone(),
                size: u64::from(self.machine.guest.size) << 20,
                uuid: Uuid::new_v4(),
            };
            let disk = convoke_artifact::overlay_disk(&order, &overlay.file).await.map_err(|error| {
                let class = if error.fault == Whose::Job { ErrorClass::Job } else { ErrorClass::Infrastructure };
                ActionError::new(class, error.message)
            })?;
            // As LAVA does it (device-side.md §2).
            let mut before_test = vec![
                format!("mkdir {folder}"),
                format!("mount /dev/disk/by-uuid/{} -t ext2 {folder}", disk.uuid),
                format!("ls -la {folder}/bin/lava-test-runner"),
            ];
            if deployment.parameters.contains_key("authorize") {
                // The disk is mounted below the overlay's folder: what belongs elsewhere is copied there.
                before_test.push(format!(
                    "mkdir -p -m 700 /root/.ssh && cp -p {folder}/authorized_keys /root/.ssh/authorized_keys"
                ));
            }
            self.disk = Some(disk);
            Ok(Deployed { before_test })
        })
    }

    fn boot(&mut self, request: BootRequest) -> DeviceFuture<'_, Console> {
        Box::pin(async move {
            self.power_off().await?;
            self.start(&request).await
        })
    }

    fn kernel_console(&self) -> bool {
        true
    }

    fn command(&mut self, what: &str, text: &str, log: DeviceLog) -> DeviceFuture<'_, ()> {
        let (what, text) = (what.to_owned(), text.to_owned());
        Box::pin(async move { command::run(&what, &text, &self.folder, Some(&log)).await })
    }

    fn listen(&mut self) -> DeviceFuture<'_, TcpListener> {
        Box::pin(async move {
            let place = self.place.as_ref().map(|(ground, ..)| IpAddr::V4(ground.address()));
            let namespaces = self.namespaces();
            let config =
                ListenConfig { address: place.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), namespaces: namespaces.0 };
            let stage = Stage::spawn("listen", &config, &namespaces.1).await.map_err(failed)?;
            let (Listening, mut fds) = stage.recv::<Listening>().await.map_err(failed)?;
            let listener = fds.pop().map(std::net::TcpListener::from).ok_or(io::ErrorKind::NotFound);
            let listener = listener.map_err(io::Error::from).and_then(|listener| {
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener)
            });
            listener
                .map_err(|error| ActionError::infrastructure(format!("nothing can listen for the machine: {error}")))
        })
    }

    fn power_off(&mut self) -> DeviceFuture<'_, ()> {
        Box::pin(async move {
            let Some(mut running) = self.running.take() else { return Ok(()) };
            running.stop.notify_one();
            // It ends with the machine.
            let _ = (&mut running.task).await;
            Ok(())
        })
    }
}

/// Stands for the number of an inherited descriptor.
fn number(index: usize) -> String {
    format!("\0{index}\0")
}

/// Stands for the path of the file of an inherited descriptor.
pub(super) fn file(index: usize) -> String {
    format!("/dev/fd/{}", number(index))
}

fn broken(error: io::Error) -> ActionError {
    ActionError::infrastructure(format!("cannot start QEMU: {error}"))
}

/// Tells what becomes of a machine until it has ended.
async fn watch(
    mut stage: Stage,
    mut qmp: Qmp,
    events: mpsc::UnboundedSender<DeviceEvent>,
    stop: Arc<tokio::sync::Notify>,
) {
    let mut reason = None;
    let mut monitored = true;
    let ended = loop {
        tokio::select! {
            biased;
            () = stop.notified() => {
                stage.kill();
                let _ = stage.wait().await;
                return;
            }
            line = qmp.next(), if monitored => match line {
                Ok(line) => match line.get("event").and_then(Value::as_str) {
                    Some("RESET") if line.pointer("/data/guest") == Some(&Value::Bool(true)) => {
                        let _ = events.send(DeviceEvent::Reset);
                    }
                    Some("SHUTDOWN") => {
                        reason = line.pointer("/data/reason").and_then(Value::as_str).map(str::to_owned);
                    }
                    Some("GUEST_PANICKED") => reason = Some("guest-panic".into()),
                    _ => {}
                },
                Err(_) => monitored = false,
            },
            ended = stage.recv::<FromMachine>() => break ended,
        }
    };
    let end = |class, message: String| ConsoleEnd { class, message };
    let end = match (reason.as_deref(), ended) {
        (Some("guest-shutdown"), _) => end(ErrorClass::Job, "the machine powered itself off".into()),
        (Some("guest-reset"), _) => end(ErrorClass::Job, "the machine rebooted, which ends it (-no-reboot)".into()),
        (Some("guest-panic"), _) => end(ErrorClass::Job, "the machine's kernel panicked".into()),
        (_, Ok((FromMachine::Ended { code, stderr }, _))) => {
            let how = code.map_or_else(|| "killed by a signal".to_owned(), |code| format!("exit status {code}"));
            let words = last_words(&stderr, "QEMU");
            end(ErrorClass::Infrastructure, format!("QEMU ended, {how}: {words}"))
        }
        (_, Err(error)) => end(ErrorClass::Infrastructure, format!("QEMU was lost: {error}")),
    };
    let _ = events.send(DeviceEvent::Ended(end));
    let _ = stage.wait().await;
}

/// The first line that is no warning, else the last one: what follows an error is advice.
pub(super) fn last_words(stderr: &str, program: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let line = lines.iter().find(|line| !line.contains("warning:")).or(lines.last());
    let words = line.map_or_else(|| "it says nothing".to_owned(), |line| (*line).to_owned());
    let name = Path::new(program).file_name().map_or_else(|| program.into(), |name| name.to_string_lossy());
    words.strip_prefix(&format!("{name}: ")).map(str::to_owned).unwrap_or(words)
}

/// The command line for people: descriptors by the label of their image.
fn shown(program: &str, args: &[String], images: &[Image]) -> String {
    let mut text = program.to_owned();
    for arg in args {
        let mut arg = arg.clone();
        for (index, image) in (1..).zip(images) {
            arg = arg.replace(&file(index), &format!("<{}>", image.label));
        }
        arg = arg.replace(&number(0), "<monitor>").replace(&file(images.len() + 1), "<overlay>");
        let plain =
            !arg.is_empty() && arg.chars().all(|letter| letter.is_alphanumeric() || "-_=,./:@+<>%".contains(letter));
        text.push(' ');
        text.push_str(&if plain { arg } else { format!("'{}'", arg.replace('\'', "'\\''")) });
    }
    text
}

//! Devices that are kept when their members have ended, so that somebody can look at them.
//!
//! A sandbox ends when its console hangs up, so its console is kept with it. A machine's console is what people get.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use convoke_dispatcher::device::{
    BootRequest, Console, Deployed, Deployment, Device, DeviceFuture, DeviceInfo, DeviceLog, Refusal,
};
use convoke_job::member::Block;
use convoke_lab::qemu::QemuDevice;
use convoke_lab::sandbox::SandboxDevice;
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;

/// Where kept devices stand. Dropping the last handle ends them.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    keep: bool,
    devices: Arc<Mutex<Vec<Kept>>>,
}

/// A device that can be kept.
pub(crate) enum Keepable {
    /// A sandbox, which is entered.
    Sandbox(Box<SandboxDevice>),
    /// A machine, which is reached by its console.
    Machine(Box<QemuDevice>),
}

impl Keepable {
    fn device(&self) -> &dyn Device {
        match self {
            Keepable::Sandbox(device) => device.as_ref(),
            Keepable::Machine(device) => device.as_ref(),
        }
    }

    fn device_mut(&mut self) -> &mut dyn Device {
        match self {
            Keepable::Sandbox(device) => device.as_mut(),
            Keepable::Machine(device) => device.as_mut(),
        }
    }

    fn boxed(self) -> Box<dyn Device> {
        match self {
            Keepable::Sandbox(device) => device,
            Keepable::Machine(device) => device,
        }
    }

    /// The command that leads to it; `None` when it is off.
    fn entrance(&mut self) -> Option<String> {
        match self {
            Keepable::Sandbox(device) => Some(enter(device.pid()?)),
            Keepable::Machine(device) => match device.terminal() {
                Ok(path) => Some(format!("screen {}", path?.display())),
                Err(error) => Some(format!("there is no way to its console: {error}")),
            },
        }
    }
}

/// One kept device.
struct Kept {
    label: String,
    device: Keepable,
    /// Held, not used.
    _console: Slot,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("label", &self.label)
            .field("device", &self.device.device().info().name)
            .finish_non_exhaustive()
    }
}

/// A console that its member has let go.
type Slot = Arc<Mutex<Option<Writer>>>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

impl Shelf {
    /// A shelf that keeps devices, or one that lets them go.
    pub(crate) fn new(keep: bool) -> Shelf {
        Shelf { keep, devices: Arc::default() }
    }

    /// The device of member `label`, made to end up here when it is to be kept.
    pub(crate) fn wrap(&self, label: &str, device: Keepable) -> Box<dyn Device> {
        if !self.keep {
            return device.boxed();
        }
        Box::new(KeptDevice {
            label: label.to_owned(),
            device: Some(device),
            console: Slot::default(),
            shelf: self.clone(),
        })
    }

    /// For each kept device that is on: its name, with its member's label, and the command that leads to it. To
    /// be called on a runtime.
    pub fn entrances(&self) -> Vec<(String, String)> {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entrances: Vec<_> = devices
            .iter_mut()
            .filter_map(|kept| {
                let entrance = kept.device.entrance()?;
                Some((kept.label.clone(), kept.device.device().info().name.clone(), entrance))
            })
            .collect();
        entrances.sort();
        entrances.into_iter().map(|(label, device, enter)| (format!("{device}, {label}"), enter)).collect()
    }

    /// Ends the devices, and returns when they have ended.
    pub async fn end(&self) {
        let devices = std::mem::take(&mut *self.devices.lock().unwrap_or_else(PoisonError::into_inner));
        for mut kept in devices {
            // What is left of it goes when it is dropped.
            let _ = kept.device.device_mut().power_off().await;
        }
    }
}

/// The command that opens a shell among what process `pid` sees. It enters only namespaces that are not ours already: an
/// ordinary user may not "enter" the machine's own ones again.
fn enter(pid: u32) -> String {
    let kinds = [("user", "user"), ("mnt", "mount"), ("pid", "pid"), ("uts", "uts"), ("ipc", "ipc"), ("net", "net")];
    let namespace = |process: &str, kind| std::fs::read_link(format!("/proc/{process}/ns/{kind}")).ok();
    let pid = pid.to_string();
    let other = kinds.iter().filter(|(kind, _)| namespace(&pid, kind) != namespace("self", kind));
    let options: String = other.map(|(_, option)| format!(" --{option}")).collect();
    format!("nsenter --target {pid}{options} --preserve-credentials --root --wd=/ /bin/sh")
}

/// Stays on when it is told to power off for the last time, and goes onto the shelf when its member lets it go.
struct KeptDevice {
    label: String,
    device: Option<Keepable>,
    /// The console, once its user has dropped it.
    console: Slot,
    shelf: Shelf,
}

impl KeptDevice {
    fn device(&self) -> &dyn Device {
        // Taken only by `drop`.
        self.device.as_ref().map_or_else(|| unreachable!("a device is used after it was dropped"), Keepable::device)
    }

    fn device_mut(&mut self) -> &mut dyn Device {
        self.device.as_mut().map_or_else(|| unreachable!("a device is used after it was dropped"), Keepable::device_mut)
    }
}

impl Device for KeptDevice {
    fn info(&self) -> &DeviceInfo {
        self.device().info()
    }

    fn refusal(&self, block: &Block) -> Option<Refusal> {
        self.device().refusal(block)
    }

    fn deploy(&mut self, deployment: Deployment) -> DeviceFuture<'_, Deployed> {
        self.device_mut().deploy(deployment)
    }

    fn boot(&mut self, request: BootRequest) -> DeviceFuture<'_, Console> {
        let slot = self.console.clone();
        Box::pin(async move {
            // The console of an earlier boot goes with what it belonged to.
            slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            let console = self.device_mut().boot(request).await?;
            let writer = Box::new(Returning { writer: Some(console.writer), slot });
            Ok(Console { writer, ..console })
        })
    }

    fn connect(&mut self, name: &str, log: DeviceLog) -> DeviceFuture<'_, Console> {
        self.device_mut().connect(name, log)
    }

    fn command(&mut self, what: &str, command: &str, log: DeviceLog) -> DeviceFuture<'_, ()> {
        self.device_mut().command(what, command, log)
    }

    fn reset(&mut self, request: BootRequest) -> DeviceFuture<'_, ()> {
        self.device_mut().reset(request)
    }

    fn kernel_console(&self) -> bool {
        self.device().kernel_console()
    }

    fn listen(&mut self) -> DeviceFuture<'_, TcpListener> {
        self.device_mut().listen()
    }

    fn doing(&self) -> Option<String> {
        self.device().doing()
    }

    fn power_off(&mut self) -> DeviceFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

impl Drop for KeptDevice {
    fn drop(&mut self) {
        if let Some(device) = self.device.take() {
            let mut devices = self.shelf.devices.lock().unwrap_or_else(PoisonError::into_inner);
            devices.push(Kept { label: self.label.clone(), device, _console: self.console.clone() });
        }
    }
}

/// A console's writing end that is put aside when it is dropped.
struct Returning {
    /// Taken only by `drop`.
    writer: Option<Writer>,
    slot: Slot,
}

impl Returning {
    fn writer(&mut self) -> Pin<&mut Writer> {
        Pin::new(self.writer.as_mut().unwrap_or_else(|| unreachable!("a console is used after it was dropped")))
    }
}

impl AsyncWrite for Returning {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writer().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer().poll_shutdown(context)
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = self.writer.take();
    }
}

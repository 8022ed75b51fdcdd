//! Devices that are kept when their members have ended, so that somebody can look at them.

use std::sync::{Arc, Mutex, PoisonError};

use convoke_dispatcher::device::{Console, Device, DeviceFuture, DeviceInfo, OverlayArchive};
use convoke_lab::sandbox::SandboxDevice;

/// Where kept devices stand. Dropping the last handle ends them.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    keep: bool,
    devices: Arc<Mutex<Vec<Kept>>>,
}

/// One kept device.
#[derive(Debug)]
struct Kept {
    label: String,
    device: SandboxDevice,
}

impl Shelf {
    /// A shelf that keeps devices, or one that lets them go.
    pub(crate) fn new(keep: bool) -> Shelf {
        Shelf { keep, devices: Arc::default() }
    }

    /// The device of member `label`, made to end up here when it is to be kept.
    pub(crate) fn wrap(&self, label: &str, device: SandboxDevice) -> Box<dyn Device> {
        if !self.keep {
            return Box::new(device);
        }
        Box::new(KeptDevice { label: label.to_owned(), device: Some(device), shelf: self.clone() })
    }

    /// For each kept device: its member's label and the command that opens a shell in it.
    pub fn entrances(&self) -> Vec<(String, String)> {
        let devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        devices
            .iter()
            .filter_map(|kept| {
                let pid = kept.device.pid()?;
                let enter = format!("nsenter --target {pid} --all --preserve-credentials --root --wd=/ /bin/sh");
                Some((kept.label.clone(), enter))
            })
            .collect()
    }
}

/// Stays on when it is told to power off for the last time, and goes onto the shelf when its member lets it go.
struct KeptDevice {
    label: String,
    device: Option<SandboxDevice>,
    shelf: Shelf,
}

impl KeptDevice {
    fn device(&mut self) -> &mut SandboxDevice {
        // Taken only by `drop`.
        self.device.as_mut().unwrap_or_else(|| unreachable!("a device is used after it was dropped"))
    }
}

impl Device for KeptDevice {
    fn info(&self) -> &DeviceInfo {
        self.device.as_ref().map_or_else(|| unreachable!("a device is used after it was dropped"), Device::info)
    }

    fn deploy(&mut self, overlay: OverlayArchive) -> DeviceFuture<'_, ()> {
        self.device().deploy(overlay)
    }

    fn boot(&mut self) -> DeviceFuture<'_, Console> {
        self.device().boot()
    }

    fn power_off(&mut self) -> DeviceFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

impl Drop for KeptDevice {
    fn drop(&mut self) {
        if let Some(device) = self.device.take() {
            let mut devices = self.shelf.devices.lock().unwrap_or_else(PoisonError::into_inner);
            devices.push(Kept { label: self.label.clone(), device });
        }
    }
}

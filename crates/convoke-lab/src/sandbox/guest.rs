//! A guest: a shell of its own on another member's sandbox, for rehearsals (job-definition.md §13).

use convoke_dispatcher::device::{
    BootRequest, Console, Deployed, Deployment, Device, DeviceFuture, DeviceInfo, OverlayArchive, Refusal,
};
use convoke_dispatcher::error::ActionError;
use convoke_job::member::Block;

use super::device::Shared;

/// One guest.
#[derive(Debug)]
pub struct GuestDevice {
    info: DeviceInfo,
    host_name: String,
    host: Shared,
    overlays: Vec<OverlayArchive>,
}

impl GuestDevice {
    /// A guest on `host`, with a reduced copy of its description: prompts and all, as it logs into the same system.
    pub(super) fn new(name: String, host_info: &DeviceInfo, host: Shared) -> Self {
        let info = DeviceInfo { name, ..host_info.clone() };
        GuestDevice { info, host_name: host_info.name.clone(), host, overlays: Vec::new() }
    }
}

impl Device for GuestDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    /// A guest is always rehearsed.
    fn refusal(&self, _: &Block) -> Option<Refusal> {
        None
    }

    fn deploy(&mut self, deployment: Deployment) -> DeviceFuture<'_, Deployed> {
        Box::pin(async move {
            if let Some(overlay) = deployment.overlay {
                self.overlays.retain(|earlier| earlier.file_name != overlay.file_name);
                self.overlays.push(overlay);
            }
            Ok(Deployed::default())
        })
    }

    fn boot(&mut self, _request: BootRequest) -> DeviceFuture<'_, Console> {
        Box::pin(async move {
            let unreachable = |why: &str| {
                let message =
                    format!("the guest `{}` cannot reach its host `{}`: {why}", self.info.name, self.host_name);
                ActionError::job(message).reason("guest.unreachable")
            };
            // Held until the answer is there: one channel, one conversation.
            let mut host = self.host.lock().await;
            let Some(host) = &mut *host else {
                return Err(unreachable("the host has not been booted, or has ended"));
            };
            let console = host.open_console(&self.overlays).await.map_err(|error| unreachable(&error))?;
            self.overlays.clear();
            Ok(console)
        })
    }

    /// Nothing to do: closing its console hangs its session up, and the host is not a guest's to end.
    fn power_off(&mut self) -> DeviceFuture<'_, ()> {
        Box::pin(async move { Ok(()) })
    }
}

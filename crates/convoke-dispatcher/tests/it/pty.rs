//! A device that is a real shell on a real pty, in a folder of its own. Its results directory lies in that folder, so
//! the helpers run as they do on a device, without any namespace.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use convoke_dispatcher::device::{
    BootRequest, Console, Deployed, Deployment, Device, DeviceFuture, DeviceInfo, Refusal,
};
use convoke_dispatcher::error::ActionError;
use convoke_job::member::Block;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A shell in a folder.
pub struct PtyDevice {
    info: DeviceInfo,
    root: tempfile::TempDir,
    shell: Option<Child>,
    pub boots: u32,
}

impl PtyDevice {
    pub fn new(name: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().to_str().unwrap();
        let info = DeviceInfo {
            name: name.into(),
            results_dir: format!("{path}/lava-%s"),
            environment: vec![
                ("LAVA_MULTI_NODE_CACHE".into(), format!("{path}/cache.txt")),
                ("TMPDIR".into(), path.into()),
            ],
            prompts: vec!["pty-device# ".into()],
            ..crate::support::info()
        };
        PtyDevice { info, root, shell: None, boots: 0 }
    }

    fn kill(&mut self) {
        if let Some(mut shell) = self.shell.take() {
            // The session leader's end hangs the terminal up for the rest.
            let _ = shell.kill();
            let _ = shell.wait();
        }
    }
}

impl Drop for PtyDevice {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Device for PtyDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn refusal(&self, _: &Block) -> Option<Refusal> {
        None
    }

    fn deploy(&mut self, deployment: Deployment) -> DeviceFuture<'_, Deployed> {
        let overlay = deployment.overlay.unwrap();
        let unpacked = Command::new("tar").args(["-xz", "-C"]).arg(self.root.path()).stdin(overlay.file).status();
        // Entries are relative to `/`, where the results directory is deep below.
        let inner = self.root.path().join(self.root.path().strip_prefix("/").unwrap());
        for entry in std::fs::read_dir(&inner).unwrap().flatten() {
            let target = self.root.path().join(entry.file_name());
            let _ = std::fs::remove_dir_all(&target);
            std::fs::rename(entry.path(), target).unwrap();
        }
        Box::pin(async move {
            match unpacked {
                Ok(status) if status.success() => Ok(Deployed::default()),
                other => Err(ActionError::infrastructure(format!("tar: {other:?}"))),
            }
        })
    }

    fn boot(&mut self, _request: BootRequest) -> DeviceFuture<'_, Console> {
        self.kill();
        self.boots += 1;
        let (master, slave) = open().unwrap();
        let stdio = || Stdio::from(File::options().read(true).write(true).open(&slave).unwrap());
        let shell = Command::new("setsid")
            .args(["--ctty", "sh"])
            .env("PS1", "pty-device# ")
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .current_dir(self.root.path())
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio())
            .spawn()
            .unwrap();
        self.shell = Some(shell);
        let reader = File::from(master.try_clone().unwrap());
        let writer = File::from(master);
        Box::pin(async move { Ok(Console::new(tokio::fs::File::from_std(reader), tokio::fs::File::from_std(writer))) })
    }

    fn power_off(&mut self) -> DeviceFuture<'_, ()> {
        self.kill();
        Box::pin(async { Ok(()) })
    }
}

fn open() -> rustix::io::Result<(OwnedFd, PathBuf)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    Ok((master, Path::new(name.to_str().unwrap()).to_owned()))
}

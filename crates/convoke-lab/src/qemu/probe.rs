//! Whether hardware virtualisation works: a tiny guest run to its end by a child that is killed after a while.
//!
//! A machine on which it does not work may hang whoever tries: so nothing opens `/dev/kvm` but that child's QEMU, nobody waits
//! for QEMU once it is to be killed (only for the stage that has started it, which cannot be stuck), and no machine is
//! started with KVM before a guest has shown that it works.

use std::collections::HashMap;
use std::io::Write;
use std::os::fd::AsFd;
use std::time::Duration;

use convoke_children::Stage;
use convoke_device::acceleration::{self, Probe};
use rustix::fs::MemfdFlags;
use tokio::net::UnixStream;
use tokio::sync::Mutex;

use super::device::{file, last_words};
use super::messages::{FromMachine, MachineConfig, Namespaces};

/// How long the guest may take. It takes a tenth of a second where it works.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is known of this machine, found out once for each emulator.
#[derive(Debug, Default)]
pub struct Acceleration {
    found: Mutex<HashMap<String, Result<(), String>>>,
}

impl Acceleration {
    /// Whether guests of an emulator run with KVM.
    ///
    /// # Errors
    /// Why not, in a few words.
    pub async fn works(&self, program: &str) -> Result<(), String> {
        // Held while the guest runs: who asks meanwhile waits for the same answer.
        let mut found = self.found.lock().await;
        if let Some(known) = found.get(program) {
            return known.clone();
        }
        let answer = match acceleration::probe(program, "kvm", &file(0), std::env::consts::ARCH) {
            Some(probe) => run(program, probe).await,
            None => Err(format!("there is no guest that would show it for {program}")),
        };
        found.insert(program.to_owned(), answer.clone());
        answer
    }
}

async fn run(program: &str, probe: Probe) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("the guest that would show it cannot be started: {error}");
    let image = rustix::fs::memfd_create("guest", MemfdFlags::CLOEXEC).map_err(|error| failed(&error))?;
    let mut image = std::fs::File::from(image);
    image.write_all(&probe.image).map_err(|error| failed(&error))?;
    let (_ours, console) = UnixStream::pair().map_err(|error| failed(&error))?;
    let config = MachineConfig { program: program.to_owned(), args: probe.options, namespaces: Namespaces::default() };
    let stage = Stage::spawn("machine", &config, &[console.as_fd(), image.as_fd()]).await;
    let stage = stage.map_err(|error| failed(&error))?;
    match tokio::time::timeout(PATIENCE, stage.recv::<FromMachine>()).await {
        Ok(Ok((FromMachine::Ended { code, .. }, _))) if code == Some(probe.status) => Ok(()),
        Ok(Ok((FromMachine::Ended { code, stderr }, _))) => {
            let how = code.map_or_else(|| "killed by a signal".to_owned(), |code| format!("exit status {code}"));
            Err(format!("a guest does not run with it: {} ({how})", last_words(&stderr, program)))
        }
        Ok(Err(error)) => Err(format!("a guest does not run with it: {error}")),
        Err(_) => {
            // Not waited for: it may be stuck where no signal reaches it.
            stage.kill();
            Err(format!("a guest with it does not end within {} seconds", PATIENCE.as_secs()))
        }
    }
}

//! What the sandboxes of a run share: namespaces, network, names, and the layer of the host's folders.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use convoke_children::Stage;
use convoke_dispatcher::error::{ActionError, ErrorClass};
use tokio::task::AbortHandle;

use super::dhcp::{self, Table};
use super::messages::{FromGround, GroundConfig, IdsMapped};

/// How to make a ground.
#[derive(Clone, Debug)]
pub struct GroundSettings {
    /// Names of all sandboxes that will ever be on it; each gets the next address, and all know all by name.
    pub names: Vec<String>,
    /// Network and bits of its prefix. The first address is the bridge's.
    pub network: (Ipv4Addr, u8),
    /// Most bytes that a sandbox's disk may hold; `None` shares half of the memory, at most 1 GiB each.
    pub disk_limit: Option<u64>,
}

impl Default for GroundSettings {
    fn default() -> Self {
        GroundSettings { names: Vec::new(), network: (Ipv4Addr::new(10, 213, 0, 0), 16), disk_limit: None }
    }
}

/// The shared ground. Its namespaces exist while this does or a sandbox is in them.
#[derive(Debug)]
pub struct Ground {
    pub(super) settings: GroundSettings,
    /// Mount, network and maybe user namespace.
    pub(super) namespaces: Vec<OwnedFd>,
    pub(super) user_namespace: bool,
    pub(super) root: bool,
    /// Gives machines their addresses.
    dhcp: AbortHandle,
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.dhcp.abort();
    }
}

impl Ground {
    /// Makes it: namespaces, bridge, and for an ordinary user the layer that makes the host's folders writable.
    ///
    /// # Errors
    /// Infrastructure, with the kernel setting that is missing, where the kernel refuses; Configuration when the names cannot
    /// be names of machines, or are more than the network has addresses.
    pub async fn create(settings: GroundSettings) -> Result<Arc<Ground>, ActionError> {
        Ground::make(settings, false).await
    }

    /// Makes it without a user namespace, as happens by itself where root is refused one. Only root can; root inside the
    /// sandboxes is then the machine's own, short of some privileges.
    ///
    /// # Errors
    /// As [`Ground::create`].
    pub async fn create_plain(settings: GroundSettings) -> Result<Arc<Ground>, ActionError> {
        Ground::make(settings, true).await
    }

    async fn make(settings: GroundSettings, plain: bool) -> Result<Arc<Ground>, ActionError> {
        settings.check()?;
        let root = rustix::process::geteuid().is_root();
        let config = GroundConfig {
            hosts: settings.hosts_file(),
            bridge: settings.address(0),
            prefix_len: settings.network.1,
            root,
            plain,
        };
        let mut stage = Stage::spawn("ground", &config, &[]).await.map_err(failed)?;
        let ready = loop {
            match stage.recv::<FromGround>().await.map_err(failed)? {
                (FromGround::MapIds, _) => {
                    let mapped = map_ids(stage.pid()).is_ok();
                    stage.send(&IdsMapped(mapped), &[]).await.map_err(failed)?;
                }
                ready => break ready,
            }
        };
        let (FromGround::Ready { user_namespace }, namespaces) = ready else {
            return Err(ActionError::new(ErrorClass::Bug, "the stage `ground` answered what it was not asked"));
        };
        stage.wait().await.map_err(failed)?;
        let mut namespaces = namespaces;
        let socket = namespaces.pop().ok_or_else(|| ActionError::new(ErrorClass::Bug, "the ground has no socket"))?;
        let machines = settings.names.iter().cloned().zip((1..).map(|number| settings.address(number))).collect();
        let table = Table { server: settings.address(0), prefix_len: settings.network.1, machines };
        let dhcp = tokio::spawn(dhcp::serve(socket.into(), table)).abort_handle();
        Ok(Arc::new(Ground { settings, namespaces, user_namespace, root, dhcp }))
    }

    /// Place and address of a sandbox.
    pub(crate) fn place(&self, name: &str) -> Option<(u32, Ipv4Addr)> {
        let index = self.settings.names.iter().position(|known| known == name)?;
        let number = u32::try_from(index).ok()? + 1;
        Some((number, self.settings.address(number)))
    }

    /// Address of the ground itself, as its sandboxes see it.
    pub fn address(&self) -> Ipv4Addr {
        self.settings.address(0)
    }

    /// Most bytes of a disk.
    pub(super) fn disk_limit(&self) -> u64 {
        const SMALLEST: u64 = 64 << 20;
        const LARGEST: u64 = 1 << 30;
        self.settings.disk_limit.unwrap_or_else(|| {
            let system = rustix::system::sysinfo();
            let memory = (system.totalram as u64).saturating_mul(u64::from(system.mem_unit.max(1)));
            (memory / 2 / self.settings.names.len().max(1) as u64).clamp(SMALLEST, LARGEST)
        })
    }

    /// The user namespace, if there is one, and the network namespace.
    pub(crate) fn network_namespace(&self) -> (Option<std::os::fd::BorrowedFd<'_>>, std::os::fd::BorrowedFd<'_>) {
        (self.namespaces.get(2).map(AsFd::as_fd), self.namespaces[1].as_fd())
    }

    pub(super) fn descriptors(&self) -> Vec<std::os::fd::BorrowedFd<'_>> {
        self.namespaces.iter().map(AsFd::as_fd).collect()
    }
}

/// Whether sandboxes can be made here; for a check before a run.
///
/// # Errors
/// As [`Ground::create`].
pub async fn probe() -> Result<(), ActionError> {
    Ground::create(GroundSettings::default()).await.map(drop)
}

impl GroundSettings {
    /// The address at `number`, 0 being the bridge's.
    fn address(&self, number: u32) -> Ipv4Addr {
        let (network, prefix_len) = self.network;
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix_len)).unwrap_or(0);
        Ipv4Addr::from((u32::from(network) & mask).wrapping_add(number).wrapping_add(1))
    }

    fn check(&self) -> Result<(), ActionError> {
        let wrong = |message: String| Err(ActionError::new(ErrorClass::Configuration, message));
        let (network, prefix_len) = self.network;
        if !(8..=30).contains(&prefix_len) {
            return wrong(format!("the sandboxes' network {network}/{prefix_len} must have a prefix of 8 to 30 bits"));
        }
        // Network, broadcast and bridge are not for members.
        let most = (1_u64 << (32 - prefix_len)) - 3;
        if self.names.len() as u64 > most {
            let count = self.names.len();
            return wrong(format!(
                "the sandboxes' network {network}/{prefix_len} has addresses for {most} members, not for {count}: give a wider one"
            ));
        }
        for (index, name) in self.names.iter().enumerate() {
            let allowed = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
            if name.is_empty() || name.len() > 64 || !name.chars().all(allowed) || name.starts_with('.') {
                return wrong(format!(
                    "`{name}` cannot be the name of a sandbox: use 1 to 64 letters, digits, `-`, `_` and `.`"
                ));
            }
            if self.names[..index].contains(name) {
                return wrong(format!("two sandboxes have the name `{name}`: give each its own"));
            }
        }
        Ok(())
    }

    fn hosts_file(&self) -> String {
        let mut text = String::from("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
        for (number, name) in (1..).zip(&self.names) {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{}\t{name}", self.address(number));
        }
        text
    }
}

/// Maps every id that exists here to itself in the stage's user namespace; only root may.
fn map_ids(pid: u32) -> std::io::Result<()> {
    for file in ["uid_map", "gid_map"] {
        let ours = std::fs::read_to_string(format!("/proc/self/{file}"))?;
        let same: String = ours
            .lines()
            .filter_map(|line| {
                let mut fields = line.split_whitespace();
                let (inside, count) = (fields.next()?, fields.nth(1)?);
                Some(format!("{inside} {inside} {count}\n"))
            })
            .collect();
        std::fs::write(format!("/proc/{pid}/{file}"), same)?;
    }
    Ok(())
}

/// A stage's failure is the lab's.
pub(crate) fn failed(error: convoke_children::StageError) -> ActionError {
    ActionError::infrastructure(error.to_string())
}

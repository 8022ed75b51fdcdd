//! The sides that are compared, each a process of its own: started on a port of its own, and ended with its measurement.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType};

use crate::chores::root;

/// How long a server may take until it listens.
const START: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Accepts, reads, writes an ack, closes: what the system allows.
    Bare,
    /// Debian's lava-coordinator.
    Debian,
    /// Ours without a state directory.
    Memory,
    /// Ours with one, on the disk of this repository.
    Disk,
    /// Ours with one in memory: what keeping costs without the disk.
    Tmpfs,
}

impl Side {
    pub(super) fn name(self) -> &'static str {
        match self {
            Side::Bare => "bare server",
            Side::Debian => "lava-coordinator",
            Side::Memory => "convoke",
            Side::Disk => "convoke --state",
            Side::Tmpfs => "convoke --state on tmpfs",
        }
    }
}

/// Where everything is.
pub(super) struct Bench {
    pub(super) program: PathBuf,
    /// On the disk.
    pub(super) folder: PathBuf,
    /// In memory.
    pub(super) tmpfs: PathBuf,
}

pub(super) struct Running {
    child: Child,
    pub(super) port: u16,
    state: Option<PathBuf>,
}

impl Bench {
    pub(super) fn start(&self, side: Side) -> Result<Running, String> {
        let port = free_port()?;
        let mut state = None;
        let mut command = match side {
            Side::Bare => {
                let itself = std::env::current_exe().map_err(|error| format!("this program: {error}"))?;
                let mut command = Command::new(itself);
                command.args(["bench", "bare-server", &port.to_string()]);
                command
            }
            Side::Debian => {
                let config = self.folder.join("lava.conf");
                let text = format!(
                    "{{\"port\": {port}, \"blocksize\": 4096, \"poll_delay\": 1, \"coordinator_hostname\": \"localhost\"}}"
                );
                fs::write(&config, text).map_err(|error| format!("{}: {error}", config.display()))?;
                let mut command = Command::new("lava-coordinator");
                command.args(["--loglevel", "ERROR", "--logfile"]).arg(self.folder.join("lava.log"));
                command.arg("--config").arg(config);
                command
            }
            Side::Memory | Side::Disk | Side::Tmpfs => {
                let mut command = Command::new(&self.program);
                command.args(["coordinator", "--loglevel", "ERROR", "--logfile"]).arg(self.folder.join("convoke.log"));
                command.args(["--listen", &format!("0.0.0.0:{port}")]);
                let parent = if side == Side::Tmpfs { &self.tmpfs } else { &self.folder };
                if side != Side::Memory {
                    let folder = parent.join(format!("state-{port}"));
                    let _ = fs::remove_dir_all(&folder);
                    command.arg("--state").arg(&folder);
                    state = Some(folder);
                }
                command
            }
        };
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn();
        let child = child.map_err(|error| format!("cannot start the {}: {error}", side.name()))?;
        let mut running = Running { child, port, state };
        running.wait_until_it_listens(side)?;
        Ok(running)
    }
}

impl Running {
    fn wait_until_it_listens(&mut self, side: Side) -> Result<(), String> {
        // Looked up, not tried: Debian's does not survive every connection that says nothing.
        let mark = format!(":{:04X} 00000000:0000 0A ", self.port);
        let start = Instant::now();
        while start.elapsed() < START {
            if fs::read_to_string("/proc/net/tcp").is_ok_and(|text| text.contains(&mark)) {
                return Ok(());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("the {} ended with {status}", side.name()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(format!("the {} does not listen", side.name()))
    }

    /// Resident memory, in kB.
    pub(super) fn resident_kb(&self) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|value| value.parse().ok()).unwrap_or(f64::NAN)
    }

    /// Processor time of all its threads so far, in µs.
    pub(super) fn processor_us(&self) -> f64 {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        let time = |thread: fs::DirEntry| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<f64>().ok()
        };
        threads.filter_map(time).sum::<f64>() / 1000.0
    }

    /// Whether it is still there: Debian's ends when it meets what it does not expect.
    pub(super) fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(state) = &self.state {
            let _ = fs::remove_dir_all(state);
        }
    }
}

/// A folder in memory, when the machine has one.
pub(super) fn memory_folder() -> PathBuf {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() { shm.to_owned() } else { root().join("target") }
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(|error| format!("no port: {error}"))?;
    listener.local_addr().map(|address| address.port()).map_err(|error| format!("no port: {error}"))
}

/// The least a server can do: one thread a core, four calls of the system a connection.
pub(crate) fn bare_server(port: &str) -> Result<(), String> {
    let port: u16 = port.parse().map_err(|_| format!("`{port}` is no port"))?;
    let listener = listen(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port));
    let listener = listener.map_err(|error| format!("port {port}: {error}"))?;
    let serve = || {
        let mut block = [0; 4096];
        while let Ok((mut stream, _)) = listener.accept() {
            if stream.read(&mut block).is_ok() {
                let _ = stream.write_all(b"00000013{\"response\": \"ack\"}");
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(serve);
        }
    });
    Ok(())
}

/// A listener with room for as many connections as ours has; that of the standard library has less.
fn listen(address: SocketAddrV4) -> io::Result<TcpListener> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, 4096)?;
    Ok(socket.into())
}

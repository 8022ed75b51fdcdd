//! From the place of a console to the console.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use convoke_children::Stage;
use convoke_dispatcher::device::{Console, ConsoleEnd, DeviceEvent};
use convoke_dispatcher::error::{ActionError, ErrorClass};
use rustix::pty::OpenptFlags;
use rustix::termios::{ControlModes, OptionalActions, Winsize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::messages::{Disconnect, Ended, ShellConfig};
use super::place::Place;
use super::telnet::Telnet;
use crate::sandbox::pty;

/// Bytes on their way between a connection and whoever reads the console.
const BETWEEN: usize = 64 * 1024;
const CHUNK: usize = 16 * 1024;

/// An open connection. Dropping it ends it.
pub(super) struct Connection {
    task: JoinHandle<()>,
    stop: Arc<Notify>,
}

impl Connection {
    /// Whether it has ended by itself.
    pub(super) fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// Ends it; nothing of it is left when this returns.
    pub(super) async fn close(mut self) {
        self.stop.notify_one();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // It ends soon, with whatever its program has started.
        self.stop.notify_one();
    }
}

/// Opens a connection.
///
/// # Errors
/// Infrastructure, when there is nothing at the other end.
pub(super) async fn open(place: &Place, folder: &Path) -> Result<(Console, Connection), ActionError> {
    match place {
        Place::Command(command) => program(command, folder).await,
        Place::Tcp(address) => {
            Ok(pumped(dial(address).await?.into_split(), None, format!("the connection to {address}")))
        }
        Place::Telnet(address) => telnet(address, None).await,
        Place::Rfc2217(address, speed) => telnet(address, Some(*speed)).await,
        Place::Tty(path, speed) => {
            let failed = |error| ActionError::infrastructure(format!("cannot open {}: {error}", path.display()));
            let Console { reader, writer, .. } = tty(path, *speed).and_then(pty::console).map_err(failed)?;
            Ok(pumped((reader, writer), None, format!("the line at {}", path.display())))
        }
    }
}

async fn dial(address: &str) -> Result<TcpStream, ActionError> {
    let failed = |error| ActionError::infrastructure(format!("cannot connect to {address}: {error}"));
    let stream = TcpStream::connect(address).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}

async fn telnet(address: &str, speed: Option<u32>) -> Result<(Console, Connection), ActionError> {
    Ok(pumped(dial(address).await?.into_split(), Some(speed), format!("the telnet connection to {address}")))
}

/// A serial line of this machine: raw, eight bits, nobody else's.
fn tty(path: &Path, speed: u32) -> io::Result<OwnedFd> {
    let flags = rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let line: OwnedFd = File::options().read(true).write(true).custom_flags(flags).open(path)?.into();
    let mut modes = rustix::termios::tcgetattr(&line)?;
    modes.make_raw();
    modes.control_modes |= ControlModes::CLOCAL | ControlModes::CREAD;
    modes.set_speed(speed)?;
    rustix::termios::tcsetattr(&line, OptionalActions::Now, &modes)?;
    rustix::termios::ioctl_tiocexcl(&line)?;
    Ok(line)
}

/// A console whose bytes go through a task of ours; `telnet` with the speed to be set, if any.
fn pumped(
    (reader, writer): (impl AsyncRead + Send + Unpin + 'static, impl AsyncWrite + Send + Unpin + 'static),
    telnet: Option<Option<u32>>,
    what: String,
) -> (Console, Connection) {
    let (near, far) = tokio::io::duplex(BETWEEN);
    let (events, inbox) = mpsc::unbounded_channel();
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    let task = tokio::spawn(async move {
        let why = tokio::select! {
            () = stopped.notified() => return,
            why = pump(reader, writer, telnet, far) => why,
        };
        if let Some(why) = why {
            let _ = events.send(DeviceEvent::Ended(lost(format!("{what} has ended: {why}"))));
        }
    });
    let (reader, writer) = tokio::io::split(near);
    let console = Console { reader: Box::new(reader), writer: Box::new(writer), events: Some(inbox), resize: None };
    (console, Connection { task, stop })
}

fn lost(message: String) -> ConsoleEnd {
    ConsoleEnd { class: ErrorClass::Infrastructure, message }
}

/// Carries bytes both ways, neither waiting for the other, until an end: why, unless it is ours.
async fn pump(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    telnet: Option<Option<u32>>,
    far: DuplexStream,
) -> Option<String> {
    let (mut typed, mut shown) = tokio::io::split(far);
    let (replies, mut answers) = mpsc::unbounded_channel::<Vec<u8>>();
    let (mut telnet, escape) = match telnet.map(Telnet::new) {
        Some((telnet, escape, first)) => {
            let _ = replies.send(first);
            (Some(telnet), Some(escape))
        }
        None => (None, None),
    };
    let inward = async {
        let mut chunk = vec![0; CHUNK];
        loop {
            let bytes = match reader.read(&mut chunk).await {
                Ok(0) => return Some("the other side has closed it".to_owned()),
                Ok(length) => &chunk[..length],
                Err(error) => return Some(error.to_string()),
            };
            let written = match &mut telnet {
                Some(telnet) => {
                    let (mut plain, mut answer) = (Vec::new(), Vec::new());
                    telnet.read(bytes, &mut plain, &mut answer);
                    if !answer.is_empty() {
                        let _ = replies.send(answer);
                    }
                    shown.write_all(&plain).await
                }
                None => shown.write_all(bytes).await,
            };
            if written.is_err() {
                return None;
            }
        }
    };
    let outward = async {
        let mut chunk = vec![0; CHUNK];
        loop {
            let written = tokio::select! {
                biased;
                Some(answer) = answers.recv() => writer.write_all(&answer).await,
                read = typed.read(&mut chunk) => match read {
                    Ok(0) | Err(_) => return None,
                    Ok(length) => match &escape {
                        Some(escape) => writer.write_all(&escape.write(&chunk[..length])).await,
                        None => writer.write_all(&chunk[..length]).await,
                    },
                },
            };
            if let Err(error) = written {
                return Some(error.to_string());
            }
        }
    };
    tokio::select! {
        why = inward => why,
        why = outward => why,
    }
}

/// A program on a terminal of its own, in which every byte goes through as it is.
async fn program(command: &str, folder: &Path) -> Result<(Console, Connection), ActionError> {
    let failed =
        |error: String| ActionError::infrastructure(format!("the connection `{command}` cannot be made: {error}"));
    let (master, terminal) = terminal().map_err(|error| failed(error.to_string()))?;
    let config = ShellConfig { command: command.to_owned(), folder: folder.to_owned() };
    let stage =
        Stage::spawn("connect", &config, &[terminal.as_fd()]).await.map_err(|error| failed(error.to_string()))?;
    drop(terminal);
    let mut console = pty::console(master).map_err(|error| failed(error.to_string()))?;
    let (events, inbox) = mpsc::unbounded_channel();
    console.events = Some(inbox);
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    let what = format!("the connection `{command}` has ended");
    let task = tokio::spawn(async move {
        let mut stage = stage;
        tokio::select! {
            () = stopped.notified() => {
                let _ = stage.send(&Disconnect, &[]).await;
            }
            ended = stage.recv::<Ended>() => {
                let how = match ended {
                    Ok((ended, _)) if ended.said.is_empty() => ended.how(),
                    Ok((ended, _)) => format!("{}: {}", ended.how(), ended.said),
                    Err(error) => error.to_string(),
                };
                let _ = events.send(DeviceEvent::Ended(lost(format!("{what}, {how}"))));
            }
        }
        let _ = stage.wait().await;
    });
    Ok((console, Connection { task, stop }))
}

/// A raw terminal: master, other side.
fn terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    rustix::pty::grantpt(&master)?;
    rustix::pty::unlockpt(&master)?;
    rustix::termios::tcsetwinsize(&master, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 })?;
    let path = rustix::pty::ptsname(&master, Vec::new())?;
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    let terminal = rustix::fs::open(path.as_c_str(), flags, rustix::fs::Mode::empty())?;
    let mut modes = rustix::termios::tcgetattr(&terminal)?;
    modes.make_raw();
    rustix::termios::tcsetattr(&terminal, OptionalActions::Now, &modes)?;
    Ok((master, terminal))
}

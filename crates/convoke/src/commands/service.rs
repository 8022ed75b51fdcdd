//! What a service tells the manager that started it (sd_notify): that it is ready, that it ends, that it is alive.
//!
//! Without such a manager nothing is told. A manager that does not take a word is no reason not to serve.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use convoke_coordinator::Watch;
use tokio::time::sleep;

/// The manager, when there is one.
pub(super) struct Manager {
    socket: Option<UnixDatagram>,
    /// How often it wants to hear that the service is alive.
    watchdog: Option<Duration>,
}

impl Manager {
    /// The manager that the environment names.
    pub(super) fn of_environment() -> Self {
        let socket = std::env::var_os("NOTIFY_SOCKET").and_then(|name| {
            let address = match name.as_bytes() {
                [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest),
                _ => SocketAddr::from_pathname(&name),
            };
            let socket = UnixDatagram::unbound().ok()?;
            socket.connect_addr(&address.ok()?).ok()?;
            socket.set_nonblocking(true).ok()?;
            Some(socket)
        });
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let ours = number("WATCHDOG_PID").is_none_or(|process| process == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|time| ours && *time > 0).map(Duration::from_micros);
        Self { socket, watchdog }
    }

    pub(super) fn ready(&self) {
        self.tell("READY=1");
    }

    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=ending");
    }

    /// Says in good time, for ever, that the coordinator is alive, and what it does. That it can be said shows that no
    /// group is stuck in a lock.
    pub(super) async fn reassure(&self, watch: &Watch) {
        let Some(time) = self.watchdog.filter(|_| self.socket.is_some()) else { return std::future::pending().await };
        loop {
            let totals = watch.totals();
            let (held, polling) = (totals.held.all(), totals.polling);
            let number = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
            let does = format!(
                "{}, {}; {} held, {} polling",
                number(totals.groups, "group"),
                number(totals.members, "member"),
                number(held, "request"),
                number(polling, "member")
            );
            self.tell(&format!("WATCHDOG=1\nSTATUS={does}"));
            sleep(time / 3).await;
        }
    }

    fn tell(&self, words: &str) {
        if let Some(socket) = &self.socket {
            // A manager that is gone has no use for it.
            let _ = socket.send(words.as_bytes());
        }
    }
}

//! The command lines of ssh and scp (device-side.md §9.5).

use std::time::Duration;

use super::target::Target;

/// How long a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(30);
/// A host that says nothing for three times as long is gone.
const ALIVE: Duration = Duration::from_secs(15);

/// What the command lines have in common.
pub(super) struct Common<'a> {
    /// User, port and options.
    pub(super) target: &'a Target,
    /// Name or address.
    pub(super) host: &'a str,
    /// Path of the private key.
    pub(super) identity: Option<&'a str>,
    /// Whether this user's own settings of ssh count: not in the group's own network.
    pub(super) own_settings: bool,
}

impl Common<'_> {
    /// `scp … FILE USER@HOST:PLACE`.
    pub(super) fn scp(&self, file: &str, place: &str) -> Vec<String> {
        let mut args = vec!["scp".to_owned()];
        args.extend(self.options());
        args.extend(["-P".to_owned(), self.target.port.to_string()]);
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.to_owned() };
        args.extend([file.to_owned(), format!("{}@{host}:{place}", self.target.user)]);
        args
    }

    /// `ssh … USER@HOST`: a login with a terminal.
    pub(super) fn ssh(&self) -> Vec<String> {
        let mut args = vec!["ssh".to_owned(), "-tt".to_owned(), "-e".to_owned(), "none".to_owned()];
        args.extend(self.options());
        args.extend(["-p".to_owned(), self.target.port.to_string()]);
        args.push(format!("{}@{}", self.target.user, self.host));
        args
    }

    /// The first of two equal options counts: ours that nothing works without, then the device's, then defaults.
    fn options(&self) -> Vec<String> {
        let mut args = Vec::new();
        if !self.own_settings {
            args.extend(["-F", "none"].map(str::to_owned));
        }
        let mut option = |text: String| args.extend(["-o".to_owned(), text]);
        // Nobody answers questions; and what went wrong is to be told.
        option("BatchMode=yes".into());
        option("LogLevel=INFO".into());
        option("UserKnownHostsFile=/dev/null".into());
        option("StrictHostKeyChecking=no".into());
        args.extend(self.target.options.iter().cloned());
        let mut option = |text: String| args.extend(["-o".to_owned(), text]);
        option(format!("ConnectTimeout={}", CONNECT.as_secs()));
        option(format!("ServerAliveInterval={}", ALIVE.as_secs()));
        option("ServerAliveCountMax=3".into());
        if let Some(identity) = self.identity {
            option("IdentitiesOnly=yes".into());
            args.extend(["-i".to_owned(), identity.to_owned()]);
        }
        args
    }
}

//! User, port, options and key from a device's configuration: the method `ssh` of its deploy or boot actions
//! (device-side.md §9.5, server-api.md §7).

use std::path::PathBuf;

use convoke_device::Dictionary;
use convoke_dispatcher::device::Refusal;
use serde_json::Value;

/// How to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `host`: name or address of a primary device; guests learn theirs from their host.
    pub host: Option<String>,
    /// `port`.
    pub port: u16,
    /// `user`.
    pub user: String,
    /// `options` for ssh and scp.
    pub options: Vec<String>,
    /// `identity_file`, absolute; `None` for what ssh finds by itself, or the group's own key.
    pub identity: Option<PathBuf>,
}

impl Default for Target {
    fn default() -> Self {
        Target { host: None, port: 22, user: "root".into(), options: Vec::new(), identity: None }
    }
}

impl Target {
    /// The target that a configuration describes. What `boot` says counts before what `deploy` says.
    ///
    /// # Errors
    /// What about it cannot be used.
    pub fn of_dictionary(dictionary: &Dictionary) -> Result<Target, Refusal> {
        let sections = [dictionary.boot.method("ssh"), dictionary.deploy.method("ssh")];
        let find = |key: &str| {
            let mut given = sections.iter().flatten().filter_map(|settings| settings.get(key));
            given.find(|value| !value.is_null() && *value != "")
        };
        let mut target = Target::default();
        if let Some(host) = find("host") {
            let host = text(host);
            if !is_address(&host) {
                return Err(wrong("host", &host, "a host name or an address"));
            }
            target.host = Some(host);
        }
        if let Some(port) = find("port") {
            let port = text(port);
            target.port =
                port.parse().ok().filter(|port| *port != 0).ok_or_else(|| wrong("port", &port, "1 to 65535"))?;
        }
        if let Some(user) = find("user") {
            let user = text(user);
            let plain = |letter: char| letter.is_ascii_alphanumeric() || "_.-$\\".contains(letter);
            if user.is_empty() || user.starts_with('-') || !user.chars().all(plain) {
                return Err(wrong("user", &user, "a user's name"));
            }
            target.user = user;
        }
        if let Some(options) = find("options") {
            target.options = match options {
                Value::Array(items) => items.iter().map(text).collect(),
                other => text(other).split_whitespace().map(str::to_owned).collect(),
            };
        }
        if let Some(identity) = find("identity_file") {
            let identity = text(identity);
            if !identity.starts_with('/') {
                let wanted =
                    "the absolute path of a private key: a relative one would depend on where Convoke is started";
                return Err(wrong("identity_file", &identity, wanted));
            }
            target.identity = Some(identity.into());
        }
        Ok(target)
    }

    /// The public half of `identity_file`, which stands beside it; `None` without one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn public_key(&self) -> Result<Option<String>, Refusal> {
        let Some(identity) = &self.identity else { return Ok(None) };
        let path = format!("{}.pub", identity.display());
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let help = format!("write it with `ssh-keygen -y -f {} > {path}`", identity.display());
            Refusal::new(format!("the public half of identity_file cannot be read: {path}: {error}"), help)
        })?;
        Ok(text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned))
    }
}

/// Whether ssh and scp take it for a name or an address, and nothing else.
pub(super) fn is_address(text: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._:%-".contains(letter);
    !text.is_empty() && text.len() <= 255 && !text.starts_with('-') && text.chars().all(plain)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn wrong(key: &str, given: &str, wanted: &str) -> Refusal {
    Refusal::new(format!("method ssh: {key} {given:?} cannot be used"), format!("write {wanted}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use convoke_job::Source;

    fn target(text: &str) -> Result<Target, Refusal> {
        let (dictionary, findings) = Dictionary::read(&Source::new("device.yaml", text));
        assert_eq!(findings, []);
        Target::of_dictionary(&dictionary.unwrap())
    }

    #[test]
    fn a_device_of_lavas() {
        let text = "actions:\n  deploy: {methods: {ssh: {options: ['-o', 'Compression=yes'], host: 10.0.0.2, port: 8022, \
                    user: lava, identity_file: /keys/lava}}}\n  boot: {methods: {ssh: {port: '22', host: ''}}}\n";
        let expected = Target {
            host: Some("10.0.0.2".into()),
            port: 22,
            user: "lava".into(),
            options: vec!["-o".into(), "Compression=yes".into()],
            identity: Some("/keys/lava".into()),
        };
        assert_eq!(target(text), Ok(expected));
        assert_eq!(target("actions: {boot: {methods: {ssh: null}}}\n"), Ok(Target::default()));
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        for (key, value) in [
            ("host", "-oProxyCommand=reboot"),
            ("host", "a b"),
            ("port", "0"),
            ("port", "70000"),
            ("user", "-l"),
            ("identity_file", "keys/lava"),
        ] {
            let text = format!("actions: {{boot: {{methods: {{ssh: {{{key}: '{value}'}}}}}}}}\n");
            let refusal = target(&text).unwrap_err();
            assert_eq!(refusal.message, format!("method ssh: {key} {value:?} cannot be used"));
        }
    }
}

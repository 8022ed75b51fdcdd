//! The configuration file: LAVA's, as it is (coordinator-protocol.md §6), and a few keys of our own.
//!
//! Unknown keys are ignored, and so are those that only a client uses. A limit of 0 would keep everybody out and is refused. A file that cannot be understood is refused with
//! line and column.

use std::collections::BTreeMap;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::server::ServerSettings;

/// The keys that are understood, and what each says; those with LAVA's names mean what they mean there.
pub const KEYS: [(&str, &str); 18] = [
    ("port", "port of --listen without one [3079]"),
    ("max_request_bytes", "bytes of a request, at most 4 MiB [1 MiB]"),
    ("max_connections", "connections at once [16384, fewer with few open files]"),
    ("max_connections_per_address", "connections at once of one address [12288]"),
    ("max_idle_connections", "connections at once that are kept for their next request [8192]"),
    ("idle_seconds", "how long such a connection waits for it [60]"),
    ("request_seconds", "how long a request may take to come, its reply to be taken [60]"),
    ("max_groups_per_address", "groups at once that one address has made [32768]"),
    ("max_group_members", "members of a group [10000]"),
    ("max_group_ids", "message IDs of a group [100000]"),
    ("max_group_bytes", "bytes of all messages of a group [256 MiB]"),
    ("keep_idle_hours", "how long a group is kept of which nothing is heard, at least 24 [168]"),
    ("token_file", "as --token-file"),
    ("require_token", "as --require-token: true or false"),
    ("listen_tls", "as --listen-tls: a list"),
    ("tls_cert", "as --tls-cert"),
    ("tls_key", "as --tls-key"),
    ("tls_client_ca", "as --tls-client-ca"),
];

/// LAVA's keys that only a client uses.
const OF_CLIENTS: [&str; 3] = ["blocksize", "poll_delay", "coordinator_hostname"];

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default)]
pub struct Configuration {
    /// `port`
    pub port: Option<u16>,
    /// `max_request_bytes`: the longest request, at most 4 MiB.
    pub max_request_bytes: Option<NonZeroUsize>,
    /// `max_connections`: connections at once.
    pub max_connections: Option<NonZeroUsize>,
    /// `max_connections_per_address`: of one address.
    pub max_connections_per_address: Option<NonZeroUsize>,
    /// `max_group_members`: members of a group.
    pub max_group_members: Option<NonZeroUsize>,
    /// `max_group_ids`: message IDs of a group.
    pub max_group_ids: Option<NonZeroUsize>,
    /// `max_group_bytes`: bytes of all messages of a group.
    pub max_group_bytes: Option<NonZeroUsize>,
    /// `max_idle_connections`: kept connections at once that wait for their next request.
    pub max_idle_connections: Option<usize>,
    /// `idle_seconds`: how long a kept connection may wait for it.
    pub idle_seconds: Option<NonZeroU64>,
    /// `request_seconds`: how long a connection may take to deliver its request, and again to take its reply.
    pub request_seconds: Option<NonZeroU64>,
    /// `max_groups_per_address`: groups at once that one address has made.
    pub max_groups_per_address: Option<NonZeroUsize>,
    /// `token_file`: the tokens that open every group.
    pub token_file: Option<PathBuf>,
    /// `require_token`: who has no token is refused.
    pub require_token: bool,
    /// `listen_tls`: addresses with TLS.
    pub listen_tls: Vec<String>,
    /// `tls_cert`: the certificate, followed by those that issued it.
    pub tls_cert: Option<PathBuf>,
    /// `tls_key`: its private key.
    pub tls_key: Option<PathBuf>,
    /// `tls_client_ca`: who issues the certificates of clients.
    pub tls_client_ca: Option<PathBuf>,
    /// `keep_idle_hours`: how long a group is kept of which nothing is heard; at least a day.
    pub keep_idle_hours: Option<u64>,
}

/// Why a file is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct ConfigurationError {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl Configuration {
    /// Reads the text of a file.
    pub fn read(text: &str) -> Result<Self, ConfigurationError> {
        // A list would be taken for the values of the keys, in their order.
        let blanks = text.len() - text.trim_ascii_start().len();
        if !matches!(text.as_bytes().get(blanks), None | Some(b'{')) {
            let line = text[..blanks].matches('\n').count() + 1;
            let column = blanks - text[..blanks].rfind('\n').map_or(0, |end| end + 1) + 1;
            let message = "the configuration cannot be read: it is not an object".to_owned();
            return Err(ConfigurationError { line, column, message });
        }
        serde_json::from_str(text).map_err(|error| {
            let whole = error.to_string();
            let message = whole.rsplit_once(" at line ").map_or(whole.as_str(), |(message, _)| message);
            ConfigurationError {
                line: error.line().max(1),
                column: error.column().max(1),
                message: format!("the configuration cannot be read: {message}"),
            }
        })
    }

    /// The keys of a file that can be read that nobody knows, sorted: neither this coordinator nor LAVA's programs.
    pub fn unknown_keys(text: &str) -> Vec<String> {
        let all: BTreeMap<String, IgnoredAny> = serde_json::from_str(text).unwrap_or_default();
        let known = |key: &str| OF_CLIENTS.contains(&key) || KEYS.iter().any(|(name, _)| *name == key);
        all.into_keys().filter(|key| !known(key)).collect()
    }

    /// The settings of a server that is configured so.
    pub fn settings(&self) -> ServerSettings {
        let mut settings = ServerSettings::default();
        let set = |place: &mut usize, value: Option<NonZeroUsize>| *place = value.map_or(*place, NonZeroUsize::get);
        set(&mut settings.request_bytes, self.max_request_bytes);
        settings.request_bytes = settings.request_bytes.min(4 << 20);
        set(&mut settings.connections, self.max_connections);
        set(&mut settings.connections_per_address, self.max_connections_per_address);
        set(&mut settings.group.members, self.max_group_members);
        set(&mut settings.group.ids, self.max_group_ids);
        set(&mut settings.group.bytes, self.max_group_bytes);
        set(&mut settings.groups_per_address, self.max_groups_per_address);
        settings.idle_connections = self.max_idle_connections.unwrap_or(settings.idle_connections);
        let set = |place: &mut Duration, seconds: Option<NonZeroU64>| {
            *place = seconds.map_or(*place, |seconds| Duration::from_secs(seconds.get()));
        };
        set(&mut settings.idle_time, self.idle_seconds);
        set(&mut settings.request_time, self.request_seconds);
        if let Some(hours) = self.keep_idle_hours {
            settings.expiry.keep = Duration::from_secs(hours.max(24).saturating_mul(3600));
        }
        settings
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_in_the_table_and_on_both_pages() {
        let all = serde_json::to_value(Configuration::default()).unwrap();
        let mut all: Vec<&str> = all.as_object().unwrap().keys().map(String::as_str).collect();
        let mut table = KEYS.map(|(key, _)| key);
        all.sort_unstable();
        table.sort_unstable();
        assert_eq!(all, table);
        let page = include_str!("../../../docs/coordinator.md");
        let manual = include_str!("../../../dist/convoke-coordinator.8");
        for (key, says) in KEYS {
            let row = page.lines().find(|line| line.starts_with('|') && line.contains(&format!("`{key}`")));
            let row = row.unwrap_or_else(|| panic!("docs/coordinator.md has no row for {key}"));
            let lines = &mut manual.lines().skip_while(|line| *line != format!(".It Cm {key}")).skip(1);
            let told = lines.next().unwrap_or_else(|| panic!("the manual page does not name {key}"));
            // The same default everywhere.
            if let Some((_, default)) = says.trim_end_matches(']').split_once('[') {
                let number = default.split(',').next().unwrap();
                assert!(row.contains(number) && told.contains(number), "{key}: {number}: {row}: {told}");
            }
        }
    }

    #[test]
    fn the_table_tells_the_defaults() {
        let settings = ServerSettings::default();
        let default = |key: &str| {
            let (_, says) = KEYS.into_iter().find(|(name, _)| *name == key).unwrap();
            let words = says.split_once('[').unwrap().1.trim_end_matches(']').split([',', ' ']).collect::<Vec<_>>();
            words[0].parse::<usize>().unwrap() << if words.get(1) == Some(&"MiB") { 20 } else { 0 }
        };
        assert_eq!(default("max_request_bytes"), settings.request_bytes);
        assert_eq!(default("max_connections"), settings.connections);
        assert_eq!(default("max_connections_per_address"), settings.connections_per_address);
        assert_eq!(default("max_idle_connections"), settings.idle_connections);
        assert_eq!(default("idle_seconds") as u64, settings.idle_time.as_secs());
        assert_eq!(default("request_seconds") as u64, settings.request_time.as_secs());
        assert_eq!(default("max_groups_per_address"), settings.groups_per_address);
        assert_eq!(default("max_group_members"), settings.group.members);
        assert_eq!(default("max_group_ids"), settings.group.ids);
        assert_eq!(default("max_group_bytes"), settings.group.bytes);
        assert_eq!(default("keep_idle_hours") as u64 * 3600, settings.expiry.keep.as_secs());
    }
}

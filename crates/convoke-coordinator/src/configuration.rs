//! The configuration file: LAVA's, as it is (coordinator-protocol.md §6), and a few keys of our own.
//!
//! Unknown keys are ignored, and so are those that only a client uses. A file that cannot be understood is refused with
//! line and column.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::server::ServerSettings;

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Configuration {
    /// `port`
    pub port: Option<u16>,
    /// `max_request_bytes`: the longest request, at most 4 MiB.
    pub max_request_bytes: Option<usize>,
    /// `max_connections`: connections at once.
    pub max_connections: Option<usize>,
    /// `max_connections_per_address`: of one address.
    pub max_connections_per_address: Option<usize>,
    /// `max_group_members`: members of a group.
    pub max_group_members: Option<usize>,
    /// `max_group_ids`: message IDs of a group.
    pub max_group_ids: Option<usize>,
    /// `max_group_bytes`: bytes of all messages of a group.
    pub max_group_bytes: Option<usize>,
    /// `max_idle_connections`: kept connections at once that wait for their next request.
    pub max_idle_connections: Option<usize>,
    /// `idle_seconds`: how long a kept connection may wait for it.
    pub idle_seconds: Option<u64>,
    /// `request_seconds`: how long a connection may take to deliver its request, and again to take its reply.
    pub request_seconds: Option<u64>,
    /// `max_groups_per_address`: groups at once that one address has made.
    pub max_groups_per_address: Option<usize>,
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

    /// The settings of a server that is configured so.
    pub fn settings(&self) -> ServerSettings {
        let mut settings = ServerSettings::default();
        let set = |place: &mut usize, value: Option<usize>| *place = value.unwrap_or(*place);
        set(&mut settings.request_bytes, self.max_request_bytes.map(|bytes| bytes.min(4 << 20)));
        set(&mut settings.connections, self.max_connections);
        set(&mut settings.connections_per_address, self.max_connections_per_address);
        set(&mut settings.group.members, self.max_group_members);
        set(&mut settings.group.ids, self.max_group_ids);
        set(&mut settings.group.bytes, self.max_group_bytes);
        set(&mut settings.idle_connections, self.max_idle_connections);
        set(&mut settings.groups_per_address, self.max_groups_per_address);
        let set = |place: &mut Duration, seconds: Option<u64>| {
            *place = seconds.map_or(*place, |seconds| Duration::from_secs(seconds.max(1)));
        };
        set(&mut settings.idle_time, self.idle_seconds);
        set(&mut settings.request_time, self.request_seconds);
        if let Some(hours) = self.keep_idle_hours {
            settings.expiry.keep = Duration::from_secs(hours.max(24).saturating_mul(3600));
        }
        settings
    }
}

//! What is fixed about a device of the lab, whatever drives it.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use convoke_device::Dictionary;
use convoke_dispatcher::device::DeviceInfo;

use crate::config::DeviceSettings;

/// A device as the lab has it: its names, its configuration, and what the lab file says of it.
#[derive(Clone, Debug)]
pub struct DeviceSpec {
    /// Its name; of a machine on the group's network one of those that the ground was made with.
    pub name: String,
    /// Its type.
    pub device_type: String,
    /// Tags.
    pub tags: Vec<String>,
    /// Its configuration; `None` for the built-in types.
    pub dictionary: Option<Arc<Dictionary>>,
    /// What the lab file says of it.
    pub settings: DeviceSettings,
}

impl DeviceSpec {
    /// What the dispatcher is told: the configuration's words before those of the lab file. `dispatcher_ip` is this
    /// machine's address as the device sees it; `files` is what the lab knows of the device, for `lava-target-ip` and its
    /// like.
    pub(crate) fn info(self, dispatcher_ip: String, files: Vec<(String, String)>) -> DeviceInfo {
        let DeviceSpec { name, device_type, tags, dictionary, settings } = self;
        let configuration = dictionary.unwrap_or_default();
        let constants = &configuration.constants;
        let limits =
            |own: &[(String, Duration)], more: &[(String, Duration)]| own.iter().chain(more).cloned().collect();
        DeviceInfo {
            name,
            device_type,
            results_dir: constants.results_dir.clone(),
            shell: constants.shell.clone(),
            environment: configuration.environment.iter().chain(&settings.environment).cloned().collect(),
            prompts: constants.default_prompt.iter().cloned().collect(),
            dispatcher_ip,
            os: settings.os,
            tags,
            files,
            action_timeouts: limits(&configuration.timeouts.actions, &settings.action_timeouts),
            connection_timeouts: limits(&configuration.timeouts.connections, &settings.connection_timeouts),
            configuration,
        }
    }
}

/// The address from which this machine reaches others: the one that its default route uses. Nothing is sent.
pub(crate) fn own_address() -> Option<String> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // An address that is nobody's (RFC 5737).
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    Some(socket.local_addr().ok()?.ip().to_string())
}

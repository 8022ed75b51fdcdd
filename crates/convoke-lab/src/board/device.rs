//! One board as a device.

use std::collections::BTreeMap;
use std::path::PathBuf;

use convoke_device::Dictionary;
use convoke_dispatcher::device::{
    BootRequest, Console, Deployed, Deployment, Device, DeviceFuture, DeviceInfo, DeviceLog, Refusal,
};
use convoke_dispatcher::error::{ActionError, ErrorClass};
use convoke_job::member::{Block, BlockKind};
use serde_json::Value;

use super::connect::{self, Connection};
use super::place::{self, Place};
use crate::command;
use crate::spec::{DeviceSpec, own_address};

/// Why a board with this configuration cannot do what a block asks for.
pub fn refusal(block: &Block, dictionary: &Dictionary) -> Option<Refusal> {
    let refuse = |message: String, help: &str| Some(Refusal::new(message, help));
    match &block.kind {
        BlockKind::Deploy { to, .. } if to != "overlay" => refuse(
            format!("a board on a serial line has no deploy to {to}"),
            "use `to: overlay`, with `transfer_overlay` in the boot block",
        ),
        BlockKind::Deploy { .. } => None,
        BlockKind::Boot { method, .. } if method == "new_connection" => {
            let name = block.parameters.get("connection").and_then(Value::as_str).unwrap_or_default();
            place::further(&dictionary.commands, name).err()
        }
        BlockKind::Boot { method, .. } if method != "minimal" => refuse(
            format!("a board on a serial line has no boot method {method}"),
            "use `method: minimal`, or `new_connection` for another of its lines",
        ),
        BlockKind::Boot { .. } if dictionary.boot.method("minimal").is_none() => {
            let methods = dictionary.boot.names().join(", ");
            refuse(
                format!("the device has no boot method minimal: it has {methods}"),
                "add it to `actions.boot.methods`",
            )
        }
        BlockKind::Boot { .. } => boot_fault(block, dictionary),
        BlockKind::Test(_) | BlockKind::Command { .. } => None,
    }
}

fn boot_fault(block: &Block, dictionary: &Dictionary) -> Option<Refusal> {
    let lacking = |key: &str, commands: &[String]| {
        let asked = block.parameters.get(key) == Some(&Value::Bool(true));
        (asked && commands.is_empty()).then(|| {
            let help = format!("add it to the device's `commands`, or leave out `{key}: true`");
            Refusal::new(format!("the device has no {key}"), help)
        })
    };
    let commands = &dictionary.commands;
    let lacking = lacking("pre_power_command", &commands.pre_power).or(lacking("pre_os_command", &commands.pre_os));
    lacking.or(connection(dictionary).err())
}

/// Where the board's console is.
fn connection(dictionary: &Dictionary) -> Result<Place, Refusal> {
    match place::primary(&dictionary.commands) {
        Some(text) => Place::read(text),
        None => Err(Refusal::new(
            "nothing says how to connect to the device's console",
            "add `commands: {connect: …}`, or tag one of `commands.connections` with `primary`",
        )),
    }
}

/// What is known of the power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    Unknown,
    On,
    Off,
}

/// One board.
pub struct BoardDevice {
    info: DeviceInfo,
    folder: PathBuf,
    power: Power,
    connection: Option<Connection>,
    /// Further ones by name.
    further: BTreeMap<String, Connection>,
    doing: Option<String>,
}

impl BoardDevice {
    /// A board of which nothing is known but what is written.
    pub fn new(spec: DeviceSpec) -> BoardDevice {
        let folder = spec.settings.folder.clone();
        let dispatcher_ip = spec.settings.dispatcher_ip.clone().or_else(own_address).unwrap_or_default();
        let info = spec.info(dispatcher_ip, Vec::new());
        BoardDevice { info, folder, power: Power::Unknown, connection: None, further: BTreeMap::new(), doing: None }
    }

    fn dictionary(&self) -> &Dictionary {
        &self.info.configuration
    }

    async fn disconnect(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
    }

    async fn run(&mut self, what: &str, commands: &[String], log: Option<&DeviceLog>) -> Result<(), ActionError> {
        for text in commands {
            self.doing = Some(format!("{what} `{text}` was running"));
            command::run(what, text, &self.folder, log).await?;
            self.doing = None;
        }
        Ok(())
    }

    /// Switches the power off and on, with what is to be done before and after.
    async fn cycle(&mut self, request: &BootRequest) -> Result<(), ActionError> {
        let commands = self.dictionary().commands.clone();
        let log = Some(&request.log);
        let asked = |key: &str| request.parameters.get(key) == Some(&Value::Bool(true));
        if asked("pre_power_command") {
            self.run("pre_power_command", &commands.pre_power, log).await?;
        }
        self.power = Power::Unknown;
        if !commands.hard_reset.is_empty() {
            self.run("hard_reset", &commands.hard_reset, log).await?;
        } else if !commands.power_on.is_empty() {
            self.run("power_off", &commands.power_off, log).await?;
            self.run("power_on", &commands.power_on, log).await?;
        } else {
            request.log.warning("the device has neither hard_reset nor power_on: it is taken as it is");
        }
        self.power = Power::On;
        if asked("pre_os_command") {
            self.run("pre_os_command", &commands.pre_os, log).await?;
        }
        match self.connection.as_ref().is_some_and(Connection::is_over) {
            // Whoever waits for a prompt next hears why.
            true => request.log.warning("the connection to the console has ended"),
            false => request.log.debug("the power is on"),
        }
        Ok(())
    }
}

impl Device for BoardDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn refusal(&self, block: &Block) -> Option<Refusal> {
        refusal(block, self.dictionary())
    }

    fn deploy(&mut self, _deployment: Deployment) -> DeviceFuture<'_, Deployed> {
        // The device fetches its overlay itself, once it is up.
        Box::pin(async { Ok(Deployed::default()) })
    }

    fn boot(&mut self, request: BootRequest) -> DeviceFuture<'_, Console> {
        Box::pin(async move {
            self.disconnect().await;
            let place = connection(self.dictionary()).map_err(|Refusal { message, help }| {
                ActionError::new(ErrorClass::Configuration, format!("{message}: {help}"))
            })?;
            let text = place::primary(&self.dictionary().commands).unwrap_or_default().to_owned();
            request.log.info(format_args!("connecting: {text}"));
            self.doing = Some(format!("the connection `{text}` was being made"));
            let (console, connection) = connect::open(&place, &self.folder).await?;
            self.doing = None;
            self.connection = Some(connection);
            Ok(console)
        })
    }

    fn connect(&mut self, name: &str, log: DeviceLog) -> DeviceFuture<'_, Console> {
        let name = name.to_owned();
        Box::pin(async move {
            if let Some(earlier) = self.further.remove(&name) {
                earlier.close().await;
            }
            let place = place::further(&self.dictionary().commands, &name).map_err(|Refusal { message, help }| {
                ActionError::new(ErrorClass::Configuration, format!("{message}: {help}"))
            })?;
            log.info(format_args!("connecting to {name}: {place}"));
            self.doing = Some(format!("the connection {name} was being made"));
            let (console, connection) = connect::open(&place, &self.folder).await?;
            self.doing = None;
            self.further.insert(name, connection);
            Ok(console)
        })
    }

    fn command(&mut self, what: &str, text: &str, log: DeviceLog) -> DeviceFuture<'_, ()> {
        let (what, commands) = (what.to_owned(), [text.to_owned()]);
        Box::pin(async move { self.run(&what, &commands, Some(&log)).await })
    }

    fn reset(&mut self, request: BootRequest) -> DeviceFuture<'_, ()> {
        Box::pin(async move { self.cycle(&request).await })
    }

    fn kernel_console(&self) -> bool {
        true
    }

    fn doing(&self) -> Option<String> {
        self.doing.clone()
    }

    fn power_off(&mut self) -> DeviceFuture<'_, ()> {
        Box::pin(async move {
            self.disconnect().await;
            for connection in std::mem::take(&mut self.further).into_values() {
                connection.close().await;
            }
            if self.power == Power::Off {
                return Ok(());
            }
            let commands = self.dictionary().commands.power_off.clone();
            self.run("power_off", &commands, None).await?;
            self.power = Power::Off;
            Ok(())
        })
    }
}

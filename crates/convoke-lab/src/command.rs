//! One command of the lab, run to its end.

use std::path::Path;

use convoke_children::Stage;
use convoke_dispatcher::device::DeviceLog;
use convoke_dispatcher::error::ActionError;

use crate::board::messages::{Ended, ShellConfig};

/// Runs `command` in a shell. It has no limit of its own: dropping the future kills it and all of its process group.
///
/// # Errors
/// Infrastructure, when it cannot be started or ends with another status than 0.
pub(crate) async fn run(what: &str, command: &str, folder: &Path, log: Option<&DeviceLog>) -> Result<(), ActionError> {
    if let Some(log) = log {
        log.info(format_args!("{what}: {command}"));
    }
    let failed = |error: convoke_children::StageError| {
        ActionError::infrastructure(format!("{what} `{command}` cannot be run: {error}"))
    };
    let config = ShellConfig { command: command.to_owned(), folder: folder.to_owned() };
    let mut stage = Stage::spawn("command", &config, &[]).await.map_err(failed)?;
    let (ended, _) = stage.recv::<Ended>().await.map_err(failed)?;
    stage.wait().await.map_err(failed)?;
    if ended.code == Some(0) {
        return Ok(());
    }
    let said = if ended.said.is_empty() { String::new() } else { format!(": {}", ended.said) };
    Err(ActionError::infrastructure(format!("{what} `{command}` failed, {}{said}", ended.how())))
}

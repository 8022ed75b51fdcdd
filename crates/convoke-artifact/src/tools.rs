//! Programs of e2fsprogs, run beside the stage's channel: they end with it.

use std::ffi::OsString;
use std::path::Path;

use convoke_children::Control;
use convoke_children::foreign::{self, Foreign, ForeignOutput};

use crate::error::Error;

/// What running them needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tools<'a> {
    pub(crate) control: &'a Control,
    /// Where files without a name can be made.
    pub(crate) scratch: &'a Path,
}

/// Runs a program to its end.
pub(crate) fn run(tools: &Tools<'_>, program: &str, args: Vec<OsString>) -> Result<ForeignOutput, Error> {
    // An ordinary user's PATH often lacks the folders they are in.
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    let environment = vec![("LC_ALL".into(), "C".into()), ("PATH".into(), path)];
    let foreign = Foreign { program: program.into(), args, environment, directory: None };
    let output =
        foreign::run(tools.control, &foreign).map_err(|error| Error::lab(format!("cannot run {program}: {error}")))?;
    if output.status.code() == Some(127) {
        return Err(Error::lab(format!("{program} is not installed on this machine; install e2fsprogs")));
    }
    Ok(output)
}

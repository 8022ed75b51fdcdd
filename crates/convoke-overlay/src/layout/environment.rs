//! The `environment` and `secrets` files (device-side.md §1.2).

use crate::link::crc::crc;
use crate::quote::{is_identifier, shell_word, to_identifier};

/// Offers the checked link (§8.4), unless the job's or the device's environment says otherwise.
const LINK: &str = "LAVA_LINK";

/// A file of names and values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Its text.
    pub text: String,
    /// What had to be changed, one line each. To be logged.
    pub warnings: Vec<String>,
}

/// The `environment` file: one `export NAME=value` a line, values quoted for a shell. A name that is no shell
/// identifier would make a shell give up the whole file, so its bad characters are written as `_`, with a warning.
///
/// At its end are lines that our own helpers look for. `LAVA_QUIET_REPORT=1` says that the dispatcher understands
/// `<LAVA_QUIET …>` and `<LAVA_GAVE_UP …>`; `LAVA_LINK=2` that it knows the checked link, whose ids begin elsewhere in
/// every job. A `LAVA_LINK` among the variables stays as it is: any other value turns that link off.
pub fn environment(variables: &[(String, String)], job_id: &str) -> Environment {
    let mut out = Environment { text: String::new(), warnings: Vec::new() };
    for (name, value) in variables {
        let name = checked_name("environment", name, &mut out.warnings);
        let value = without_nul("environment", &name, value, &mut out.warnings);
        out.text.push_str(&format!("export {name}={}\n", shell_word(&value)));
    }
    out.text.push_str("export LAVA_QUIET_REPORT=1\n");
    if !variables.iter().any(|(name, _)| name == LINK) {
        out.text.push_str(&format!("export {LINK}=2\n"));
    }
    out.text.push_str(&format!("export LAVA_LINK_NONCE={:04x}\n", crc(job_id.as_bytes())));
    out
}

/// The `secrets` file: `NAME=value` lines as they are, no export, no quoting.
pub(super) fn secrets(secrets: &[(String, String)]) -> Environment {
    let mut out = Environment { text: String::new(), warnings: Vec::new() };
    for (name, value) in secrets {
        let name = checked_name("secrets", name, &mut out.warnings);
        if value.contains('\n') {
            out.warnings.push(format!("secrets: the value of {name} has several lines; a reader sees only the first"));
        }
        out.text.push_str(&format!("{name}={value}\n"));
    }
    out
}

fn checked_name(file: &str, name: &str, warnings: &mut Vec<String>) -> String {
    if is_identifier(name) {
        return name.to_string();
    }
    let mapped = to_identifier(name);
    warnings.push(format!("{file}: {name:?} is not a shell variable name; written as {mapped}"));
    mapped
}

fn without_nul(file: &str, name: &str, value: &str, warnings: &mut Vec<String>) -> String {
    if value.contains('\0') {
        warnings.push(format!("{file}: the value of {name} holds NUL characters, which are left out"));
    }
    value.replace('\0', "")
}

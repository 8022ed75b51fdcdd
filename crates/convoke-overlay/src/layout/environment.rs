//! The `environment` and `secrets` files (device-side.md §1.2).

use crate::quote::{is_identifier, shell_word, to_identifier};

/// Lines that our own helpers look for, at the end of `environment`. `LAVA_QUIET_REPORT=1` says that the dispatcher
/// understands `<LAVA_QUIET …>` and `<LAVA_GAVE_UP …>`. The second form of the link (§8.4) will be announced here too.
const OURS: [(&str, &str); 1] = [("LAVA_QUIET_REPORT", "1")];

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
pub fn environment(variables: &[(String, String)]) -> Environment {
    let mut out = Environment { text: String::new(), warnings: Vec::new() };
    for (name, value) in variables {
        let name = checked_name("environment", name, &mut out.warnings);
        let value = without_nul("environment", &name, value, &mut out.warnings);
        out.text.push_str(&format!("export {name}={}\n", shell_word(&value)));
    }
    for (name, value) in OURS {
        out.text.push_str(&format!("export {name}={value}\n"));
    }
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

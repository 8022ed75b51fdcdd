//! `run.sh` and `install.sh` made from a definition (device-side.md §5.3–5.5).
//!
//! Every value of the job or the definition that is not itself a shell line is quoted, so a generated script can fail
//! only where a step of its author fails. Steps are verbatim. The scripts print nothing that the scanner could take
//! for a signal when they are listed instead of run: a signal's suite and uuid are variables in their text.

use std::time::Duration;

use crate::definition::TestDefinition;
use crate::quote::{quoted, shell_word};

/// The first line of a `run.sh` whose signals go to the kernel log; the runner looks for it.
pub const KMSG_MARKER: &str = "# lava-signal: kmsg";

/// What a script needs to know besides the definition.
#[derive(Clone, Copy, Debug)]
pub struct ScriptContext<'a> {
    /// The suite, `<index>_<name>`.
    pub suite: &'a str,
    /// The definition's directory on the device, absolute.
    pub directory: &'a str,
    /// The job's parameters for it.
    pub parameters: &'a [(String, Option<String>)],
    /// The job's `skip_install`.
    pub skip_install: &'a [String],
    /// Whether signals go to the kernel log.
    pub kmsg: bool,
    /// Distro of the deployment, for `deps-<distro>`.
    pub distro: Option<&'a str>,
    /// Pause before each signal, for slow serial lines.
    pub character_delay: Option<Duration>,
}

/// `run.sh` (§5.4).
pub fn run_script(definition: &TestDefinition, context: &ScriptContext<'_>) -> String {
    let mut out = String::new();
    if context.kmsg {
        line(&mut out, KMSG_MARKER);
    }
    parameter_block(&mut out, definition, context);
    if let Some(delay) = context.character_delay.filter(|delay| !delay.is_zero()) {
        line(&mut out, &format!("export CHARACTER_DELAY={}", seconds(delay)));
    }
    if context.kmsg {
        line(&mut out, "export KMSG=true");
    }
    line(&mut out, "set -e");
    line(&mut out, "set -x");
    line(&mut out, &format!("export TESTRUN_ID={}", shell_word(context.suite)));
    line(&mut out, &format!("cd {}", shell_word(context.directory)));
    line(&mut out, "UUID=$(cat uuid)");
    signal(&mut out, "STARTRUN", context);
    line(&mut out, "set -x");
    for step in &definition.run_steps {
        line(&mut out, &step_line(step));
    }
    signal(&mut out, "ENDRUN", context);
    // For the runner, which tells it to the dispatcher where the line above may get lost.
    line(&mut out, "[ -z \"${LAVA_SIGNALS-}\" ] || { printf '' >\"$LAVA_SIGNALS.ended\"; } 2>/dev/null || :");
    out
}

/// `install.sh` (§5.3), or nothing when the definition installs nothing or all of it is skipped.
///
/// Its status is that of its last command. Dependencies that could not be installed are told on a line of their own
/// (`<LAVA_TEST_RUNNER>: <suite> dependencies failed with: <status>`), because a later step would hide them (D18).
pub fn install_script(definition: &TestDefinition, context: &ScriptContext<'_>) -> Option<String> {
    let skips = |part: &str| context.skip_install.iter().any(|skip| skip == part || skip == "all");
    if !definition.has_install || context.skip_install.iter().any(|skip| skip == "all") {
        return None;
    }
    let mut out = String::new();
    parameter_block(&mut out, definition, context);
    if !skips("keys") {
        for key in &definition.keys {
            line(&mut out, &format!("lava-add-keys {}", shell_word(key)));
        }
    }
    if !skips("sources") {
        for source in &definition.sources {
            line(&mut out, &format!("lava-add-sources {}", shell_word(source)));
        }
    }
    let distro_deps = definition
        .distro_deps
        .iter()
        .filter(|(distro, _)| Some(distro.as_str()) == context.distro)
        .flat_map(|(_, d)| d);
    let deps: Vec<String> = definition.deps.iter().chain(distro_deps).map(|dep| shell_word(dep)).collect();
    if !skips("deps") && !deps.is_empty() {
        line(&mut out, &format!("lava-install-packages {} || {{", deps.join(" ")));
        line(&mut out, "    lava_status=$?");
        line(
            &mut out,
            &format!(
                "    printf '<LAVA_TEST_RUNNER>: %s dependencies failed with: %s\\n' {} \"$lava_status\"",
                shell_word(context.suite)
            ),
        );
        line(&mut out, "    (exit \"$lava_status\")");
        line(&mut out, "}");
    }
    if !skips("steps") && !definition.install_steps.is_empty() {
        line(&mut out, &format!("cd {}", shell_word(context.directory)));
        line(&mut out, "pwd");
        for step in &definition.install_steps {
            line(&mut out, step);
        }
    }
    Some(out)
}

fn parameter_block(out: &mut String, definition: &TestDefinition, context: &ScriptContext<'_>) {
    for (name, value) in definition.merged_parameters(context.parameters) {
        line(out, &format!("{name}={}", quoted(value.unwrap_or_default())));
    }
}

/// Prints one signal with tracing off, so that the trace does not show it a second time.
fn signal(out: &mut String, name: &str, context: &ScriptContext<'_>) {
    line(out, "set +x");
    if context.character_delay.is_some_and(|delay| !delay.is_zero()) {
        line(out, "sleep \"$CHARACTER_DELAY\"");
    }
    let console = format!("printf '<LAVA_SIGNAL_{name} %s %s>\\n' \"$TESTRUN_ID\" \"$UUID\"");
    if context.kmsg {
        // Writing fails where the device may not log to its kernel; only a real kernel log is written, never a file
        // of that name. The suite must then still be seen.
        let kernel = format!("printf '<0><LAVA_SIGNAL_{name} %s %s>\\n' \"$TESTRUN_ID\" \"$UUID\"");
        line(out, &format!("{{ [ -c /dev/kmsg ] && {kernel} >/dev/kmsg; }} 2>/dev/null ||"));
        line(out, &format!("    {console}"));
    } else {
        line(out, &console);
    }
}

/// A step as it stands in `run.sh`: `$1`, `$2` … of a step that hands a command over (`--cmd`, `--shell`) belong to that
/// command, not to the script, and get a backslash (§5.4).
pub fn step_line(step: &str) -> String {
    if !step.contains("--cmd") && !step.contains("--shell") {
        return step.to_string();
    }
    let mut out = String::with_capacity(step.len());
    let mut backslashes = 0;
    let mut chars = step.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '$' && backslashes % 2 == 0 && chars.peek().is_some_and(char::is_ascii_digit) {
            out.push('\\');
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
        out.push(c);
    }
    out
}

fn seconds(duration: Duration) -> String {
    format!("{}", duration.as_secs_f64())
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

//! Boot blocks (job-definition.md §8).

use super::block::check_keys;
use super::cursor::{At, Findings};
use super::deploy::method;
use super::tables;
use crate::member::{AutoLogin, BlockKind};

/// Methods that start or connect, and never reset what runs.
const NO_RESET: [&str; 6] = ["sandbox", "qemu", "qemu-nfs", "ssh", "docker", "new_connection"];

pub(crate) fn boot(at: &At<'_>, findings: &mut Findings) -> Option<BlockKind> {
    let method = method(at, "method", "boot", tables::BOOTS, findings)?;
    check_keys(at, tables::BOOT, method, &format!("boot with {}", method.name), findings);
    let mut prompts = Vec::new();
    if let Some(prompts_at) = at.get("prompts") {
        prompts = findings.text_or_texts(&prompts_at, "boot.prompts");
        findings.patterns(&prompts_at, "boot.prompts");
        if prompts_at.node.as_list().is_some_and(<[_]>::is_empty) {
            let finding = prompts_at.error_at_name("boot.prompts", "there is no prompt");
            findings.push(finding.help("add a regular expression that matches the prompt of the shell"));
        }
    } else if matches!(method.name, "grub" | "grub-efi") && at.get("boot_finished").is_none() {
        let finding = at.error_at_name("action.key", format!("`prompts` is required for boot with {}", method.name));
        findings.push(finding.help("add `prompts`, or `boot_finished` when no shell is expected"));
    }
    let auto_login = at.get("auto_login").and_then(|at| auto_login(&at, findings));
    if let Some(transfer) = at.get("transfer_overlay") {
        transfer_overlay(&transfer, findings);
    }
    if method.name == "new_connection"
        && let Some(connection) = at.get("connection")
    {
        findings.filled_text(&connection, "action.key");
    }
    if let Some(commands) = at.get("soft_reboot") {
        findings.text_or_texts(&commands, "boot.soft-reboot");
        let left_alone = at.get("reset").is_some_and(|reset| reset.node.as_bool() == Some(false));
        if left_alone || NO_RESET.contains(&method.name) {
            let finding =
                commands.warning_at_name("boot.soft-reboot", "nothing is reset here, `soft_reboot` is not used");
            findings.push(finding.help("remove it"));
        }
    }
    let mut host_address = None;
    if let Some(parameters) = at.get("parameters")
        && findings.is_mapping(&parameters, "action.key")
    {
        let mut text = |key: &str| parameters.get(key).and_then(|at| findings.filled_text(&at, "guest.address"));
        host_address = match (text("hostID"), text("host_key")) {
            (Some(id), Some(key)) => Some((id, key)),
            _ => None,
        };
        if let Some(message) = parameters.get("shutdown-message") {
            findings.filled_text(&message, "action.key");
            findings.pattern(&message, "action.key");
        }
        for (one, other) in [("hostID", "host_key"), ("host_key", "hostID")] {
            if parameters.get(one).is_some() && parameters.get(other).is_none() {
                let finding = parameters.error_at_name("guest.address", format!("`{one}` needs `{other}`"));
                findings
                    .push(finding.help("hostID is the messageID, host_key the key under which the address was sent"));
            }
        }
    }
    Some(BlockKind::Boot { method: method.name.to_owned(), prompts, auto_login, host_address })
}

fn auto_login(at: &At<'_>, findings: &mut Findings) -> Option<AutoLogin> {
    const KEYS: [&str; 5] = ["login_prompt", "username", "password_prompt", "password", "login_commands"];
    if !findings.is_mapping(at, "boot.auto-login") {
        return None;
    }
    for (key, value) in at.entries() {
        if !KEYS.contains(&key.text.as_str()) {
            let hint = super::hints::did_you_mean(&key.text, &KEYS);
            let finding = value.warning_at_name("boot.auto-login", format!("unknown key `{}`{hint}", key.text));
            findings.push(finding.help(format!("known here: {}", KEYS.join(", "))));
        }
    }
    let mut text = |key: &str, required: bool| match at.get(key) {
        Some(value) => findings.filled_text(&value, "boot.auto-login"),
        None => {
            if required {
                let finding = at.error_at_name("boot.auto-login", format!("`{key}` is required"));
                findings.push(finding.help(format!("add `{key}`")));
            }
            None
        }
    };
    let (login_prompt, username) = (text("login_prompt", true), text("username", true));
    let password_prompt = text("password_prompt", false);
    // A password may be empty.
    let password = at.get("password").and_then(|at| findings.text(&at, "boot.auto-login"));
    for prompt in ["login_prompt", "password_prompt"].into_iter().filter_map(|key| at.get(key)) {
        findings.pattern(&prompt, "boot.auto-login");
    }
    for (one, other) in [("password_prompt", "password"), ("password", "password_prompt")] {
        if at.get(one).is_some() && at.get(other).is_none() {
            let finding = at.error_at_name("boot.auto-login", format!("`{one}` needs `{other}`"));
            findings.push(finding.help(format!("add `{other}`, or remove `{one}`")));
        }
    }
    let login_commands = at.get("login_commands").map(|at| findings.texts(&at, "boot.auto-login")).unwrap_or_default();
    Some(AutoLogin {
        login_prompt: login_prompt?,
        username: username?,
        password: password_prompt.zip(password),
        login_commands,
    })
}

fn transfer_overlay(at: &At<'_>, findings: &mut Findings) {
    if !findings.is_mapping(at, "boot.transfer-overlay") {
        return;
    }
    let transfer = at
        .get("transfer_method")
        .and_then(|at| findings.word(&at, "boot.transfer-overlay", &["http", "nfs", "zmodem"]));
    let mut required = vec!["unpack_command"];
    if transfer.as_deref() != Some("zmodem") {
        required.push("download_command");
    }
    for key in required {
        match at.get(key) {
            Some(at) => {
                findings.filled_text(&at, "boot.transfer-overlay");
            }
            None => {
                let finding = at.error_at_name("boot.transfer-overlay", format!("`{key}` is required"));
                findings.push(finding.help(format!("add `{key}`")));
            }
        }
    }
}

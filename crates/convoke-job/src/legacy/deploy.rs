//! Deploy and boot blocks (legacy-json.md §5 and §6).
//!
//! What is booted depends on what was deployed, so a deploy gives both: its block and the boot of its devices.

mod kinds;

use kinds::{android, emulated, image, network, overlay};
use serde_json::{Map, Value, json};

use crate::legacy::commands::Command;

use crate::legacy::model::{Action, Role};

use crate::legacy::template::{PROMPTS, Template, architecture, is_emulator};

use crate::legacy::{LegacyOptions, Notes};

/// The two blocks' keys, without `role` and limits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Deployed {
    pub(crate) deploy: Map<String, Value>,
    pub(crate) boot: Map<String, Value>,
}

/// How the devices of `role` get what `action` gives them. `None` when it was noted that there is no way.
pub(crate) fn deploy(action: &Action<'_>, role: &Role, options: &LegacyOptions, notes: &mut Notes) -> Option<Deployed> {
    let given = options.legacy_map.get(&role.device_type);
    let template = given.cloned().or_else(|| Template::built_in(&role.device_type));
    let mut deployed = match (action.command, template) {
        (_, Some(template)) if template.to() == "sandbox" => {
            notes.assume(format!(
                "a {} runs on the files of its host: what is deployed on it is not used",
                role.device_type
            ));
            plain(&template)
        }
        (Command::DeployKernel, template) if is_emulator(&role.device_type) => emulated(action, template.as_ref()),
        (Command::DeployKernel, _) => network(action, given, notes),
        (Command::DeployAndroid, _) => android(action, given, notes),
        (Command::DeployNothing, template) => overlay(template.as_ref(), notes),
        (Command::DeployAny, template) if action.parameter("image").is_none() => overlay(template.as_ref(), notes),
        (_, template) => image(action, role, template, options, notes)?,
    };
    if let Some(os) = action.text("target_type").filter(|os| OS.contains(os)) {
        deployed.deploy.insert("os".to_owned(), os.into());
    }
    if role.slave {
        slave(action, &mut deployed, notes);
    }
    finish_boot(&mut deployed.boot, action, notes);
    Some(deployed)
}

const OS: [&str; 7] = ["ubuntu", "debian", "fedora", "centos", "oe", "android", "archlinux"];

/// The deploy and boot of a role that is never deployed: only the overlay goes onto what is on the device.
pub(crate) fn undeployed(role: &Role, options: &LegacyOptions, notes: &mut Notes) -> Deployed {
    let template = options.legacy_map.get(&role.device_type).cloned();
    let template = template.or_else(|| Template::built_in(&role.device_type));
    let mut deployed = match template {
        Some(template) if template.to() == "sandbox" => plain(&template),
        template => overlay(template.as_ref(), notes),
    };
    add_prompts(&mut deployed.boot, notes);
    deployed
}

/// Puts the login of an action and the default prompts into a boot.
pub(crate) fn finish_boot(boot: &mut Map<String, Value>, action: &Action<'_>, notes: &mut Notes) {
    let mut login = Map::new();
    for key in ["login_prompt", "username", "password_prompt", "password"] {
        if let Some(text) = action.text(key) {
            login.insert(key.to_owned(), text.into());
        }
    }
    if !login.is_empty() {
        let defaults = [("login_prompt", "login:"), ("username", "root")];
        for (key, default) in defaults {
            if !login.contains_key(key) {
                notes.assume(format!("auto_login: `{key}: '{default}'` where the file gives none"));
                login.insert(key.to_owned(), default.into());
            }
        }
        if login.contains_key("password") && !login.contains_key("password_prompt") {
            notes.assume("auto_login: `password_prompt: 'Password:'` where the file gives none");
            login.insert("password_prompt".to_owned(), "Password:".into());
        }
        boot.insert("auto_login".to_owned(), login.into());
    }
    add_prompts(boot, notes);
}

fn add_prompts(boot: &mut Map<String, Value>, notes: &mut Notes) {
    let sandbox = boot.get("method").is_some_and(|method| method == "sandbox");
    if !sandbox && !boot.contains_key("prompts") {
        notes.assume("boot prompts: V1's usual ones, where the legacy-map gives none");
        boot.insert("prompts".to_owned(), json!(PROMPTS));
    }
}

fn plain(template: &Template) -> Deployed {
    Deployed { deploy: template.deploy.clone(), boot: template.boot.clone() }
}

/// A slave tells its master what to boot, waits until the master is ready, attaches to the console, and says so; no
/// power command is ever given (legacy-json.md §6). `minimal` without a reset does that: a request is made when its
/// action starts, so the one on `connect-device` comes before the console, that on `auto-login-action` after it.
fn slave(action: &Action<'_>, deployed: &mut Deployed, notes: &mut Notes) {
    let url = |name: &str| action.text(name).unwrap_or_default().to_owned();
    let message = json!({
        "kernel": url("kernel"),
        "dtb": url("dtb"),
        "nfs_rootfs": "{NFSROOTFS}",
        "nfs_server_ip": "{NFS_SERVER_IP}",
    });
    let send = json!({
        "action": "deploy-device-env", "request": "lava-send", "messageID": "lava_ms_slave_data", "message": message,
    });
    deployed.deploy.insert("protocols".to_owned(), json!({"lava-multinode": [send]}));
    let prompts = deployed.boot.get("prompts").cloned();
    let sandbox = deployed.boot.get("method").is_some_and(|method| method == "sandbox");
    let boot = if sandbox { json!({"method": "sandbox"}) } else { json!({"method": "minimal", "reset": false}) };
    deployed.boot = boot.as_object().cloned().unwrap_or_default();
    if let Some(prompts) = prompts {
        deployed.boot.insert("prompts".to_owned(), prompts);
    }
    let (before, after) =
        if sandbox { ("start-sandbox", "expect-shell-connection") } else { ("connect-device", "auto-login-action") };
    let requests = json!([
        {"action": before, "request": "lava-wait", "messageID": "lava_ms_ready"},
        {"action": after, "request": "lava-send", "messageID": "lava_ms_boot"},
    ]);
    deployed.boot.insert("protocols".to_owned(), json!({"lava-multinode": requests}));
    notes.assume("slave: the message IDs are V1's own, without a suffix");
}

impl Template {
    fn pair(self) -> Deployed {
        Deployed { deploy: self.deploy, boot: self.boot }
    }
}

/// `{url, compression}` with the compression by suffix.
fn resource(url: &str) -> Map<String, Value> {
    let mut resource = Map::new();
    resource.insert("url".to_owned(), url.into());
    let suffix = file_name(url).rsplit_once('.').map(|(_, suffix)| suffix.to_ascii_lowercase()).unwrap_or_default();
    let compression = match suffix.as_str() {
        "gz" | "tgz" => "gz",
        "bz2" | "tbz2" => "bz2",
        "xz" | "txz" => "xz",
        "zip" => "zip",
        "zst" | "zstd" => "zstd",
        _ => return resource,
    };
    resource.insert("compression".to_owned(), compression.into());
    resource
}

/// The last part of a URL's path.
pub(crate) fn file_name(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}

/// `context` of a role, where its boot needs one.
pub(crate) fn context(role: &Role, notes: &mut Notes) -> Option<Value> {
    if !is_emulator(&role.device_type) {
        return None;
    }
    let arch = architecture(&role.device_type);
    notes.assume(format!("context: `arch: {arch}` for device type {}", role.device_type));
    Some(json!({ "arch": arch }))
}

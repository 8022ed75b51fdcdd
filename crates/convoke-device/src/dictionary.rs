//! The typed view of a device dictionary: the YAML that LAVA renders from its templates and hands to a dispatcher
//! (server-api.md §7, device-side.md §1, job-definition.md §8).
//!
//! Reading never stops at the first fault: what cannot be understood is a finding at its place, and the rest is read.
//! Keys that are not known here are no fault: LAVA's templates write many that only some methods need. They stay in
//! [`Dictionary::document`].

use std::time::Duration;

use convoke_job::pipeline::DeviceLimits;
use convoke_job::{Diagnostic, Node, Source, yaml};
use serde_json::{Map, Value};

use crate::fields::Fields;

/// Prefix of the variables of `static_info`.
const STATIC_INFO: &str = "LAVA_STATIC_INFO";

/// One device's configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dictionary {
    /// `hostname`: the device's name.
    pub hostname: Option<String>,
    /// `device_type`, which only some of LAVA's templates write.
    pub device_type: Option<String>,
    /// `available_architectures` of a QEMU device; empty is any.
    pub architectures: Vec<String>,
    /// Programs that connect it and switch its power.
    pub commands: Commands,
    /// What its systems print and take.
    pub constants: Constants,
    /// Pauses between two characters that are typed.
    pub character_delays: CharacterDelays,
    /// `environment`: variables of the test shell.
    pub environment: Vec<(String, String)>,
    /// `device_info`, `static_info`, `storage_info`, each with the prefix its variables get in the test shell.
    pub information: Vec<(&'static str, Value)>,
    /// Limits of actions and connections by action name (job-definition.md §3.3).
    pub timeouts: DeviceLimits,
    /// `actions.deploy`.
    pub deploy: Actions,
    /// `actions.boot`.
    pub boot: Actions,
    /// The whole document as it was given, key order kept.
    pub document: Map<String, Value>,
}

/// `commands`. Each is one or more commands for a shell of the dispatcher, run in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands {
    /// `connect`: a program whose standard input and output are the console.
    pub connect: Option<String>,
    /// `connections`: more of them by name, each with its tags (`primary`, `telnet`, …).
    pub connections: Vec<Connection>,
    /// `power_on`.
    pub power_on: Vec<String>,
    /// `power_off`.
    pub power_off: Vec<String>,
    /// `hard_reset`.
    pub hard_reset: Vec<String>,
    /// `soft_reboot`: typed on the console.
    pub soft_reboot: Vec<String>,
    /// `pre_power_command`.
    pub pre_power: Vec<String>,
    /// `pre_os_command`.
    pub pre_os: Vec<String>,
    /// `users`: what the block `command` of a job may run.
    pub users: Vec<UserCommand>,
}

/// One of `commands.connections`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Its name, for example `uart1`.
    pub name: String,
    /// `connect`.
    pub connect: String,
    /// `tags`.
    pub tags: Vec<String>,
}

/// One of `commands.users`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserCommand {
    /// Its name.
    pub name: String,
    /// `do`.
    pub run: String,
    /// `undo`: run at the end of the job.
    pub undo: Option<String>,
}

/// `constants`, the ones that a dispatcher needs; all of them stay in the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constants {
    /// `posix.lava_test_sh_cmd`.
    pub shell: String,
    /// `posix.lava_test_results_dir`, `%s` for the job id.
    pub results_dir: String,
    /// `kernel-start-message`: a pattern; empty is not waited for.
    pub kernel_start: Option<String>,
    /// `default-shell-prompt`.
    pub default_prompt: Option<String>,
    /// `failure_retry`: attempts of inner actions.
    pub failure_retry: Option<u32>,
    /// `boot_retry`.
    pub boot_retry: Option<u32>,
}

impl Default for Constants {
    fn default() -> Self {
        Constants {
            shell: "/bin/sh".into(),
            results_dir: "/lava-%s".into(),
            kernel_start: None,
            default_prompt: None,
            failure_retry: None,
            boot_retry: None,
        }
    }
}

/// `character_delays`, in milliseconds there (device-side.md §8.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CharacterDelays {
    /// While a boot loader is talked to.
    pub boot: Duration,
    /// In the test shell.
    pub test: Duration,
    /// While something is deployed over the console.
    pub deploy: Duration,
}

/// `actions.deploy` or `actions.boot`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actions {
    /// The methods and their settings, in order; a method without settings is null or an empty mapping.
    pub methods: Vec<(String, Value)>,
    /// Names of the connections that may be used.
    pub connections: Vec<String>,
}

impl Actions {
    /// The settings of a method; `None` when the device does not have it.
    pub fn method(&self, name: &str) -> Option<&Value> {
        self.methods.iter().find(|(known, _)| known == name).map(|(_, settings)| settings)
    }

    /// The names of the methods, for messages.
    pub fn names(&self) -> Vec<&str> {
        self.methods.iter().map(|(name, _)| name.as_str()).collect()
    }
}

impl Dictionary {
    /// Reads a document. There is a dictionary exactly when no finding is an error.
    pub fn read(source: &Source) -> (Option<Dictionary>, Vec<Diagnostic>) {
        let (root, mut findings) = yaml::parse(source, yaml::Limits::default());
        let (dictionary, more) = match &root {
            Some(root) => Dictionary::of(root),
            None => (None, Vec::new()),
        };
        findings.extend(more);
        let sound = !findings.iter().any(Diagnostic::is_error);
        (dictionary.filter(|_| sound), findings)
    }

    /// Reads what stands at `root`.
    pub fn of(root: &Node) -> (Option<Dictionary>, Vec<Diagnostic>) {
        let mut fields = Fields::default();
        let dictionary = fields.is_map(root, "").then(|| read(root, &mut fields));
        let mut findings = fields.findings;
        findings.sort_by_key(|finding| finding.labels.first().map(|label| label.span.start));
        let sound = !findings.iter().any(Diagnostic::is_error);
        (dictionary.filter(|_| sound), findings)
    }

    /// What is known of the device as variables of the test shell: `LAVA_DEVICE_INFO_0_board_id` and its like
    /// (device-side.md §1.2).
    pub fn information_variables(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (prefix, value) in &self.information {
            crate::fields::flatten(prefix, &Node::from_value(value), &mut found);
        }
        found
    }

    /// What `static_info` says, which is a mapping or a list of them, by name; of two with one name the first.
    pub fn static_info(&self) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        let info = self.information.iter().filter(|(prefix, _)| *prefix == STATIC_INFO);
        let maps = info.flat_map(|(_, value)| match value {
            Value::Array(items) => items.iter().collect(),
            value => vec![value],
        });
        for (key, value) in maps.filter_map(Value::as_object).flatten() {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Bool(flag) => flag.to_string(),
                _ => continue,
            };
            if found.iter().all(|(known, _)| known != key) {
                found.push((key.clone(), text));
            }
        }
        found
    }

    /// Whether a document is a device dictionary and not another kind of device file.
    pub fn is_one(root: &Node) -> bool {
        root.get("type").is_none() && ["actions", "hostname", "constants"].iter().any(|key| root.get(key).is_some())
    }
}

fn read(root: &Node, fields: &mut Fields) -> Dictionary {
    let document = match root.to_value() {
        Value::Object(document) => document,
        _ => Map::new(),
    };
    let information =
        [("device_info", "LAVA_DEVICE_INFO"), ("static_info", STATIC_INFO), ("storage_info", "LAVA_STORAGE_INFO")];
    let actions = fields.sub(root, "actions", "");
    Dictionary {
        hostname: fields.text(root, "hostname", ""),
        device_type: fields.text(root, "device_type", ""),
        architectures: fields.texts(root, "available_architectures", ""),
        commands: commands(fields.sub(root, "commands", ""), fields),
        constants: constants(fields.sub(root, "constants", ""), fields),
        character_delays: delays(fields.sub(root, "character_delays", ""), fields),
        environment: fields.environment(root, "environment", ""),
        information: information
            .into_iter()
            .filter_map(|(key, prefix)| Some((prefix, root.get(key)?.to_value())))
            .filter(|(_, value)| !value.is_null())
            .collect(),
        timeouts: {
            let timeouts = fields.sub(root, "timeouts", "");
            DeviceLimits {
                actions: fields.limits(timeouts, "actions", "timeouts"),
                connections: fields.limits(timeouts, "connections", "timeouts"),
            }
        },
        deploy: section(actions, "deploy", fields),
        boot: section(actions, "boot", fields),
        document,
    }
}

fn commands(at: Option<&Node>, fields: &mut Fields) -> Commands {
    let Some(at) = at else { return Commands::default() };
    let path = "commands";
    let connections = fields.entries(at, "connections", path).iter().filter_map(|(key, value)| {
        let path = format!("{path}.connections.{}", key.text);
        Some(Connection {
            name: key.text.clone(),
            connect: fields.text(value, "connect", &path)?,
            tags: fields.texts(value, "tags", &path),
        })
    });
    let connections = connections.collect();
    let users = fields.entries(at, "users", path).iter().filter_map(|(key, value)| {
        let path = format!("{path}.users.{}", key.text);
        Some(UserCommand {
            name: key.text.clone(),
            run: fields.text(value, "do", &path)?,
            undo: fields.text(value, "undo", &path),
        })
    });
    let users = users.collect();
    Commands {
        connect: fields.text(at, "connect", path),
        connections,
        power_on: fields.texts(at, "power_on", path),
        power_off: fields.texts(at, "power_off", path),
        hard_reset: fields.texts(at, "hard_reset", path),
        soft_reboot: fields.texts(at, "soft_reboot", path),
        pre_power: fields.texts(at, "pre_power_command", path),
        pre_os: fields.texts(at, "pre_os_command", path),
        users,
    }
}

fn constants(at: Option<&Node>, fields: &mut Fields) -> Constants {
    let mut found = Constants::default();
    let Some(at) = at else { return found };
    let path = "constants";
    if let Some(posix) = fields.sub(at, "posix", path) {
        let path = "constants.posix";
        found.shell = fields.text(posix, "lava_test_sh_cmd", path).unwrap_or(found.shell);
        found.results_dir = fields.text(posix, "lava_test_results_dir", path).unwrap_or(found.results_dir);
    }
    found.kernel_start = fields.any_text(at, "kernel-start-message", path);
    found.default_prompt = fields.text(at, "default-shell-prompt", path);
    found.failure_retry = fields.number(at, "failure_retry", path);
    found.boot_retry = fields.number(at, "boot_retry", path);
    found
}

fn delays(at: Option<&Node>, fields: &mut Fields) -> CharacterDelays {
    let Some(at) = at else { return CharacterDelays::default() };
    let mut delay = |key: &str| {
        let milliseconds = fields.number(at, key, "character_delays").unwrap_or(0);
        Duration::from_millis(milliseconds.into())
    };
    CharacterDelays { boot: delay("boot"), test: delay("test"), deploy: delay("deploy") }
}

fn section(actions: Option<&Node>, name: &str, fields: &mut Fields) -> Actions {
    let Some(at) = actions.and_then(|actions| fields.sub(actions, name, "actions")) else {
        return Actions::default();
    };
    let path = format!("actions.{name}");
    let methods = fields.entries(at, "methods", &path).iter().map(|(key, value)| (key.text.clone(), value.to_value()));
    let methods = methods.collect();
    // A list of names in some templates, a mapping from names to nothing in most.
    let connections = match at.get("connections") {
        Some(node) if node.as_list().is_some() => fields.texts(at, "connections", &path),
        Some(_) => fields.entries(at, "connections", &path).iter().map(|(key, _)| key.text.clone()).collect(),
        None => Vec::new(),
    };
    Actions { methods, connections }
}

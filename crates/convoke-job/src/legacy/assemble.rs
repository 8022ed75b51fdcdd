//! Blocks in order, the boots that V1 left out, limits and the document around them (legacy-json.md §4 and §5).

mod head;

use serde_json::{Map, Value, json};

use crate::diagnostic::Diagnostic;
use crate::legacy::commands::{Command, check_parameters};
use crate::legacy::deploy::{self, Deployed};
use crate::legacy::model::{Action, Document};
use crate::legacy::testing::{self, Names};
use crate::legacy::{LegacyOptions, Notes};
use crate::node::Node;

/// The document, ready to be written.
pub(crate) struct Assembled {
    /// Everything but `protocols` and `actions`, in order.
    pub(crate) head: Map<String, Value>,
    /// `protocols.lava-multinode` without its roles; `None` for a single-device job.
    pub(crate) multinode: Option<Map<String, Value>>,
    /// Role, its keys, where it comes from.
    pub(crate) roles: Vec<(String, Map<String, Value>, String)>,
    /// The blocks.
    pub(crate) blocks: Vec<Block>,
}

/// One entry of the v2 `actions`.
pub(crate) struct Block {
    pub(crate) kind: &'static str,
    /// All keys, `role` first.
    pub(crate) body: Map<String, Value>,
    /// Where it comes from.
    pub(crate) origin: String,
    roles: Vec<usize>,
    /// What counts against the job's limit.
    seconds: u64,
}

struct Assembly<'a, 'b> {
    document: &'a Document<'a>,
    options: &'a LegacyOptions,
    notes: &'b mut Notes,
    blocks: Vec<Block>,
    names: Names,
    /// By role: how it boots, once something was deployed.
    boots: Vec<Option<Map<String, Value>>>,
    /// By role: deployed and not booted since.
    waiting: Vec<bool>,
    metadata: Map<String, Value>,
    submitted: Option<(Option<String>, Option<String>)>,
}

/// The v2 document; `None` when it was noted that there is none.
pub(crate) fn assemble(document: &Document<'_>, options: &LegacyOptions, notes: &mut Notes) -> Option<Assembled> {
    let many = document.roles.len();
    let (boots, waiting) = (vec![None; many], vec![false; many]);
    let (blocks, names, metadata) = (Vec::new(), Names::default(), Map::new());
    let mut assembly = Assembly { document, options, notes, blocks, names, boots, waiting, metadata, submitted: None };
    for (place, action) in document.actions.iter().enumerate() {
        assembly.action(place, action);
    }
    assembly.missing_tests();
    assembly.idle_roles();
    if options.merge {
        assembly.merge();
    }
    Some(assembly.finish())
}

impl Assembly<'_, '_> {
    fn action(&mut self, place: usize, action: &Action<'_>) {
        check_parameters(action, self.notes);
        if let Some(entries) = action.metadata.and_then(Node::as_map) {
            let of = self.metadata.entry(action.name.clone()).or_insert_with(|| json!({}));
            if let Some(of) = of.as_object_mut() {
                of.extend(entries.iter().map(|(key, value)| (key.text.clone(), value.to_value())));
            }
        }
        for copy in 0..action.repeat {
            let origin = if action.repeat > 1 {
                format!("{}: {}, {} of {}", action.path, action.name, copy + 1, action.repeat)
            } else {
                format!("{}: {}", action.path, action.name)
            };
            match action.command {
                Command::Submit => return self.submit(action),
                command if command.deploys() => self.deploy(action, &origin),
                command if command.boots() => self.boot(action, &origin),
                _ => self.test(place, action, &origin),
            }
        }
    }

    fn deploy(&mut self, action: &Action<'_>, origin: &str) {
        let mut found: Vec<(Deployed, Vec<usize>)> = Vec::new();
        let mut failed: Vec<&str> = Vec::new();
        for place in &action.roles {
            let role = &self.document.roles[*place];
            if failed.contains(&role.device_type.as_str()) {
                continue;
            }
            let Some(deployed) = deploy::deploy(action, role, self.options, self.notes) else {
                failed.push(&role.device_type);
                continue;
            };
            self.boots[*place] = Some(deployed.boot.clone());
            self.waiting[*place] = true;
            match found.iter_mut().find(|(known, _)| known.deploy == deployed.deploy) {
                Some((_, roles)) => roles.push(*place),
                None => found.push((deployed, vec![*place])),
            }
        }
        for (deployed, roles) in found {
            self.push("deploy", deployed.deploy, roles, action.timeout, origin);
        }
    }

    /// A boot command: what was deployed, with the login the command adds.
    fn boot(&mut self, action: &Action<'_>, origin: &str) {
        for place in &action.roles {
            let mut boot = self.boot_of(*place, origin);
            if action.command == Command::BootAndroid && boot.get("method").is_some_and(|method| method != "sandbox") {
                boot.insert("method".to_owned(), "fastboot".into());
            }
            deploy::finish_boot(&mut boot, action, self.notes);
            self.boots[*place] = Some(boot);
        }
        self.boot_roles(&action.roles, action.timeout, origin);
    }

    /// How a role boots; one that nothing was deployed on gets the overlay first.
    fn boot_of(&mut self, place: usize, origin: &str) -> Map<String, Value> {
        if let Some(boot) = &self.boots[place] {
            return boot.clone();
        }
        let role = &self.document.roles[place];
        let deployed = deploy::undeployed(role, self.options, self.notes);
        self.push("deploy", deployed.deploy, vec![place], None, &format!("{origin} (nothing is deployed before)"));
        deployed.boot
    }

    /// Boot blocks for roles, one for all that boot alike.
    fn boot_roles(&mut self, roles: &[usize], timeout: Option<u64>, origin: &str) {
        let mut found: Vec<(Map<String, Value>, Vec<usize>)> = Vec::new();
        for place in roles {
            self.waiting[*place] = false;
            let Some(boot) = &self.boots[*place] else { continue };
            match found.iter_mut().find(|(known, _)| known == boot) {
                Some((_, roles)) => roles.push(*place),
                None => found.push((boot.clone(), vec![*place])),
            }
        }
        for (boot, roles) in found {
            self.push("boot", boot, roles, timeout, origin);
        }
    }

    fn test(&mut self, place: usize, action: &Action<'_>, origin: &str) {
        for role in &action.roles {
            if self.boots[*role].is_none() {
                let boot = self.boot_of(*role, origin);
                self.boots[*role] = Some(boot);
                self.waiting[*role] = true;
            }
        }
        if action.roles.iter().any(|role| self.waiting[*role]) {
            let due = (0..self.waiting.len()).filter(|role| self.waiting[*role]);
            let due: Vec<usize> =
                due.filter(|role| action.roles.contains(role) || self.tests_next(place, *role)).collect();
            self.boot_roles(&due, None, "V1 booted before the first test when no command said so");
        }
        if let Some(body) = testing::test(action, &mut self.names, self.notes) {
            self.push("test", body, action.roles.clone(), action.timeout, origin);
        }
    }

    /// Whether the next action of the role after `place` that is not a submission is a test.
    fn tests_next(&self, place: usize, role: usize) -> bool {
        let mut next = self.document.actions[place + 1..].iter().filter(|action| action.roles.contains(&role));
        next.find(|action| action.command != Command::Submit).is_some_and(|action| action.command.tests())
    }

    fn push(
        &mut self,
        kind: &'static str,
        keys: Map<String, Value>,
        roles: Vec<usize>,
        timeout: Option<u64>,
        origin: &str,
    ) {
        let mut body = Map::new();
        if !self.document.single {
            let names: Vec<&str> = roles.iter().map(|place| self.document.roles[*place].name.as_str()).collect();
            body.insert("role".to_owned(), json!(names));
        }
        if let Some(seconds) = timeout {
            body.insert("timeout".to_owned(), json!({ "seconds": seconds }));
        }
        body.extend(keys);
        let seconds = timeout.unwrap_or(self.document.timeout);
        self.blocks.push(Block { kind, body, origin: origin.to_owned(), roles, seconds });
    }

    /// Where results go. The token is read by nobody.
    fn submit(&mut self, action: &Action<'_>) {
        let text = |name: &str| action.text(name).map(str::to_owned);
        if let Some(token) = action.parameter("token") {
            let finding = Diagnostic::warning(
                "legacy.token",
                format!("{}.parameters.token", action.path),
                token.span,
                "the token is not kept",
            );
            self.notes.add(finding.help("remove it from the file: whoever reads the file can use it"));
        }
        self.submitted.get_or_insert((text("server"), text("stream")));
    }

    fn missing_tests(&mut self) {
        for (place, role) in self.document.roles.iter().enumerate() {
            let tested = self.document.actions.iter().any(|a| a.command.tests() && a.roles.contains(&place));
            if tested {
                continue;
            }
            let booted = self.document.actions.iter().any(|a| a.command.boots() && a.roles.contains(&place));
            let (who, path) = if self.document.single {
                ("the job".to_owned(), "actions".to_owned())
            } else {
                (format!("role {}", role.name), format!("device_group[{place}]"))
            };
            let end = if booted { "" } else { "; its devices are not booted" };
            let finding = Diagnostic::warning("legacy.no-test", path, role.span, format!("{who} has no test{end}"));
            self.notes.add(finding.help("add a \"lava_test_shell\" action"));
        }
    }

    /// A role that nothing is done with is a mistake in v2. Said only where it is not the consequence of another error.
    fn idle_roles(&mut self) {
        if self.notes.diagnostics.iter().any(Diagnostic::is_error) {
            return;
        }
        for (place, role) in self.document.roles.iter().enumerate() {
            if role.count == 0 || self.blocks.iter().any(|block| block.roles.contains(&place)) {
                continue;
            }
            let (message, path) = if self.document.single {
                ("the job has nothing to do".to_owned(), "actions".to_owned())
            } else {
                (format!("no action is for role {}", role.name), format!("device_group[{place}]"))
            };
            let finding = Diagnostic::error("legacy.no-actions", path, role.span, message);
            self.notes.add(finding.help("add actions that deploy and test, or remove the role"));
        }
    }

    /// Joins neighbours that differ only in their roles.
    fn merge(&mut self) {
        let mut merged: Vec<Block> = Vec::new();
        for block in self.blocks.drain(..) {
            let bare = |block: &Block| {
                let mut body = block.body.clone();
                body.remove("role");
                body
            };
            let alike = merged.last_mut().filter(|last| {
                last.kind == block.kind
                    && bare(last) == bare(&block)
                    && !last.roles.iter().any(|role| block.roles.contains(role))
            });
            let Some(last) = alike else {
                merged.push(block);
                continue;
            };
            last.roles.extend(&block.roles);
            last.roles.sort_unstable();
            let names: Vec<&str> = last.roles.iter().map(|place| self.document.roles[*place].name.as_str()).collect();
            last.body.insert("role".to_owned(), json!(names));
            last.origin = format!("{} and {}", last.origin, block.origin);
        }
        self.blocks = merged;
    }
}

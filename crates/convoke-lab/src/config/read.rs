//! From the document to a lab.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoke_device::Dictionary;
use convoke_device::template::TemplateFault;
use convoke_job::diagnostic::Label;
use convoke_job::legacy::{LegacyMap, Template};
use convoke_job::{DeviceName, DeviceType, Diagnostic, Kind, Node, Source, Span, Tag, yaml};
use convoke_schedule::{Health, WorkerEntry, nearest};
use serde_json::{Map, Value};

use super::fields::{Findings, join};
use super::template::{DeviceTemplate, line};
use super::{DeviceSettings, Kvm, Lab, LabDevice, OnDemandMachines, QEMU, SANDBOX, SandboxSettings};

/// Keys by place; the schema has the same ones.
pub(super) const TOP: &[&str] = &["templates", "devices", "workers", "sandboxes", "machines", "legacy-map"];
pub(super) const DEVICE: &[&str] = &[
    "name",
    "type",
    "tags",
    "worker",
    "health",
    "dictionary",
    "environment",
    "os",
    "dispatcher_ip",
    "disk",
    "kvm",
    "timeouts",
];
pub(super) const MACHINES: &[&str] = &["kvm"];
pub(super) const WORKER: &[&str] = &["job_limit"];
pub(super) const SANDBOXES: &[&str] = &["on_demand", "tags", "network", "environment", "os", "disk", "timeouts"];
pub(super) const TIMEOUTS: &[&str] = &["actions", "connections"];
pub(super) const TEMPLATE: &[&str] = &["deploy", "image", "image_arg", "boot"];

pub(super) fn read(source: &Source) -> (Option<Lab>, Vec<Diagnostic>) {
    let folder = Path::new(source.name()).parent().unwrap_or(Path::new("")).to_owned();
    let (root, _) = yaml::parse(source, yaml::Limits::default());
    if let Some(kind) = Kind::of(source, root.as_ref()).filter(|kind| *kind != Kind::Lab) {
        return (None, vec![kind.instead_of(Kind::Lab, source, root.as_ref())]);
    }
    document(source, |root, findings| {
        let templates = templates(root, &folder, findings);
        Some(lab(root, &Files { folder, templates }, findings))
    })
}

pub(super) fn read_device(source: &Source, device_type: Option<&DeviceType>) -> (Option<Lab>, Vec<Diagnostic>) {
    let place = Path::new(source.name());
    if DeviceTemplate::is_one(place) {
        return template_device(source, place, device_type);
    }
    let files = Files { folder: place.parent().unwrap_or(Path::new("")).to_owned(), templates: Vec::new() };
    document(source, |root, findings| {
        let device = match Dictionary::is_one(root) {
            true => lava_device(root, device_type, &files.folder, findings)?,
            false => device(root, "", &files, findings)?.0,
        };
        Some(alone(device))
    })
}

/// A lab of one device.
fn alone(device: LabDevice) -> Lab {
    let sandboxes = SandboxSettings { on_demand: Some(0), ..SandboxSettings::default() };
    Lab { devices: vec![device], sandboxes, machines: OnDemandMachines::Never, ..Lab::default() }
}

/// A device of which there is nothing but a dictionary to be rendered. Its file has its name, as in LAVA.
fn template_device(source: &Source, place: &Path, device_type: Option<&DeviceType>) -> (Option<Lab>, Vec<Diagnostic>) {
    let name = place.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let device_type = device_type.cloned().unwrap_or_else(|| DeviceType::new("unknown"));
    let template = DeviceTemplate::new(place, &[], &name, device_type.as_str());
    let rendered = template.render(&Map::new());
    let wrong = |message: String| {
        let labels = vec![Label { span: Span::new(0, 0), text: String::new() }];
        Diagnostic { labels, ..Diagnostic::error("lab.template", "", Span::new(0, 0), message) }
    };
    let rendered = match rendered {
        Ok(rendered) => rendered,
        Err(fault) => return (None, vec![template_fault(&fault, source, wrong)]),
    };
    let findings = rendered.findings.iter();
    let findings = findings
        .map(|finding| Diagnostic { severity: finding.severity, ..wrong(line(finding, &rendered.source)) })
        .collect();
    let lab = rendered.dictionary.map(|dictionary| {
        let name = dictionary.hostname.clone().unwrap_or(name);
        alone(LabDevice {
            name: DeviceName::new(name),
            device_type,
            tags: Vec::new(),
            worker: None,
            health: Health::Good,
            dictionary: Some(Arc::new(dictionary)),
            template: Some(Arc::new(template)),
            settings: DeviceSettings {
                folder: place.parent().unwrap_or(Path::new("")).to_owned(),
                ..DeviceSettings::default()
            },
        })
    });
    (lab, findings)
}

/// A fault of a template, at its line when it is in `source`.
fn template_fault(fault: &TemplateFault, source: &Source, wrong: impl Fn(String) -> Diagnostic) -> Diagnostic {
    let mut finding = wrong(fault.to_string());
    if let Some((_, line)) = fault.place.as_ref().filter(|(place, _)| source.name() == place) {
        let text = source.text();
        let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        finding.labels = vec![Label { span: Span::new(start, end), text: String::new() }];
    }
    finding.help("template folders: `templates` of the lab file, the dictionary's, `../device-types`, those of LAVA")
}

/// Where the files are that a lab file names.
struct Files {
    /// The folder of the lab file.
    folder: PathBuf,
    /// `templates`.
    templates: Vec<PathBuf>,
}

/// `templates`: folders that exist.
fn templates(root: &Node, folder: &Path, findings: &mut Findings) -> Vec<PathBuf> {
    let listed = findings.texts(root.get("templates"), "templates");
    let span = root.get("templates").map(|node| node.span).unwrap_or_default();
    let folders: Vec<PathBuf> = listed.iter().map(|name| folder.join(name)).collect();
    for missing in folders.iter().filter(|folder| !folder.is_dir()) {
        let message = format!("{} is no folder", missing.display());
        findings.add(Diagnostic::error("lab.templates", "templates", span, message));
    }
    folders
}

/// A device of which there is nothing but its dictionary.
fn lava_device(
    root: &Node,
    device_type: Option<&DeviceType>,
    folder: &Path,
    findings: &mut Findings,
) -> Option<LabDevice> {
    let (dictionary, found) = Dictionary::of(root);
    found.into_iter().for_each(|finding| findings.add(finding));
    let dictionary = dictionary?;
    let name = dictionary.hostname.clone().unwrap_or_else(|| "device".into());
    let own = dictionary.device_type.as_deref().map(DeviceType::new);
    Some(LabDevice {
        name: DeviceName::new(name),
        device_type: own.or_else(|| device_type.cloned()).unwrap_or_else(|| DeviceType::new("unknown")),
        tags: Vec::new(),
        worker: None,
        health: Health::Good,
        dictionary: Some(Arc::new(dictionary)),
        template: None,
        settings: DeviceSettings { folder: folder.to_owned(), ..DeviceSettings::default() },
    })
}

/// A dictionary that is rendered for each job, and what it says for a job without `context`, if anything.
fn template(
    place: &Path,
    files: &Files,
    name: &str,
    device_type: &str,
) -> (Option<Arc<Dictionary>>, Arc<DeviceTemplate>) {
    let template = DeviceTemplate::new(place, &files.templates, name, device_type);
    let rendered = template.render(&Map::new()).ok();
    let dictionary = rendered.filter(|rendered| rendered.error().is_none()).and_then(|rendered| rendered.dictionary);
    (dictionary.map(Arc::new), Arc::new(template))
}

/// `dictionary:`, in place or the path of a file.
fn dictionary(node: &Node, path: &str, folder: &Path, findings: &mut Findings) -> Option<Arc<Dictionary>> {
    if node.as_map().is_some() {
        let (dictionary, found) = Dictionary::of(node);
        for mut finding in found {
            finding.path = join(path, &finding.path);
            findings.add(finding);
        }
        return dictionary.map(Arc::new);
    }
    let file = findings.text(node, path)?;
    let wrong = |message: String| Diagnostic::error("lab.dictionary", path, node.span, message);
    let place = folder.join(&file);
    let bytes = match std::fs::read(&place) {
        Ok(bytes) => bytes,
        Err(error) => {
            findings.add(wrong(format!("cannot read {}: {error}", place.display())));
            return None;
        }
    };
    let source = match Source::from_bytes(place.display().to_string(), bytes) {
        Ok(source) => source,
        Err(error) => {
            findings.add(wrong(format!("{}: {}", place.display(), error.message)));
            return None;
        }
    };
    let (dictionary, found) = Dictionary::read(&source);
    for finding in found {
        // A place in another file.
        findings.add(Diagnostic { severity: finding.severity, ..wrong(line(&finding, &source)) });
    }
    dictionary.map(Arc::new)
}

fn document(
    source: &Source,
    understand: impl FnOnce(&Node, &mut Findings) -> Option<Lab>,
) -> (Option<Lab>, Vec<Diagnostic>) {
    let (root, diagnostics) = yaml::parse(source, yaml::Limits::default());
    let mut findings = Findings(diagnostics);
    let lab = root.and_then(|root| understand(&root, &mut findings));
    let sound = !findings.0.iter().any(Diagnostic::is_error);
    findings.0.sort_by_key(|finding| finding.labels.first().map(|label| label.span.start));
    (lab.filter(|_| sound), findings.0)
}

fn lab(root: &Node, files: &Files, findings: &mut Findings) -> Lab {
    findings.map(root, "", TOP);
    let workers = root.get("workers").map(|node| workers(node, findings)).unwrap_or_default();
    let mut devices: Vec<(LabDevice, Span)> = Vec::new();
    for (place, item) in findings.list(root.get("devices"), "devices").iter().enumerate() {
        let Some((device, span)) = device(item, &format!("devices[{place}]"), files, findings) else { continue };
        if let Some((_, first)) = devices.iter().find(|(known, _)| known.name == device.name) {
            let message = format!("device {} is listed twice", device.name);
            let path = format!("devices[{place}].name");
            let finding = Diagnostic::error("lab.duplicate-device", path, span, message);
            findings.add(finding.also(*first, "listed here first").help("names are unique; rename one"));
            continue;
        }
        worker_exists(&device, item, &workers, &format!("devices[{place}]"), findings);
        devices.push((device, span));
    }
    let listed = |kind: &str| devices.iter().any(|(device, _)| device.device_type.as_str() == kind);
    let sandboxes = sandboxes(root.get("sandboxes"), listed(SANDBOX), findings);
    let machines = if listed(QEMU) { OnDemandMachines::Never } else { OnDemandMachines::Unlimited };
    let legacy_map = root.get("legacy-map").map(|node| legacy_map(node, findings)).unwrap_or_default();
    let kvm = root.get("machines").and_then(|node| {
        findings.map(node, "machines", MACHINES);
        kvm(node, "machines", findings)
    });
    let devices = devices.into_iter().map(|(device, _)| device).collect();
    Lab { devices, workers, sandboxes, machines, kvm: kvm.unwrap_or_default(), legacy_map }
}

fn workers(node: &Node, findings: &mut Findings) -> BTreeMap<String, WorkerEntry> {
    let mut found = BTreeMap::new();
    for (key, value) in findings.open_map(node, "workers") {
        let path = format!("workers.{}", key.text);
        findings.map(value, &path, WORKER);
        let mut worker = WorkerEntry::default();
        if let Some(limit) = value.get("job_limit") {
            match limit.as_int().and_then(|limit| u32::try_from(limit).ok()) {
                Some(limit) => worker.job_limit = limit,
                None => findings.wrong(&format!("{path}.job_limit"), limit, "a whole number from 0 (no limit)"),
            }
        }
        found.insert(key.text.clone(), worker);
    }
    found
}

/// The device and the place of its name.
fn device(item: &Node, path: &str, files: &Files, findings: &mut Findings) -> Option<(LabDevice, Span)> {
    if item.as_map().is_none() {
        findings.wrong(path, item, "a mapping with `name` and `type`");
        return None;
    }
    findings.map(item, path, DEVICE);
    let text = |key: &str, findings: &mut Findings| {
        let node = findings.required(item, key, path)?;
        findings.text(node, &join(path, key))
    };
    let name = text("name", findings);
    let device_type = text("type", findings);
    let span = item.get("name").map_or(item.span, |node| node.span);
    if let Some(bad) = name.as_ref().filter(|name| !is_host_name(name)) {
        let message = format!("{bad:?} cannot be the name of a device");
        let help = "use letters, digits, `-`, `_` and `.`, at most 63, beginning and ending with a letter or digit";
        findings.add(Diagnostic::error("lab.device-name", join(path, "name"), span, message).help(help));
    }
    let tags = tags(item, path, findings);
    let worker = item.get("worker").and_then(|node| findings.text(node, &join(path, "worker")));
    let health = item.get("health").map_or(Some(Health::Good), |node| health(node, &join(path, "health"), findings));
    let (dictionary, template) = match item.get("dictionary") {
        None => (None, None),
        Some(node) => {
            let path = join(path, "dictionary");
            let place =
                node.as_text().map(|file| files.folder.join(file)).filter(|place| DeviceTemplate::is_one(place));
            match place {
                Some(place) => {
                    let name = name.as_deref().unwrap_or_default();
                    let (dictionary, template) =
                        template(&place, files, name, device_type.as_deref().unwrap_or_default());
                    (dictionary, Some(template))
                }
                None => (dictionary(node, &path, &files.folder, findings), None),
            }
        }
    };
    let settings = DeviceSettings { folder: files.folder.clone(), ..settings(item, path, findings) };
    let (name, device_type) = (DeviceName::new(name?), DeviceType::new(device_type?));
    Some((LabDevice { name, device_type, tags, worker, health: health?, dictionary, template, settings }, span))
}

/// Names end up as host names and in file names.
fn is_host_name(name: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    name.len() <= 63
        && name.starts_with(edge)
        && name.ends_with(edge)
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn tags(item: &Node, path: &str, findings: &mut Findings) -> Vec<Tag> {
    findings.texts(item.get("tags"), &join(path, "tags")).into_iter().map(Tag::new).collect()
}

fn health(node: &Node, path: &str, findings: &mut Findings) -> Option<Health> {
    let found = node.as_text().and_then(|text| Health::ALL.into_iter().find(|health| health.as_str() == text));
    if found.is_none() {
        let names: Vec<&str> = Health::ALL.iter().map(|health| health.as_str()).collect();
        findings.wrong(path, node, &format!("one of {}", names.join(", ")));
    }
    found
}

/// A worker that is named but not listed is a slip when others are listed.
fn worker_exists(
    device: &LabDevice,
    item: &Node,
    workers: &BTreeMap<String, WorkerEntry>,
    path: &str,
    findings: &mut Findings,
) {
    let Some(name) = device.worker.as_ref().filter(|name| !workers.is_empty() && !workers.contains_key(*name)) else {
        return;
    };
    let span = item.get("worker").map_or(item.span, |node| node.span);
    let message = format!("worker {name} is not listed under `workers`");
    let finding = Diagnostic::warning("lab.unknown-worker", join(path, "worker"), span, message);
    let near = nearest(name, workers.keys().map(String::as_str));
    findings.add(
        finding.help(near.map_or_else(|| format!("list it: `{name}: {{}}`"), |near| format!("did you mean {near}?"))),
    );
}

fn settings(node: &Node, path: &str, findings: &mut Findings) -> DeviceSettings {
    let environment = findings.environment(node.get("environment"), &join(path, "environment"));
    let os = node.get("os").and_then(|node| findings.text(node, &join(path, "os")));
    let dispatcher_ip = node.get("dispatcher_ip").and_then(|node| findings.text(node, &join(path, "dispatcher_ip")));
    let disk = node.get("disk").and_then(|node| findings.bytes(node, &join(path, "disk")));
    let kvm = kvm(node, path, findings);
    let path = join(path, "timeouts");
    let timeouts = node.get("timeouts");
    if let Some(timeouts) = timeouts {
        findings.map(timeouts, &path, TIMEOUTS);
    }
    let of = |key: &str, findings: &mut Findings| {
        findings.limits(timeouts.and_then(|node| node.get(key)), &join(&path, key))
    };
    let action_timeouts = of("actions", findings);
    let connection_timeouts = of("connections", findings);
    DeviceSettings {
        environment,
        os,
        dispatcher_ip,
        folder: Default::default(),
        disk,
        kvm,
        action_timeouts,
        connection_timeouts,
    }
}

/// `kvm:`; YAML reads `no` and `yes` as booleans.
fn kvm(node: &Node, path: &str, findings: &mut Findings) -> Option<Kvm> {
    let node = node.get("kvm")?;
    match (node.as_bool(), node.as_text()) {
        (Some(false), _) => Some(Kvm::No),
        (Some(true), _) => Some(Kvm::Yes),
        (_, Some("probe")) => Some(Kvm::Probe),
        _ => {
            findings.wrong(&join(path, "kvm"), node, "no, probe or yes");
            None
        }
    }
}

/// Without a word about it, sandboxes are made on demand unless the file lists sandboxes of its own.
fn sandboxes(node: Option<&Node>, listed: bool, findings: &mut Findings) -> SandboxSettings {
    let mut found = SandboxSettings { on_demand: listed.then_some(0), ..SandboxSettings::default() };
    let Some(node) = node else { return found };
    let path = "sandboxes";
    findings.map(node, path, SANDBOXES);
    match node.get("on_demand").map(|node| (node, node.as_int().and_then(|limit| u32::try_from(limit).ok()))) {
        None => {}
        Some((_, Some(limit))) => found.on_demand = Some(limit),
        Some((node, None)) if node.as_text() == Some("unlimited") => found.on_demand = None,
        Some((node, None)) => findings.wrong("sandboxes.on_demand", node, "a whole number from 0, or `unlimited`"),
    }
    if let Some(node) = node.get("network") {
        found.network = network(node, findings).unwrap_or(found.network);
    }
    found.tags = tags(node, path, findings);
    found.settings = settings(node, path, findings);
    found
}

/// `10.213.0.0/16`: room for two devices and the bridge at least, and no host bits.
fn network(node: &Node, findings: &mut Findings) -> Option<(Ipv4Addr, u8)> {
    let read = |text: &str| {
        let (address, bits) = text.split_once('/')?;
        Some((address.parse::<Ipv4Addr>().ok()?, bits.parse::<u8>().ok().filter(|bits| (8..=29).contains(bits))?))
    };
    let Some((address, bits)) = node.as_text().and_then(read) else {
        findings.wrong(
            "sandboxes.network",
            node,
            "an IPv4 network with a prefix of 8 to 29 bits, such as `10.213.0.0/16`",
        );
        return None;
    };
    let network = Ipv4Addr::from(u32::from(address) & (u32::MAX << (32 - u32::from(bits))));
    if network != address {
        let message = format!("{address}/{bits} is an address in a network, not a network");
        let finding = Diagnostic::error("lab.value", "sandboxes.network", node.span, message);
        findings.add(finding.help(format!("write {network}/{bits}")));
    }
    Some((network, bits))
}

fn legacy_map(node: &Node, findings: &mut Findings) -> LegacyMap {
    let mut found = LegacyMap::new();
    for (key, value) in findings.open_map(node, "legacy-map") {
        let path = format!("legacy-map.{}", key.text);
        findings.map(value, &path, TEMPLATE);
        let deploy = findings.plain_map(value.get("deploy"), &join(&path, "deploy"));
        let boot = findings.plain_map(value.get("boot"), &join(&path, "boot"));
        for (block, name, keys) in [("deploy", "to", &deploy), ("boot", "method", &boot)] {
            if !keys.get(name).is_some_and(Value::is_string) {
                let span = value.get(block).map_or(key.span, |node| node.span);
                let message = format!("`{name}` is missing in `{path}.{block}`");
                let finding = Diagnostic::error("lab.missing", format!("{path}.{block}.{name}"), span, message);
                findings.add(finding.help(format!("say how: `{block}: {{{name}: …}}`")));
            }
        }
        let mut text = |name: &str| value.get(name).and_then(|node| findings.text(node, &join(&path, name)));
        let label = match deploy.get("to").and_then(Value::as_str) {
            Some("usb" | "sata" | "sd" | "sandbox") => None,
            Some("tmpfs") => Some("rootfs"),
            _ => Some("image"),
        };
        let image = text("image").or_else(|| label.map(str::to_owned));
        let image_arg = text("image_arg");
        found.insert(key.text.clone(), Template { deploy, image, image_arg, boot });
    }
    found
}

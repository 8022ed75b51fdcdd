//! Lab files: what is read, what is said, and that the schema agrees.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use convoke_job::Source;
use convoke_lab::config::{Lab, schema};
use convoke_schedule::Health;
use serde_json::Value;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read_file(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap()
}

pub(crate) fn fixture(name: &str) -> String {
    read_file(Path::new("crates/convoke-lab/tests/fixtures").join(name))
}

/// A lab file without any finding.
#[track_caller]
pub(crate) fn lab(text: &str) -> Lab {
    let source = Source::new("lab.yaml", text);
    let (lab, findings) = Lab::read(&source);
    assert_eq!(findings, []);
    lab.unwrap()
}

/// `line:column code at path: message` and help, a finding a line; and whether there is a lab.
fn findings(text: &str) -> String {
    let source = Source::new("lab.yaml", text);
    let (lab, findings) = Lab::read(&source);
    assert_eq!(lab.is_some(), !findings.iter().any(convoke_job::Diagnostic::is_error));
    let shown = findings.iter().map(|finding| {
        let at = source.position(finding.labels[0].span.start);
        let help = finding.help.as_ref().map(|help| format!(" [{help}]")).unwrap_or_default();
        format!("{}:{} {} at {}: {}{help}\n", at.line, at.column, finding.code, finding.path, finding.message)
    });
    shown.collect()
}

/// The YAML examples of the page.
fn examples() -> Vec<String> {
    let page = read_file("docs/lab.md");
    let blocks = page.split("```yaml\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

fn value(text: &str) -> Value {
    let source = Source::new("lab.yaml", text);
    convoke_job::yaml::parse(&source, convoke_job::yaml::Limits::default()).0.unwrap().to_value()
}

#[test]
fn the_page_and_its_example_are_right() {
    assert_eq!(examples().len(), 1);
    let lab = lab(&examples()[0]);
    let names: Vec<&str> = lab.devices.iter().map(|device| device.name.as_str()).collect();
    assert_eq!(names, ["web-1", "web-2", "panda-01"]);
    assert_eq!(lab.devices[0].health, Health::Good);
    assert_eq!(lab.devices[2].health, Health::Maintenance);
    assert_eq!(lab.devices[2].settings.action_timeouts, [("auto-login-action".into(), Duration::from_secs(120))]);
    assert_eq!(lab.workers["rack-1"].job_limit, 4);
    assert_eq!(lab.sandboxes.on_demand, Some(10));
    assert_eq!(lab.sandboxes.network, (Ipv4Addr::new(10, 213, 0, 0), 16));
    assert_eq!(lab.legacy_map["panda"].image.as_deref(), Some("image"));
    let web2 = lab.sandbox_settings("web-2");
    assert_eq!(web2.environment, [("LANG".into(), "C.UTF-8".into()), ("LISTEN".into(), "8080".into())]);
    assert_eq!(web2.disk, Some(256 << 20));
    assert_eq!(lab.sandbox_settings("sandbox-0").disk, Some(1 << 30));
}

/// To renew the file: `UPDATE_SCHEMA=1 cargo nextest run -p convoke-lab schema`.
#[test]
fn the_committed_schema_is_current() {
    let path = repository().join("docs/lab.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, schema::schema_text()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(
        committed == schema::schema_text(),
        "docs/lab.schema.json is out of date: run this test with UPDATE_SCHEMA=1"
    );
}

#[test]
fn the_schema_accepts_the_examples_and_refuses_what_the_reader_refuses() {
    let schema = jsonschema::validator_for(&schema::schema().to_value()).unwrap();
    let mut good = examples();
    good.push(fixture("lab-small.yaml"));
    good.push("workers: {a: }\nsandboxes: {on_demand: unlimited}\n".into());
    good.push("devices: [{name: a_b, type: x, timeouts: {connections: {c: {seconds: 1}}}, disk: 2000000}]\n".into());
    for text in good {
        lab(&text);
        let errors: Vec<String> = schema.iter_errors(&value(&text)).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0], "{text}");
    }
    for bad in [
        "device: []",
        "devices: {}",
        "devices: [{type: x}]",
        "devices: [{name: -a, type: x}]",
        "devices: [{name: a, type: x, health: good}]",
        "devices: [{name: a, type: x, timeouts: {actions: {c: {weeks: 1}}}}]",
        "devices: [{name: a, type: x, timeouts: {actions: {c: {seconds: 0}}}}]",
        "devices: [{name: a, type: x, disk: big}]",
        "workers: {a: {job_limit: -1}}",
        "sandboxes: {on_demand: many}",
        "sandboxes: {network: here}",
        "legacy-map: {a: {deploy: {to: x}}}",
    ] {
        assert!(!schema.is_valid(&value(bad)), "{bad}");
        assert!(Lab::read(&Source::new("lab.yaml", bad)).0.is_none(), "{bad}");
    }
}

#[test]
fn a_small_inventory() {
    let lab = lab(&fixture("lab-small.yaml"));
    let inventory = lab.inventory();
    assert_eq!(inventory.devices.len(), 3);
    assert_eq!(inventory.devices[2].health, Health::Bad);
    let made: Vec<&str> = inventory.on_demand.iter().map(|made| made.device_type.as_str()).collect();
    assert_eq!(made, ["sandbox", "qemu"]);
}

#[test]
fn listed_sandboxes_are_all_there_are_unless_said_otherwise() {
    let made = |lab: Lab| {
        let made = lab.inventory().on_demand;
        made.into_iter().map(|made| (made.device_type, made.limit)).collect::<Vec<_>>()
    };
    let (sandboxes, machines) = (|limit| ("sandbox".to_owned(), limit), ("qemu".to_owned(), None));
    let listed = "devices: [{name: a, type: sandbox}]\n";
    assert_eq!(made(lab(listed)), std::slice::from_ref(&machines));
    let two = lab(&format!("{listed}sandboxes: {{on_demand: 2}}"));
    assert_eq!(made(two), [sandboxes(Some(2)), machines.clone()]);
    let unlimited = lab(&format!("{listed}sandboxes: {{on_demand: unlimited}}"));
    assert_eq!(made(unlimited), [sandboxes(None), machines.clone()]);
    assert_eq!(made(lab("sandboxes: {on_demand: 0}")), std::slice::from_ref(&machines));
    assert_eq!(made(Lab::default()), [sandboxes(None), machines]);
    assert_eq!(made(lab("devices: [{name: a, type: qemu}]")), [sandboxes(None)]);
}

#[test]
fn everything_wrong_is_said_at_once() {
    let text = r#"
device: []
devices:
- {name: a, tpye: sandbox}
- {name: 1, type: sandbox}
- {name: "a b", type: sandbox, tags: web}
- {name: c, type: qemu, worker: rack1, health: good}
- {name: d, type: qemu}
- {name: d, type: qemu, environment: {1A: x, B: yes, C: 3}}
- qemu
workers:
  rack-1: {job_limit: many, colour: red}
sandboxes: {on_demand: some, network: 10.0.0.1/24, disk: 3, timeouts: {actions: {boot: 5m}}}
legacy-map:
  panda: {deploy: {image: x}}
"#;
    insta::assert_snapshot!(findings(text));
}

#[test]
fn a_worker_that_is_not_listed_is_a_warning() {
    let text = "workers: {rack-1: {}}\ndevices: [{name: a, type: x, worker: rack1}]\n";
    assert_eq!(
        findings(text),
        "2:38 lab.unknown-worker at devices[0].worker: worker rack1 is not listed under `workers` [did you mean rack-1?]\n"
    );
    assert_eq!(findings("devices: [{name: a, type: x, worker: rack1}]\n"), "");
}

#[test]
fn what_is_no_lab_file() {
    assert!(findings("").starts_with("1:1 yaml."));
    assert!(findings("- a\n").starts_with("1:1 yaml."));
    assert!(findings("devices: [\n").contains("yaml.syntax"));
}

#[test]
fn dictionaries_stand_in_the_lab_file_or_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let path = folder.path().join("lab.yaml").display().to_string();
    let text = "devices:\n- {name: a, type: t, dictionary: a.yaml}\n- {name: b, type: t, dictionary: {hostname: bb}}\n";
    write("a.yaml", "hostname: aa\nconstants: {boot_retry: 3}\n");
    let (lab, findings) = Lab::read(&Source::new(path.clone(), text));
    assert_eq!(findings, []);
    let lab = lab.unwrap();
    let of = |name: &str| lab.device(name).unwrap().dictionary.clone().unwrap();
    assert_eq!((of("a").hostname.as_deref(), of("a").constants.boot_retry), (Some("aa"), Some(3)));
    assert_eq!(of("b").hostname.as_deref(), Some("bb"));

    write("a.yaml", "hostname: aa\nconstants: 3\n");
    let text = format!(
        "{text}- {{name: c, type: t, dictionary: c.yaml}}\n- {{name: d, type: t, dictionary: {{timeouts: 1}}}}\n"
    );
    let (lab, findings) = Lab::read(&Source::new(path, text));
    assert!(lab.is_none());
    let found: Vec<String> = findings
        .iter()
        .map(|finding| {
            format!("{}: {}", finding.path, finding.message.replace(&folder.path().display().to_string(), ""))
        })
        .collect();
    assert_eq!(
        found,
        [
            "devices[0].dictionary: /a.yaml:2:12: `constants` is a mapping, not the integer 3",
            "devices[2].dictionary: cannot read /c.yaml: No such file or directory (os error 2)",
            "devices[3].dictionary.timeouts: `timeouts` is a mapping, not the integer 1",
        ]
    );
}

#[test]
fn lavas_device_file_is_a_lab_of_one_device() {
    let wanted = convoke_job::DeviceType::new("juno");
    let text = "hostname: juno-1\nactions: {boot: {methods: {minimal: }}}\n";
    let (lab, findings) = Lab::read_device(&Source::new("device.yaml", text), Some(&wanted));
    assert_eq!(findings, []);
    let lab = lab.unwrap();
    let device = &lab.devices[0];
    assert_eq!((device.name.as_str(), device.device_type.as_str()), ("juno-1", "juno"));
    assert!(device.dictionary.as_ref().unwrap().boot.method("minimal").is_some());
    assert_eq!(lab.inventory().on_demand, []);
    // Our own kind of device file says its type.
    let (lab, _) = Lab::read_device(&Source::new("device.yaml", "{name: a, type: sandbox}"), Some(&wanted));
    assert_eq!(lab.unwrap().devices[0].device_type.as_str(), "sandbox");
}

//! Devices whose configuration is a Jinja2 dictionary: where templates are looked for, what a job's context changes, and how
//! faults are told.

use std::path::Path;

use convoke_job::{DeviceType, Diagnostic, Source};
use convoke_lab::Lab;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

const BASE: &str = "
character_delays:
  boot: {{ boot_character_delay|default(5) }}
constants:
  posix:
    lava_test_sh_cmd: /bin/sh
{% block body %}
{% endblock %}
";

const MACHINE: &str = "{% extends 'base.jinja2' %}
{% set memory = memory|default(512) %}
{% block body %}
actions:
  boot:
    methods:
      qemu:
        parameters:
          command: qemu-system-{{ arch|default('x86_64') }}
          options: ['-m {{ memory }}', '-name {{ scheduled_device_name }}', '-D {{ scheduled_device_type }}']
{% endblock %}
";

/// A lab with a dictionary in `devices/` and templates in `types/`, beside a file `lab.yaml`.
fn lab(dictionary: &str, machine: &str) -> (TempDir, Option<Lab>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("types/base.jinja2", BASE),
        ("types/machine.jinja2", machine),
        ("devices/vm-1.jinja2", dictionary),
        ("lab.yaml", "templates: [types]\ndevices:\n- {name: vm-1, type: machine, dictionary: devices/vm-1.jinja2}\n"),
    ] {
        write(&folder.path().join(path), text);
    }
    let (lab, findings) = read(&folder.path().join("lab.yaml"));
    let here = format!("{}/", folder.path().display());
    let findings = findings.into_iter().map(|text| text.replace(&here, "")).collect();
    (folder, lab, findings)
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn read(path: &Path) -> (Option<Lab>, Vec<String>) {
    let source = Source::new(path.display().to_string(), std::fs::read_to_string(path).unwrap());
    let (lab, findings) = Lab::read(&source);
    (lab, findings.iter().map(|finding| said(finding, &source)).collect())
}

fn said(finding: &Diagnostic, source: &Source) -> String {
    let line = finding.labels.first().map_or(0, |label| source.position(label.span.start).line);
    format!("{line} {} {}: {}", finding.code, finding.path, finding.message)
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// The options of the machine for a job with this context.
fn options(lab: &Lab, context: Value) -> String {
    let dictionary = lab.devices[0].configuration(&map(context)).unwrap().unwrap();
    dictionary.document["actions"]["boot"]["methods"]["qemu"]["parameters"].to_string()
}

#[test]
fn a_job_s_context_reaches_the_configuration_and_what_the_dictionary_sets_goes_first() {
    let (_folder, lab, findings) = lab("{% extends 'machine.jinja2' %}\n{% set arch = 'aarch64' %}\n", MACHINE);
    assert_eq!(findings, [""; 0]);
    let lab = lab.unwrap();
    let with = |memory: &str| {
        format!(r#"{{"command":"qemu-system-aarch64","options":["-m {memory}","-name vm-1","-D machine"]}}"#)
    };
    assert_eq!(options(&lab, json!({})), with("512"));
    assert_eq!(options(&lab, json!({"memory": 2048, "arch": "riscv64"})), with("2048"));
    let refusal = lab.devices[0].configuration(&map(json!({"boot_character_delay": "much"}))).unwrap_err();
    assert!(refusal.message.contains("devices/vm-1.jinja2 (rendered):3:9: "), "{}", refusal.message);
    let slow = lab.devices[0].configuration(&map(json!({"boot_character_delay": 100}))).unwrap().unwrap();
    assert_eq!(slow.character_delays.boot.as_millis(), 100);
}

#[test]
fn a_fault_of_a_template_makes_its_own_device_unusable_and_is_told_with_its_file_and_line() {
    let sound = "{% extends 'machine.jinja2' %}";
    for (dictionary, machine, expected) in [
        ("{% extends 'machin.jinja2' %}", MACHINE, "devices/vm-1.jinja2:1: template not found"),
        (
            sound,
            "\n{% extends 'base.jinja2' %}{% block body %}{{ x.y }}{% endblock %}",
            "types/machine.jinja2:2: a value",
        ),
        (sound, "\n\n{% if %}", "types/machine.jinja2:3: syntax error"),
        (
            sound,
            "{% extends 'base.jinja2' %}{% block body %}\ncommands: []{% endblock %}",
            "(rendered):7:11: `commands`",
        ),
        (sound, "a: [\n", "(rendered):"),
    ] {
        let (_folder, lab, findings) = lab(dictionary, machine);
        assert_eq!(findings, [""; 0]);
        let lab = lab.unwrap();
        let device = &lab.devices[0];
        let checked = device.checked(&Map::new());
        let nowhere = Source::new("", "");
        let found: Vec<String> = checked
            .findings
            .iter()
            .filter(|finding| finding.is_error())
            .map(|finding| said(finding, checked.source.as_ref().unwrap_or(&nowhere)))
            .collect();
        assert_eq!(found.len(), 1, "{found:?}");
        let why = device.unusable().unwrap();
        assert!(
            why.message.starts_with("its configuration cannot be had: ") && why.message.contains(expected),
            "{why:?}"
        );
        assert_eq!(device.configuration(&map(json!({"arch": "arm64"}))).unwrap_err().message, why.message);
        // Another device of the same type is taken in its place.
        let inventory = lab.inventory();
        assert_eq!(inventory.devices[0].health.as_str(), "Bad");
    }
}

#[test]
fn template_folders_must_exist() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lab.yaml");
    write(&file, "devices: []\ntemplates: [no-such]\n");
    let (lab, findings) = read(&file);
    assert!(lab.is_none() && findings[0].starts_with("2 lab.templates templates: "), "{findings:?}");
}

/// LAVA's own layout: `devices` and `device-types` beside each other, nothing else said.
#[test]
fn a_dictionary_alone_is_a_device_file() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("device-types/machine.jinja2"), MACHINE);
    write(&folder.path().join("device-types/base.jinja2"), BASE);
    let file = folder.path().join("devices/vm-7.jinja2");
    write(&file, "{% extends 'machine.jinja2' %}");
    let source = Source::new(file.display().to_string(), std::fs::read_to_string(&file).unwrap());
    let (lab, findings) = Lab::read_device(&source, Some(&DeviceType::new("kvm")));
    assert_eq!(findings, []);
    let lab = lab.unwrap();
    assert_eq!((lab.devices[0].name.as_str(), lab.devices[0].device_type.as_str()), ("vm-7", "kvm"));
    assert!(options(&lab, json!({"arch": "i386"})).contains("qemu-system-i386"));
}

#[test]
fn what_is_probably_wrong_is_found() {
    let text = "
commands: {connectt: telnet a 1, power_onn: x}
character_delay: {boot: 1}
actions: {boot: {methods: {minimal: , u-boot: , qemu: {parameters: {options: []}}}}, deploy: {methods: {image: }}}
";
    let (_folder, lab, findings) = lab(text, MACHINE);
    assert_eq!(findings, [""; 0]);
    let checked = lab.unwrap().devices[0].checked(&Map::new());
    let source = checked.source.unwrap();
    let said: Vec<String> = checked.findings.iter().map(|finding| said(finding, &source)).collect();
    insta::assert_snapshot!(said.join("\n"));
}

//! `convoke lab`, and devices of a lab file whose configuration is one of LAVA's Jinja2 dictionaries.

use serde_json::{Value, json};

use crate::dispatch::{Coordinator, members};
use crate::harness::{Ended, Place, User};
use crate::machines;

/// A device type for a QEMU machine, whose size a job or a dictionary may set.
const TEMPLATE: &str = "{% extends 'base.jinja2' %}
{% set memory = memory|default(128) %}
{% block body %}
actions:
  deploy:
    connections: {serial: null}
    methods:
      image: {parameters: {guest: {size: 32, interface: virtio, driveid: lavatest}}}
  boot:
    connections: {serial: null}
    methods:
      qemu:
        parameters:
          command: qemu-system-x86_64
          options: [-machine pc, -accel tcg, -cpu max, -nographic, -no-reboot, -net none, '-m {{ memory }}', -monitor none]
{% endblock %}
";
const BASE: &str = "constants:
  posix:
    lava_test_sh_cmd: /bin/sh
    lava_test_results_dir: /lava-%s
  kernel-start-message: Booting from ROM
environment: {SIZE: '{{ memory }}'}
{% block body %}{% endblock %}
timeouts: {actions: {}, connections: {}}
";

/// A lab of two machines: one is sound, the template of the other one has a fault.
fn lab(place: &Place) {
    for (path, text) in [
        ("types/base.jinja2", BASE),
        ("types/machine.jinja2", TEMPLATE),
        ("devices/sound.jinja2", "{% extends 'machine.jinja2' %}\n{% set memory = 192 %}\n"),
        ("devices/broken.jinja2", "{% extends 'machine.jinja2' %}\n{% set memory = mem.size %}\n"),
        (
            "lab.yaml",
            "templates: [types]\ndevices:\n- {name: broken, type: qemu, dictionary: devices/broken.jinja2}\n\
             - {name: sound, type: qemu, tags: [tested, slow], dictionary: devices/sound.jinja2}\n\
             - {name: plain, type: panda, health: Maintenance}\n",
        ),
    ] {
        place.write(path, text);
    }
}

#[track_caller]
fn expect(ended: &Ended, code: i32, stdout: &str, stderr: &str) {
    assert_eq!(ended.code, Some(code), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains(stdout), "{stdout:?} in\n{}", ended.stdout);
    assert!(ended.stderr.contains(stderr), "{stderr:?} in\n{}", ended.stderr);
}

#[test]
fn the_devices_of_a_lab_are_listed() {
    let place = Place::new(User::Ordinary);
    lab(&place);
    let listed = place.convoke(&["lab", "list", "--lab", "lab.yaml"]);
    expect(&listed, 0, "", "");
    insta::assert_snapshot!(listed.stdout, @r"
    NAME    TYPE   HEALTH       TAGS         CONFIGURATION
    broken  qemu   Good         -            devices/broken.jinja2 (cannot be used)
    sound   qemu   Good         tested,slow  devices/sound.jinja2
    plain   panda  Maintenance  -            -
    ");
    place.write("none.yaml", "{}\n");
    expect(&place.convoke(&["lab", "list", "--lab", "none.yaml"]), 0, "NAME  TYPE  HEALTH  TAGS  CONFIGURATION\n", "");
    expect(&place.convoke(&["lab", "list", "--lab", "missing.yaml"]), 2, "", "`missing.yaml` does not exist");
    place.write("bad.yaml", "devices:\n- {name: a, type: sandbox, colour: red}\n");
    expect(&place.convoke(&["lab", "list", "--lab", "bad.yaml"]), 2, "", "unknown key `colour`");
}

#[test]
fn a_lab_is_checked_with_file_and_line() {
    let place = Place::new(User::Ordinary);
    lab(&place);
    let checked = place.convoke(&["lab", "check", "--lab", "lab.yaml"]);
    expect(&checked, 2, "broken: 1 error\nsound: no findings\nplain: no configuration\n", "devices/broken.jinja2:2: ");
    // Of one device, what a job gets is shown too.
    let sound = place.convoke(&["lab", "check", "sound", "--lab", "lab.yaml"]);
    expect(&sound, 0, "'-m 192'", "");
    assert!(sound.stdout.starts_with("# "), "{}", sound.stdout);
    expect(&place.convoke(&["lab", "check", "soun", "--lab", "lab.yaml"]), 2, "", "did you mean sound?");

    place.write("gone.yaml", "devices:\n- {name: gone, type: qemu, dictionary: devices/gone.jinja2}\n");
    expect(
        &place.convoke(&["lab", "check", "--lab", "gone.yaml"]),
        2,
        "gone: 1 error",
        "devices/gone.jinja2 does not exist",
    );

    place.write("devices/slip.yaml", "commands: {}\nactions:\n  boot:\n    method: {}\n  deploy: 3\n");
    place.write("slip.yaml", "devices:\n- {name: slip, type: qemu, dictionary: devices/slip.yaml}\n");
    expect(
        &place.convoke(&["lab", "check", "--lab", "slip.yaml"]),
        2,
        "slip.yaml: 1 error",
        "devices/slip.yaml:5:11: ",
    );
}

#[test]
fn a_lab_is_checked_for_programs() {
    let place = Place::new(User::Ordinary);
    lab(&place);
    let checked = place.convoke(&["lab", "check", "--lab", "lab.yaml", "--format", "json"]);
    expect(&checked, 2, "", "");
    let objects: Vec<Value> = checked.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects[0], json!({"lab": "lab.yaml", "diagnostics": []}));
    let names: Vec<&str> = objects[1..].iter().map(|object| object["device"].as_str().unwrap()).collect();
    assert_eq!(names, ["broken", "sound", "plain"]);
    let finding = &objects[1]["diagnostics"][0];
    assert_eq!((&finding["code"], &finding["severity"]), (&json!("lab.template"), &json!("error")), "{finding}");
    assert!(finding["message"].as_str().unwrap().contains("devices/broken.jinja2:2: "), "{finding}");
    assert_eq!(objects[2]["diagnostics"], json!([]));
    let files = objects[2]["files"].as_array().unwrap();
    assert_eq!(files.len(), 3, "{files:?}");
}

#[test]
fn the_context_of_a_check_is_one_that_a_job_could_have() {
    let place = Place::new(User::Ordinary);
    lab(&place);
    place.write("devices/sound.jinja2", "{% extends 'machine.jinja2' %}\n");
    let check = |context: &str| place.convoke(&["lab", "check", "sound", "--lab", "lab.yaml", "--context", context]);
    expect(&check("memory=333"), 0, "'-m 333'", "");
    expect(&check("memry=333"), 2, "", "\"memry\" is not a context variable");
    expect(&check("memry=333"), 2, "", "memory");
    expect(&check("memory"), 2, "", "write KEY=VALUE");
}

/// What ssh is to log in with has one meaning, wherever Convoke is started.
#[test]
fn a_relative_identity_file_is_refused() {
    let place = Place::new(User::Ordinary);
    let device = "{host: 10.0.0.1, identity_file: keys/lab}";
    let text = format!(
        "devices:\n- name: box-1\n  type: box\n  dictionary: {{actions: {{deploy: {{methods: {{ssh: {device}}}}}, boot: {{methods: {{ssh: }}}}}}}}\n"
    );
    place.write("lab.yaml", text);
    let checked = place.convoke(&["lab", "check", "--lab", "lab.yaml"]);
    expect(&checked, 2, "box-1: 1 error", "identity_file \"keys/lab\" cannot be used");
    assert!(checked.stderr.contains("the absolute path of a private key"), "{}", checked.stderr);
}

/// A machine with a template goes the whole way, although the template of the one before it in the list is broken.
#[test]
fn a_template_that_cannot_be_rendered_keeps_no_other_device_from_its_job() {
    let place = Place::new(User::Root);
    lab(&place);
    let steps = [
        "lava-test-case size --shell test \"$SIZE\" = 192",
        "lava-test-case ram --shell sh -c 'test $(sed -n \"s/^MemTotal: *\\([0-9]*\\).*/\\1/p\" /proc/meminfo) -gt 140000'",
    ];
    let mut job = machines::job(machines::applied(), &steps);
    // The dictionary's own goes first.
    job["context"] = json!({"arch": "amd64", "memory": 256});
    let job_file = place.write("job.yaml", job.to_string());
    let run = place.run(&job_file, &["--lab", "lab.yaml"]);
    run.expect(0).has("", "size", "pass", 1).has("", "ram", "pass", 1);
    assert!(run.file("journal.jsonl").contains("\"device\":\"sound\""));

    // A job that needs the broken one is told why, before anything is started.
    std::fs::remove_dir_all(&run.dir).unwrap();
    job["device_type"] = "other".into();
    place.write("job.yaml", job.to_string());
    place.write(
        "alone.yaml",
        "templates: [types]\ndevices: [{name: broken, type: other, dictionary: devices/broken.jinja2}]\n",
    );
    let checked = place.convoke(&["check", "job.yaml", "--lab", "alone.yaml"]);
    expect(&checked, 2, "", "devices/broken.jinja2:2: ");
    let run = place.run(&job_file, &["--lab", "alone.yaml"]);
    expect(&run.ended, 2, "", "device broken: its configuration cannot be had: ");
    assert!(!run.dir.exists());
}

/// More members than sound devices: the broken one is named, for to wait would not help.
#[test]
fn a_group_that_would_need_the_unusable_device_is_told_why() {
    let place = Place::new(User::Ordinary);
    lab(&place);
    let job = machines::group_job(&[("one", &["true"]), ("two", &["true"])]);
    let job = place.write("job.yaml", job.to_string());
    let run = place.run(&job, &["--lab", "lab.yaml"]);
    expect(&run.ended, 2, "", "device `broken`: its configuration cannot be had: ");
    assert!(!run.dir.exists());
}

/// A device file may be a template too: its name is the device's, its templates are beside it or in `../device-types`.
#[test]
fn a_member_is_dispatched_on_a_template() {
    let place = Place::new(User::Root);
    lab(&place);
    place.write("device-types/machine.jinja2", TEMPLATE);
    place.write("device-types/base.jinja2", BASE);
    let job = machines::group_job(&[("one", &["lava-sync alone", "lava-test-case size --shell test \"$SIZE\" = 192"])]);
    members(&place, &job.to_string(), "alone");
    let coordinator = Coordinator::ours(&place);
    let dispatch = |device: &str, output: &str| {
        let address = coordinator.address.as_str();
        let words = ["dispatch", "one.yaml", "--device", device, "--coordinator", address, "--output", output];
        place.convoke(&words)
    };
    let ended = dispatch("devices/sound.jinja2", "out");
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let ended = dispatch("devices/broken.jinja2", "not");
    expect(&ended, 2, "", "devices/broken.jinja2:2");
}

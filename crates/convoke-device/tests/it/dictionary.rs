//! Documents in, typed configuration or findings out.

use std::time::Duration;

use convoke_device::Dictionary;
use convoke_device::dictionary::{CharacterDelays, Connection, UserCommand};
use convoke_job::Source;

/// A dictionary without findings.
#[track_caller]
pub(crate) fn read(text: &str) -> Dictionary {
    let (dictionary, findings) = Dictionary::read(&Source::new("device.yaml", text));
    assert_eq!(findings, [], "{text}");
    dictionary.unwrap()
}

#[test]
fn a_rendered_qemu_device() {
    let device = read(include_str!("../fixtures/two-node-server.yaml"));
    assert_eq!(device.hostname.as_deref(), Some("qemu-server"));
    assert_eq!(device.architectures, ["amd64", "x86_64"]);
    assert_eq!(device.environment, [("LAB".to_owned(), "loopback".to_owned())]);
    assert_eq!(device.constants.shell, "/bin/sh");
    assert_eq!(device.constants.results_dir, "/lava-%s");
    assert_eq!(device.constants.kernel_start.as_deref(), Some("Linux version [0-9]"));
    assert_eq!(device.constants.boot_retry, Some(1));
    assert_eq!(device.deploy.names(), ["image"]);
    assert_eq!(device.boot.names(), ["qemu"]);
    assert_eq!(device.boot.connections, ["serial"]);
    assert_eq!(device.document["constants"]["spawn_maxread"], "4092");
}

#[test]
fn a_rendered_ssh_device() {
    let device = read(include_str!("../fixtures/secondary-guest.yaml"));
    assert_eq!(device.deploy.method("ssh").unwrap()["port"], 14822);
    // A method without settings is there all the same.
    assert!(device.boot.method("ssh").unwrap().is_null());
    assert!(device.boot.method("qemu").is_none());
}

#[test]
fn a_board_with_everything() {
    let device = read(
        "commands:\n  connect: telnet rack 7001\n  hard_reset: [pdu off 3, pdu on 3]\n  power_on: pdu on 3\n  \
         power_off: pdu off 3\n  soft_reboot: reboot -n -f\n  connections:\n    uart1: {connect: telnet rack 7002, tags: [telnet]}\n  \
         users:\n    usb: {do: usb on, undo: usb off}\n\
         character_delays: {boot: 5, test: '10'}\n\
         environment: {A: 1, B: true, C: [x, y], D: {e: z}}\n\
         device_info: [{board_id: 1234}]\nstatic_info: null\n\
         timeouts:\n  actions: {bootloader-interrupt: {minutes: 1, seconds: 30}}\n  connections: {login-action: {hours: 1}}\n\
         constants: {kernel-start-message: ''}\n",
    );
    assert_eq!(device.commands.hard_reset, ["pdu off 3", "pdu on 3"]);
    assert_eq!(device.commands.power_on, ["pdu on 3"]);
    assert_eq!(device.commands.soft_reboot, ["reboot -n -f"]);
    let uart1 = Connection { name: "uart1".into(), connect: "telnet rack 7002".into(), tags: vec!["telnet".into()] };
    assert_eq!(device.commands.connections, [uart1]);
    let usb = UserCommand { name: "usb".into(), run: "usb on".into(), undo: Some("usb off".into()) };
    assert_eq!(device.commands.users, [usb]);
    let delays =
        CharacterDelays { boot: Duration::from_millis(5), test: Duration::from_millis(10), ..Default::default() };
    assert_eq!(device.character_delays, delays);
    let variables: Vec<String> = device.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(variables, ["A=1", "B=1", "C_0=x", "C_1=y", "D_e=z"]);
    let known = ("LAVA_DEVICE_INFO_0_board_id".to_owned(), "1234".to_owned());
    assert_eq!(device.information_variables(), [known]);
    assert_eq!(device.timeouts.actions, [("bootloader-interrupt".to_owned(), Duration::from_secs(90))]);
    assert_eq!(device.timeouts.connections, [("login-action".to_owned(), Duration::from_secs(3600))]);
    assert_eq!(device.constants.kernel_start.as_deref(), Some(""));
}

#[test]
fn every_fault_is_found_at_its_place() {
    let text = "commands: telnet\nconstants:\n  failure_retry: often\n  posix: 1\ncharacter_delays: {boot: -1}\n\
                environment: []\ntimeouts: {actions: {a: 60}}\nactions:\n  boot: {methods: qemu}\n  deploy: []\n";
    let source = Source::new("device.yaml", text);
    let (dictionary, findings) = Dictionary::read(&source);
    assert!(dictionary.is_none());
    let found: Vec<String> = findings
        .iter()
        .map(|finding| {
            let at = source.position(finding.labels[0].span.start);
            format!("{}:{} {}", at.line, at.column, finding.message)
        })
        .collect();
    insta::assert_snapshot!(found.join("\n"), @r#"
    1:11 `commands` is a mapping, not the string "telnet"
    3:18 `constants.failure_retry` is a whole number from 0, not the string "often"
    4:10 `constants.posix` is a mapping, not the integer 1
    5:26 `character_delays.boot` is a whole number from 0, not the integer -1
    6:14 `environment` is a mapping, not a list
    7:25 `timeouts.actions.a` is a mapping of units to whole numbers, such as `{minutes: 5}`, not the integer 60
    9:19 `actions.boot.methods` is a mapping, not the string "qemu"
    10:11 `actions.deploy` is a mapping, not a list
    "#);
    for text in ["", "3", "[]", "a: b: c"] {
        assert!(Dictionary::read(&Source::new("device.yaml", text)).0.is_none(), "{text}");
    }
}

//! Command lines of machines.

use convoke_device::qemu::{Image, Machine, Network, check_image_arg};
use serde_json::{Value, json};

use crate::dictionary::read;

fn built_in(context: Value) -> Machine {
    Machine::built_in(context.as_object().unwrap()).unwrap()
}

fn images() -> Vec<Image> {
    let image = |label: &str, arg: Option<&str>, path: &str| Image {
        label: label.into(),
        arg: arg.map(str::to_owned),
        path: path.into(),
    };
    vec![
        image("kernel", Some("-kernel {kernel} -append \"console=ttyS0 {not one}\""), "/a b/vmlinuz"),
        image("disk", Some("-drive file={disk},format=raw,if=virtio"), "/x,y/disk"),
        image("unused", None, "/unused"),
    ]
}

#[track_caller]
fn check(machine: &Machine, images: &[Image], expected: &[&str]) {
    let mut line = vec![machine.program.clone()];
    line.extend(machine.with_images(images).unwrap());
    assert_eq!(line, expected);
}

#[test]
fn the_options_of_a_dictionary_stand_as_they_are() {
    let machine = Machine::of_dictionary(&read(include_str!("../fixtures/two-node-server.yaml"))).unwrap();
    // It has `-net none`.
    assert_eq!(machine.network, Network::AsGiven);
    assert_eq!((machine.guest.size, machine.guest.interface.as_str()), (32, "ide"));
    let expected =
        "qemu-system-x86_64 -machine pc -accel tcg -nographic -no-reboot -net none -m 128 -monitor none -kernel";
    let mut expected: Vec<&str> = expected.split(' ').collect();
    expected.extend(["/a b/vmlinuz", "-append", "console=ttyS0 {not one}", "-drive"]);
    expected.extend(["file=/x,,y/disk,format=raw,if=virtio", "-snapshot"]);
    check(&machine, &images(), &expected);
}

#[test]
fn the_built_in_machine_follows_the_context() {
    let machine = built_in(json!({}));
    assert_eq!(machine.network, Network::Group { card: "virtio-net-pci".into() });
    let expected = "qemu-system-x86_64 -nodefaults -no-reboot -machine pc -m 512 -vga none -display none \
                    -chardev stdio,id=console,signal=off -serial chardev:console -snapshot";
    check(&machine, &[], &expected.split(' ').collect::<Vec<_>>());

    let machine = built_in(json!({
        "arch": "arm64", "machine": "virt,gic-version=3", "cpu": "max", "memory": 1024, "model": "e1000",
        "extra_options": ["-smp 2", "-append 'a b'"],
    }));
    assert_eq!(machine.network, Network::Group { card: "e1000".into() });
    let expected = "qemu-system-aarch64 -nodefaults -no-reboot -machine virt,gic-version=3 -cpu max -m 1024 -vga none \
                    -display none -chardev stdio,id=console,signal=off -serial chardev:console -smp 2 -append";
    let mut expected: Vec<&str> = expected.split(' ').collect();
    expected.extend(["a b", "-snapshot"]);
    check(&machine, &[], &expected);

    for alone in [json!({"netdevice": "none"}), json!({"netdevice": "user"}), json!({"no_network": true})] {
        assert_eq!(built_in(alone).network, Network::AsGiven);
    }
}

#[test]
fn what_cannot_be_is_refused_with_what_can() {
    let refused = |context: Value| Machine::built_in(context.as_object().unwrap()).unwrap_err();
    assert!(refused(json!({"arch": "sparc"})).help.contains("amd64"));
    assert!(refused(json!({"netdevice": "wlan"})).help.contains("tap"));
    assert!(refused(json!({"extra_options": "-append 'x"})).message.contains("single quote"));
    for text in ["hostname: a\n", "actions: {boot: {methods: {qemu: }}}\n"] {
        assert!(Machine::of_dictionary(&read(text)).unwrap_err().help.contains("command"), "{text}");
    }
}

#[test]
fn an_image_is_never_written() {
    for arg in ["-drive file={disk},snapshot=off", "-blockdev driver=file,filename={disk}"] {
        assert!(check_image_arg(arg, &["disk"]).unwrap_err().message.contains("write"), "{arg}");
    }
    assert!(check_image_arg("-drive file={dsik}", &["disk"]).unwrap_err().message.contains("{dsik}"));
    // A machine whose options say so already does not say it twice.
    let device = "actions: {boot: {methods: {qemu: {parameters: {command: q, options: [-snapshot]}}}}}\n";
    check(&Machine::of_dictionary(&read(device)).unwrap(), &[], &["q", "-snapshot"]);
}

//! Hardware virtualisation in the options of a QEMU machine: asked for, taken away, added; and the tiny guest that shows
//! whether it works.
//!
//! That `/dev/kvm` can be opened proves nothing: there are machines on which a guest then never runs. So it is used only where
//! the lab says so, and where the lab wants it proved, after a guest has run to its end.

/// Whether the options ask for KVM, if only as one of several accelerators.
pub fn asks_for_kvm(options: &[String]) -> bool {
    emulated(options) != options
}

/// The options for software emulation: without KVM, and without a processor that only KVM has.
pub fn emulated(options: &[String]) -> Vec<String> {
    let mut out = Vec::with_capacity(options.len());
    let mut words = options.iter();
    while let Some(word) = words.next() {
        match name_of(word) {
            Some("enable-kvm") => {}
            Some("accel") => match words.next() {
                Some(value) if first_of(value.trim_start_matches("accel=")) == "kvm" => {}
                value => out.extend([Some(word), value].into_iter().flatten().cloned()),
            },
            Some("machine" | "M") => {
                let value = words.next().map(|value| without_kvm(value)).unwrap_or_default();
                if !value.is_empty() {
                    out.extend([word.clone(), value]);
                }
            }
            Some("cpu") => {
                let value = words.next().cloned().unwrap_or_default();
                out.extend([word.clone(), if first_of(&value) == "host" { "max".into() } else { value }]);
            }
            _ => out.push(word.clone()),
        }
    }
    out
}

/// The options of a machine of the built-in type with KVM, where that can run it; as they are where the job chooses an
/// accelerator itself, or where this machine, whose `architecture` is Rust's word, is of another kind.
pub fn accelerated(program: &str, options: &[String], architecture: &str) -> Vec<String> {
    let mut out = options.to_vec();
    let chosen = options.iter().any(|word| name_of(word) == Some("accel")) || asks_for_kvm(options);
    if chosen || !is_native(program, architecture) {
        return out;
    }
    out.extend(["-accel".to_owned(), "kvm".to_owned()]);
    match out.iter().position(|word| name_of(word) == Some("cpu")) {
        None => out.extend(["-cpu".to_owned(), "host".to_owned()]),
        // What is emulated when the job does not say.
        Some(at) if out.get(at + 1).is_some_and(|value| value == "cortex-a57") => out[at + 1] = "host".into(),
        Some(_) => {}
    }
    out
}

/// A guest that ends at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Options of QEMU.
    pub options: Vec<String>,
    /// The file that they name.
    pub image: Vec<u8>,
    /// QEMU's exit status when the guest has run.
    pub status: i32,
}

/// A guest for this emulator that ends at once, with this accelerator; `image` is where its file will be. `None` when there is
/// none for it, or this machine is of another kind.
pub fn probe(program: &str, accelerator: &str, image: &str, architecture: &str) -> Option<Probe> {
    if architecture != "x86_64" || !is_native(program, architecture) {
        return None;
    }
    // A boot sector: the firmware has been through every mode of the processor when it gets there.
    let drive = format!("file={image},format=raw,if=floppy,readonly=on");
    let mut sector = vec![0; 1440 << 10];
    // mov dx, 0xf4; mov al, 0x10; out dx, al; hlt; jmp to hlt
    sector[..9].copy_from_slice(&[0xba, 0xf4, 0x00, 0xb0, 0x10, 0xee, 0xf4, 0xeb, 0xfd]);
    sector[510..512].copy_from_slice(&[0x55, 0xaa]);
    let cpu = if accelerator == "kvm" { "host" } else { "max" };
    let fixed = ["-nodefaults", "-no-reboot", "-display", "none", "-machine", "pc", "-m", "32", "-cpu", cpu];
    let own = ["-accel", accelerator, "-drive", &drive, "-device", "isa-debug-exit,iobase=0xf4,iosize=4"];
    let options = fixed.into_iter().chain(own).map(str::to_owned).collect();
    Some(Probe { options, image: sector, status: (0x10 << 1) | 1 })
}

/// Whether a program is one that starts QEMU with KVM by itself.
pub fn is_kvm_itself(program: &str) -> bool {
    matches!(program.rsplit('/').next(), Some("kvm" | "qemu-kvm"))
}

/// Whether this machine's processor can run what an emulator emulates.
fn is_native(program: &str, architecture: &str) -> bool {
    let name = program.rsplit('/').next().unwrap_or(program);
    match name.strip_prefix("qemu-system-") {
        Some("x86_64" | "i386") => architecture == "x86_64",
        Some("aarch64") => architecture == "aarch64",
        _ => false,
    }
}

/// The name of an option, which begins with one hyphen or two.
fn name_of(word: &str) -> Option<&str> {
    word.strip_prefix("--").or_else(|| word.strip_prefix('-'))
}

fn first_of(value: &str) -> &str {
    value.split(',').next().unwrap_or_default()
}

/// The value of `-machine` without KVM among its accelerators.
fn without_kvm(value: &str) -> String {
    let parts = value.split(',').filter_map(|part| match part.strip_prefix("accel=") {
        Some(list) => {
            let rest: Vec<&str> = list.split(':').filter(|accelerator| *accelerator != "kvm").collect();
            (!rest.is_empty()).then(|| format!("accel={}", rest.join(":")))
        }
        None => Some(part.to_owned()),
    });
    parts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[track_caller]
    fn check(options: &str, expected: &str) {
        assert_eq!(emulated(&words(options)).join(" "), expected);
        assert_eq!(asks_for_kvm(&words(options)), options != expected);
    }

    #[test]
    fn what_asks_for_kvm_is_taken_away() {
        check("-m 1 -enable-kvm -smp 2", "-m 1 -smp 2");
        check("-accel kvm,thread=multi -accel tcg", "-accel tcg");
        check("--accel accel=kvm -m 1", "-m 1");
        check("-machine q35,accel=kvm:tcg,usb=on", "-machine q35,accel=tcg,usb=on");
        check("-M accel=kvm -m 1", "-m 1");
        check("-cpu host,+x -m 1", "-cpu max -m 1");
        check("-machine pc -cpu qemu64 -accel tcg", "-machine pc -cpu qemu64 -accel tcg");
        check("-append kvm -name -enable", "-append kvm -name -enable");
    }

    #[test]
    fn kvm_is_added_where_the_job_has_not_chosen() {
        let added = |program: &str, options: &str| accelerated(program, &words(options), "x86_64").join(" ");
        assert_eq!(added("/usr/bin/qemu-system-x86_64", "-m 1"), "-m 1 -accel kvm -cpu host");
        assert_eq!(added("qemu-system-x86_64", "-cpu qemu64"), "-cpu qemu64 -accel kvm");
        assert_eq!(added("qemu-system-x86_64", "-accel tcg"), "-accel tcg");
        assert_eq!(added("qemu-system-aarch64", "-cpu cortex-a57"), "-cpu cortex-a57");
        let arm = accelerated("qemu-system-aarch64", &words("-cpu cortex-a57"), "aarch64");
        assert_eq!(arm.join(" "), "-cpu host -accel kvm");
    }
}

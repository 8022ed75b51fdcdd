//! The command line of a QEMU machine: the dictionary's options, or those of the built-in type made from the job's
//! `context`, then the images in the order of the job, then what the run adds (job-definition.md §7.1, §8).
//!
//! A dictionary that was rendered for the job has the context in it already; the context of a job is read only for the
//! built-in type. Images are never written: everything QEMU would write goes to a temporary file of its own
//! (`-snapshot`), and what would get around that is refused.

use serde_json::{Map, Value};

use crate::dictionary::Dictionary;
use crate::fault::Fault;
use crate::placeholder;
use crate::words;

/// A machine as the device and the job describe it, before anything is downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Name or path of the emulator.
    pub program: String,
    /// Its options in words.
    pub options: Vec<String>,
    /// Its network.
    pub network: Network,
    /// How the disk with the test overlay is attached, when no image takes the overlay.
    pub guest: GuestDisk,
}

/// The network of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// On the group's network, with a card of this model.
    Group {
        /// Model of the card, for `-device`.
        card: String,
    },
    /// As the options say; nothing is added.
    AsGiven,
}

/// `actions.deploy.methods.image.parameters.guest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestDisk {
    /// Size of the file system in MiB.
    pub size: u32,
    /// `ide`, `virtio`, …
    pub interface: String,
    /// Id of the drive.
    pub drive_id: String,
}

/// An image of a deploy block as its place in the command line needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its label in `images`.
    pub label: String,
    /// `image_arg`; an image without one is downloaded and not used.
    pub arg: Option<String>,
    /// Where QEMU finds it.
    pub path: String,
}

/// Architectures of the built-in type: names in jobs, emulator, options without which it does not start.
const ARCHITECTURES: &[(&[&str], &str, &[&str])] = &[
    (&["amd64", "x86_64"], "qemu-system-x86_64", &["-machine", "pc"]),
    (&["i386"], "qemu-system-i386", &["-machine", "pc"]),
    (&["arm64", "aarch64"], "qemu-system-aarch64", &["-machine", "virt", "-cpu", "cortex-a57"]),
    (&["arm", "armhf", "armv7"], "qemu-system-arm", &["-machine", "virt", "-cpu", "cortex-a15"]),
    (&["riscv64"], "qemu-system-riscv64", &["-machine", "virt"]),
];

/// Options that name a network.
const NETWORKS: [&str; 6] = ["-net", "-netdev", "-nic", "--net", "--netdev", "--nic"];

/// Memory of the built-in type in MiB, when the job does not say.
const MEMORY: u32 = 512;

impl Machine {
    /// The machine of a device with a dictionary.
    ///
    /// # Errors
    /// When the dictionary has no method `qemu`, no command, or options that are no words.
    pub fn of_dictionary(dictionary: &Dictionary) -> Result<Machine, Fault> {
        let lacks = |what: &str| {
            let help = "give the device `actions: {boot: {methods: {qemu: {parameters: {command: …, options: […]}}}}}`";
            Fault::new(format!("the device's configuration has no {what}"), help)
        };
        let method = dictionary.boot.method("qemu").ok_or_else(|| lacks("boot method qemu"))?;
        let parameters = method.get("parameters");
        let program = parameters.and_then(|parameters| parameters.get("command")).and_then(Value::as_str);
        let program = program.filter(|program| !program.trim().is_empty()).ok_or_else(|| lacks("command for QEMU"))?;
        // The command may come with options of its own.
        let mut options = words_of("the device's command", program)?;
        options
            .extend(options_of("the device's options", parameters.and_then(|parameters| parameters.get("options")))?);
        let program = options.remove(0);
        let network = match options.iter().any(|option| NETWORKS.contains(&option.as_str())) {
            true => Network::AsGiven,
            false => Network::Group { card: "virtio-net-pci".into() },
        };
        let guest = dictionary.deploy.method("image").or_else(|| dictionary.deploy.method("tmpfs"));
        let guest = guest.and_then(|method| method.pointer("/parameters/guest"));
        let text = |key: &str| guest.and_then(|guest| guest.get(key)).and_then(text_of);
        let interface = if program.ends_with("x86_64") || program.ends_with("i386") { "ide" } else { "virtio" };
        let guest = GuestDisk {
            size: text("size").and_then(|size| size.parse().ok()).unwrap_or(GuestDisk::SIZE),
            interface: text("interface").unwrap_or_else(|| interface.into()),
            drive_id: text("driveid").unwrap_or_else(|| GuestDisk::DRIVE.into()),
        };
        Ok(Machine { program, options, network, guest })
    }

    /// The machine of the built-in type, made from a job's `context`.
    ///
    /// # Errors
    /// When the context asks for something that there is not.
    pub fn built_in(context: &Map<String, Value>) -> Result<Machine, Fault> {
        let text = |key: &str| context.get(key).and_then(text_of);
        let arch = text("arch").unwrap_or_else(|| "amd64".into());
        let found = ARCHITECTURES.iter().find(|(names, ..)| names.contains(&arch.as_str()));
        let Some((_, program, base)) = found else {
            let known: Vec<&str> = ARCHITECTURES.iter().flat_map(|(names, ..)| names.iter().copied()).collect();
            return Err(Fault::new(
                format!("the built-in machines have no architecture {arch:?}"),
                format!("known: {}; for another one, list a device with a dictionary in a lab file", known.join(", ")),
            ));
        };
        let mut options: Vec<String> = vec!["-nodefaults".into(), "-no-reboot".into()];
        let mut set = |option: &str, value: &str| options.extend([option.to_owned(), value.to_owned()]);
        let given = |key: &str, option: &str| {
            let standing = base.iter().position(|known| *known == option).and_then(|at| base.get(at + 1));
            text(key).or_else(|| standing.map(ToString::to_string))
        };
        for (key, option) in [("machine", "-machine"), ("cpu", "-cpu")] {
            if let Some(value) = given(key, option) {
                set(option, &value);
            }
        }
        set("-m", &text("memory").unwrap_or_else(|| MEMORY.to_string()));
        set("-vga", &text("vga").map_or_else(|| "none".to_owned(), |vga| vga.trim_start_matches("-vga ").to_owned()));
        set("-display", "none");
        set("-chardev", "stdio,id=console,signal=off");
        set("-serial", "chardev:console");
        let network = match text("netdevice").as_deref() {
            _ if context.get("no_network").is_some_and(|value| *value == Value::Bool(true)) => Network::AsGiven,
            None | Some("tap") => Network::Group { card: card(text("model")) },
            Some("none") => Network::AsGiven,
            Some("user") => {
                set("-netdev", "user,id=net0");
                set("-device", &format!("{},netdev=net0", card(text("model"))));
                Network::AsGiven
            }
            Some(other) => {
                return Err(Fault::new(
                    format!("the built-in machines have no network device {other:?}"),
                    "known: tap (the group's network, also when nothing is said), user, none",
                ));
            }
        };
        options.extend(options_of("extra_options", context.get("extra_options"))?);
        let guest = GuestDisk {
            size: text("guestfs_size").and_then(|size| size.parse().ok()).unwrap_or(GuestDisk::SIZE),
            interface: text("guestfs_interface").unwrap_or_else(|| "virtio".into()),
            drive_id: text("guestfs_driveid").unwrap_or_else(|| GuestDisk::DRIVE.into()),
        };
        Ok(Machine { program: (*program).to_owned(), options, network, guest })
    }

    /// Whether its options name a network.
    pub fn has_network(&self) -> bool {
        let named = |(option, value): (&String, Option<&String>)| {
            NETWORKS.contains(&option.as_str()) && value.is_none_or(|value| value != "none")
        };
        self.network != Network::AsGiven || self.values().any(named)
    }

    /// Whether that network is QEMU's own, in which a program of the user's stands for everything else.
    pub fn has_user_network(&self) -> bool {
        let is_user = |value: &String| value == "user" || value.starts_with("user,");
        self.values().any(|(option, value)| NETWORKS.contains(&option.as_str()) && value.is_some_and(is_user))
    }

    /// Each option with what stands behind it.
    fn values(&self) -> impl Iterator<Item = (&String, Option<&String>)> {
        self.options.iter().enumerate().map(|(at, option)| (option, self.options.get(at + 1)))
    }

    /// The options with the images, each in the place its `image_arg` gives it, and nothing written to them.
    ///
    /// # Errors
    /// As [`check_image_arg`].
    pub fn with_images(&self, images: &[Image]) -> Result<Vec<String>, Fault> {
        let labels: Vec<&str> = images.iter().map(|image| image.label.as_str()).collect();
        let mut options = self.options.clone();
        for image in images {
            let Some(arg) = &image.arg else { continue };
            for word in check_image_arg(arg, &labels)? {
                options.push(filled(&word, images));
            }
        }
        if !options.iter().any(|option| option == "-snapshot") {
            options.push("-snapshot".into());
        }
        Ok(options)
    }
}

impl GuestDisk {
    const SIZE: u32 = 512;
    const DRIVE: &'static str = "lavatest";
}

/// The words of an `image_arg`.
///
/// # Errors
/// When it cannot be split, names an image that there is not, or would have QEMU write to the image.
pub fn check_image_arg(arg: &str, labels: &[&str]) -> Result<Vec<String>, Fault> {
    let words = words_of("image_arg", arg)?;
    for word in &words {
        for (_, name) in placeholder::find(word) {
            if !labels.contains(&name) {
                return Err(Fault::new(
                    format!("image_arg {arg:?} names {{{name}}}, and there is no image of that name"),
                    format!("images of this block: {}", labels.join(", ")),
                ));
            }
        }
        if word == "-blockdev" || word == "--blockdev" || word.contains("snapshot=off") {
            return Err(Fault::new(
                format!("image_arg {arg:?} would have QEMU write to the image itself"),
                "use `-drive file={NAME},…` without `snapshot=off`: what the machine writes is kept apart",
            ));
        }
    }
    Ok(words)
}

/// A word with its placeholders filled in. In `-drive file=…` a comma ends the value, unless it is doubled.
fn filled(word: &str, images: &[Image]) -> String {
    let path = |name: &str| {
        let image = images.iter().find(|image| image.label == name)?;
        let alone = name.len() + 2 == word.len();
        Some(if alone { image.path.clone() } else { image.path.replace(',', ",,") })
    };
    // Every name is known: the words were checked.
    placeholder::replaced(word, path).unwrap_or_else(|_| word.to_owned())
}

fn card(model: Option<String>) -> String {
    match model.as_deref() {
        None | Some("virtio") => "virtio-net-pci".into(),
        Some(model) => model.to_owned(),
    }
}

fn options_of(what: &str, value: Option<&Value>) -> Result<Vec<String>, Fault> {
    let texts: Vec<String> = match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.iter().filter_map(text_of).collect(),
        Some(other) => text_of(other).into_iter().collect(),
    };
    let mut options = Vec::new();
    for text in &texts {
        options.extend(words_of(what, text)?);
    }
    Ok(options)
}

fn words_of(what: &str, text: &str) -> Result<Vec<String>, Fault> {
    words::split(text).map_err(|error| Fault::new(format!("{what}: {error}"), "quote it as for a shell"))
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

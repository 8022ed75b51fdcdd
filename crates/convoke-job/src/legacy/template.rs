//! How a device type deploys a disk image and boots: what the 2014 format took from the lab's own configuration.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Templates by device type.
pub type LegacyMap = BTreeMap<String, Template>;

/// The prompts V1 knew when nobody told it others.
pub(crate) const PROMPTS: [&str; 2] = [r"root@.*[#$] ?$", r"\(initramfs\)"];

/// Deploy and boot of one device type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template {
    /// Keys of the deploy block, `to` among them.
    pub deploy: Map<String, Value>,
    /// Name of the disk image under `images`; `None` for methods that take one `image` (`usb`, `sata`, `sd`) or none.
    pub image: Option<String>,
    /// `image_arg` of the disk image.
    pub image_arg: Option<String>,
    /// Keys of the boot block, `method` among them. `prompts` are added where they are missing.
    pub boot: Map<String, Value>,
}

impl Template {
    pub(crate) fn new(deploy: &Value, image: Option<&str>, boot: &Value) -> Self {
        let map = |value: &Value| value.as_object().cloned().unwrap_or_default();
        Template { deploy: map(deploy), image: image.map(str::to_owned), image_arg: None, boot: map(boot) }
    }

    /// `deploy.to`.
    pub(crate) fn to(&self) -> &str {
        self.deploy.get("to").and_then(Value::as_str).unwrap_or_default()
    }

    /// What is known about `device_type` without a lab file.
    pub(crate) fn built_in(device_type: &str) -> Option<Self> {
        if device_type == "sandbox" {
            return Some(Self::new(&json!({"to": "sandbox"}), None, &json!({"method": "sandbox"})));
        }
        if !is_emulator(device_type) {
            return None;
        }
        let boot = json!({"method": "qemu", "media": "tmpfs"});
        let mut qemu = Self::new(&json!({"to": "tmpfs"}), Some("rootfs"), &boot);
        qemu.image_arg = Some("-drive format=raw,file={rootfs}".to_owned());
        Some(qemu)
    }

    /// What stands for a deploy that a rehearsal replaces anyway.
    pub(crate) fn neutral() -> Self {
        Self::new(&json!({"to": "overlay"}), None, &json!({"method": "minimal"}))
    }
}

/// `qemu`, `kvm` and their variants such as `qemu-aarch64` or `kvm-arm`.
pub(crate) fn is_emulator(device_type: &str) -> bool {
    ["qemu", "kvm"]
        .iter()
        .any(|name| device_type.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_'])))
}

/// The `arch` a qemu boot needs, by the variant's name.
pub(crate) fn architecture(device_type: &str) -> &'static str {
    let variant = device_type.split(['-', '_']).nth(1).unwrap_or_default();
    match variant {
        "aarch64" | "arm64" => "arm64",
        "arm" | "armhf" => "arm",
        "i386" => "i386",
        _ => "amd64",
    }
}

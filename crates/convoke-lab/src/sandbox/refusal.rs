//! What to say where the kernel refuses: one line that names the setting.

use std::io;

use convoke_children::StageFailure;
use rustix::io::Errno;

fn setting(path: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/sys/{path}")).ok().map(|text| text.trim().to_owned())
}

/// Whether AppArmor takes the powers of an ordinary user's namespace away.
fn apparmor_restricts() -> bool {
    setting("kernel/apparmor_restrict_unprivileged_userns").is_some_and(|value| value != "0")
}

const APPARMOR: &str = "AppArmor restricts user namespaces of ordinary users on this machine: set \
                        kernel.apparmor_restrict_unprivileged_userns=0 with sysctl, or run as root";

/// The user namespace is refused.
pub(crate) fn user_namespace(error: Errno) -> StageFailure {
    let zero = |path| setting(path).as_deref() == Some("0");
    let reason = if zero("kernel/unprivileged_userns_clone") {
        "set kernel.unprivileged_userns_clone=1 with sysctl, or run as root".to_owned()
    } else if error == Errno::NOSPC || zero("user/max_user_namespaces") {
        "the limit is reached: raise user.max_user_namespaces with sysctl".to_owned()
    } else if error == Errno::INVAL {
        "this kernel is built without CONFIG_USER_NS".to_owned()
    } else if apparmor_restricts() {
        APPARMOR.to_owned()
    } else if matches!(error, Errno::PERM | Errno::NOSYS) {
        "a seccomp filter or a chroot forbids it; in a container, start that with --security-opt seccomp=unconfined \
         (and --security-opt apparmor=unconfined)"
            .to_owned()
    } else {
        io::Error::from(error).to_string()
    };
    StageFailure::new(format!("sandboxes need a user namespace, which this kernel refuses: {reason}"))
}

/// Mapping the ids of the user namespace is refused.
pub(crate) fn id_map(error: &io::Error) -> StageFailure {
    let reason = if apparmor_restricts() { APPARMOR.to_owned() } else { error.to_string() };
    StageFailure::new(format!("cannot map the user's id into the sandboxes' user namespace: {reason}"))
}

/// Other namespaces are refused.
pub(crate) fn namespaces(error: Errno) -> StageFailure {
    let reason = match error {
        Errno::NOSPC => "a limit is reached: raise user.max_mnt_namespaces, user.max_net_namespaces, \
                         user.max_pid_namespaces, user.max_uts_namespaces and user.max_ipc_namespaces with sysctl"
            .to_owned(),
        Errno::PERM | Errno::ACCESS if apparmor_restricts() => APPARMOR.to_owned(),
        Errno::PERM => "the privilege CAP_SYS_ADMIN is missing; in a container, start that with \
                        --security-opt seccomp=unconfined"
            .to_owned(),
        Errno::INVAL => {
            "this kernel lacks one of CONFIG_NET_NS, CONFIG_PID_NS, CONFIG_UTS_NS, CONFIG_IPC_NS".to_owned()
        }
        other => io::Error::from(other).to_string(),
    };
    StageFailure::new(format!(
        "sandboxes need mount, network, PID, UTS and IPC namespaces, which this kernel refuses: {reason}"
    ))
}

/// A mount is refused.
pub(crate) fn mount(what: &str, error: Errno) -> StageFailure {
    let reason = match (what, error) {
        (_, Errno::PERM | Errno::ACCESS) if apparmor_restricts() => APPARMOR.to_owned(),
        ("overlay", Errno::NODEV) => "the overlay file system is missing: load the module `overlay`".to_owned(),
        ("overlay", Errno::PERM) => {
            "overlays in a user namespace need Linux 5.11 or newer: run as root on this kernel".to_owned()
        }
        ("proc", Errno::PERM) => {
            "parts of this machine's /proc are masked, as containers do: start the container with \
                                  --security-opt systempaths=unconfined"
                .to_owned()
        }
        (_, other) => io::Error::from(other).to_string(),
    };
    StageFailure::new(format!("sandboxes need to mount {what}, which this kernel refuses: {reason}"))
}

/// A network interface is refused.
pub(crate) fn interface(what: &str, error: &io::Error) -> StageFailure {
    let reason = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::OPNOTSUPP) => format!("this kernel lacks it: load the module `{what}`"),
        _ => error.to_string(),
    };
    StageFailure::new(format!("sandboxes need a network interface of kind {what}, which this kernel refuses: {reason}"))
}

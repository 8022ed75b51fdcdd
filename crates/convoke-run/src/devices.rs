//! The devices of a plan, made but not yet booted: first those of their own, then the guests on them.

use std::sync::Arc;

use convoke_dispatcher::device::{Device, DeviceInfo};
use convoke_dispatcher::error::{ActionError, ErrorClass};
use convoke_lab::board::BoardDevice;
use convoke_lab::qemu::{Acceleration, QemuDevice};
use convoke_lab::sandbox::{Ground, SandboxDevice};
use convoke_lab::ssh::{KeyPair, SshDevice};

use crate::kept::{Keepable, Shelf};
use crate::plan::{Plan, PlannedDevice};

/// A device of its own. A sandbox is still known as one, because its guests are made from it; so is a machine, because it
/// may be kept.
enum Made {
    Sandbox(Box<SandboxDevice>),
    Machine(Box<QemuDevice>),
    Other(Box<dyn Device>),
}

impl Made {
    fn info(&self) -> &DeviceInfo {
        match self {
            Made::Sandbox(device) => device.info(),
            Made::Machine(device) => device.info(),
            Made::Other(device) => device.info(),
        }
    }
}

/// A member's device.
pub(crate) struct MemberDevice {
    /// The device.
    pub(crate) device: Box<dyn Device>,
    /// Another shell on it, beside its console, where that is possible and asked for.
    pub(crate) another: Option<Box<dyn Device>>,
}

/// A device for every member of `plan`, in its order. `ground` is there when the plan asks for one. `enter` asks for other
/// shells.
pub(crate) fn make(
    plan: &Plan,
    ground: Option<&Arc<Ground>>,
    logins: &Logins,
    kept: &Shelf,
    enter: bool,
) -> Result<Vec<MemberDevice>, ActionError> {
    let acceleration = Arc::new(Acceleration::default());
    let own = plan.members.iter().map(|member| own(&member.device, ground, &acceleration));
    let made: Vec<Option<Made>> = own.collect::<Result<_, _>>()?;
    // Guests are made while their hosts' devices are still at hand.
    let guests: Vec<_> = plan.members.iter().map(|member| guest(plan, &member.device, &made, ground, logins)).collect();
    let others: Vec<_> = plan.members.iter().enumerate().map(|(at, m)| another(&m.device, at, &made, enter)).collect();
    let devices = plan.members.iter().zip(others).zip(made.into_iter().zip(guests));
    devices
        .map(|((member, another), (made, guest))| {
            let device = match (made, guest) {
                (Some(Made::Sandbox(sandbox)), _) => kept.wrap(&member.label, Keepable::Sandbox(sandbox)),
                (Some(Made::Machine(machine)), _) => kept.wrap(&member.label, Keepable::Machine(machine)),
                (Some(Made::Other(device)), _) | (None, Some(device)) => device,
                (None, None) => {
                    return Err(ActionError::new(ErrorClass::Bug, "a member was planned without a device"));
                }
            };
            Ok(MemberDevice { device, another })
        })
        .collect()
}

/// Another shell on a member's device. A guest that logs in does so where a request of its job says, so there is no other
/// way in than its own.
fn another(device: &PlannedDevice, index: usize, made: &[Option<Made>], enter: bool) -> Option<Box<dyn Device>> {
    let shell = "another-shell".to_owned();
    match device {
        _ if !enter => None,
        PlannedDevice::Sandbox(_) | PlannedDevice::Guest { .. } => {
            match made[device.host().unwrap_or(index)].as_ref()? {
                Made::Sandbox(sandbox) => Some(Box::new(sandbox.guest(shell))),
                Made::Machine(_) | Made::Other(_) => None,
            }
        }
        PlannedDevice::Ssh(spec, target) => Some(Box::new(SshDevice::primary((**spec).clone(), (**target).clone()))),
        PlannedDevice::Qemu(..) | PlannedDevice::Board(_) | PlannedDevice::Login { .. } => None,
    }
}

/// A device of its own; `None` for a guest.
fn own(
    device: &PlannedDevice,
    ground: Option<&Arc<Ground>>,
    acceleration: &Arc<Acceleration>,
) -> Result<Option<Made>, ActionError> {
    Ok(Some(match device {
        PlannedDevice::Sandbox(spec) => match ground {
            Some(ground) => Made::Sandbox(Box::new(ground.sandbox(spec.clone())?)),
            None => return Ok(None),
        },
        PlannedDevice::Qemu(spec, machine) => {
            let (spec, machine) = ((**spec).clone(), (**machine).clone());
            Made::Machine(Box::new(QemuDevice::new(spec, machine, ground.cloned(), Arc::clone(acceleration))?))
        }
        PlannedDevice::Ssh(spec, target) => {
            Made::Other(Box::new(SshDevice::primary((**spec).clone(), (**target).clone())))
        }
        PlannedDevice::Board(spec) => Made::Other(Box::new(BoardDevice::new((**spec).clone()))),
        PlannedDevice::Login { .. } | PlannedDevice::Guest { .. } => return Ok(None),
    }))
}

/// A guest on another member's device; `None` for a device of its own.
fn guest(
    plan: &Plan,
    device: &PlannedDevice,
    made: &[Option<Made>],
    ground: Option<&Arc<Ground>>,
    logins: &Logins,
) -> Option<Box<dyn Device>> {
    let host_index = device.host()?;
    let host = made[host_index].as_ref()?;
    match (device, host) {
        (PlannedDevice::Guest { name, .. }, Made::Sandbox(host)) => Some(Box::new(host.guest(name.clone()))),
        (PlannedDevice::Login { name, target, .. }, host) => {
            let ground = ground.filter(|_| plan.members[host_index].device.is_on_ground()).cloned();
            let key = logins.pair.clone()?;
            Some(Box::new(SshDevice::guest(name.clone(), host.info(), (**target).clone(), ground, key)))
        }
        _ => None,
    }
}

/// With what guests log in.
pub(crate) struct Logins {
    /// The group's own key pair; `None` when it has no guests that log in.
    pair: Option<Arc<KeyPair>>,
    /// For each member the public key that its device takes.
    pub(crate) authorized: Vec<Option<String>>,
}

impl Logins {
    pub(crate) fn of(plan: &Plan) -> Result<Logins, ActionError> {
        let mut authorized = vec![None; plan.members.len()];
        let mut pair = None;
        for member in &plan.members {
            let PlannedDevice::Login { host, target, .. } = &member.device else { continue };
            if pair.is_none() {
                pair = Some(Arc::new(KeyPair::generate(&format!("convoke-{}", plan.group))?));
            }
            let named = target.public_key().map_err(|refusal| {
                ActionError::new(ErrorClass::Configuration, format!("{}: {}", refusal.message, refusal.help))
            })?;
            authorized[*host] = named.or_else(|| pair.as_ref().map(|pair| pair.public().to_owned()));
        }
        Ok(Logins { pair, authorized })
    }
}

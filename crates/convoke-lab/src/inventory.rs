//! Whether the lab has what a job asks for: the rules of job-definition.md §11.2 that need an inventory (26 to 32).
//!
//! A finding points at the words of the job that cannot be met: the type, the tag, the device, or the counts of all the
//! roles that together ask for too much. Devices that are busy or Bad count: the job is refused only when waiting for them
//! would not help.

use convoke_job::job::{self, JobKind, RoleKind, Spanned};
use convoke_job::member::Place;
use convoke_job::{Diagnostic, Job, Span};
use convoke_schedule::{Shortage, ShortageKind, Wanted, check};

use crate::config::{Lab, LabDevice, QEMU, SANDBOX};
use crate::driver::{Refused, driver};

/// Every reason why `lab` can never serve `job`, in the order of the document; empty when it can.
pub fn check_inventory(job: &Job, lab: &Lab) -> Vec<Diagnostic> {
    let wanted = wanted(job);
    let found = check(&wanted, &lab.inventory());
    let mut diagnostics: Vec<Diagnostic> = found.iter().map(|shortage| diagnostic(shortage, job, lab)).collect();
    if diagnostics.is_empty() {
        diagnostics.extend(refusals(job, lab));
    }
    diagnostics.sort_by_key(|finding| finding.labels.first().map(|label| label.span));
    diagnostics
}

/// What the job asks for that no device of the lab that it may get can do: one finding a role.
fn refusals(job: &Job, lab: &Lab) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for member in job.split("check", 1) {
        let role = member.role().map(ToString::to_string).unwrap_or_default();
        if seen.contains(&role) {
            continue;
        }
        seen.push(role.clone());
        let Place::Device { device_type, device, tags, .. } = &member.place else {
            if let Err(refused) = crate::driver::guest(None, &member) {
                found.push(refusal_of(job, &role, None, refused));
            }
            continue;
        };
        let fits = |known: &&LabDevice| {
            known.health.exists()
                && known.device_type == *device_type
                && device.as_ref().is_none_or(|name| known.name == *name)
                && tags.iter().all(|tag| known.tags.contains(tag))
        };
        let mut refused = None;
        // A device that the lab only counts, without a word on how to drive it, says nothing of what it can do.
        let known = |device: &&LabDevice| {
            let described = device.dictionary.is_some() || device.template.is_some();
            described || [SANDBOX, QEMU].contains(&device_type.as_str())
        };
        let listed = lab.devices.iter().filter(fits).filter(known);
        let candidates: Vec<_> = listed.map(Some).chain(lab.makes(device_type).then_some(None)).collect();
        for device in candidates {
            let name = device.map(|device| &device.name);
            let configuration = device.map_or(Ok(None), |device| device.configuration(&member.context));
            let configuration = configuration.map_err(|refusal| Refused { block: None, refusal });
            match configuration.and_then(|own| driver(device_type.as_str(), own.as_deref(), &member)) {
                Ok(_) => {
                    refused = None;
                    break;
                }
                Err(why) => refused = refused.or(Some((name, why))),
            }
        }
        let Some((name, refused)) = refused else { continue };
        found.push(refusal_of(job, &role, name, refused));
    }
    found
}

fn refusal_of(job: &Job, role: &str, device: Option<&convoke_job::DeviceName>, refused: Refused) -> Diagnostic {
    let Refused { block, refusal } = refused;
    let mut mine = job
        .actions
        .iter()
        .filter(|action| action.roles.is_empty() || action.roles.iter().any(|known| known.as_str() == role));
    let place = block.and_then(|index| mine.nth(index)).map(|action| (action.path.clone(), action.span));
    let (path, span) = place.or_else(|| type_of(job, role)).unwrap_or_default();
    let who = device.map(|name| format!("device {name}: ")).unwrap_or_default();
    let finding = Diagnostic::error("device.refused", path, span, format!("{who}{}", refusal.message));
    finding.help(refusal.help)
}

/// Path and place of the device type of a role.
fn type_of(job: &Job, role: &str) -> Option<(String, Span)> {
    match &job.kind {
        JobKind::Single(need) => Some(("device_type".to_owned(), need.device_type.span)),
        JobKind::Group(group) => group.roles.iter().find_map(|known| match &known.kind {
            RoleKind::Device(need) if known.name.value.as_str() == role => {
                Some((format!("roles.{role}.device_type"), need.device_type.span))
            }
            _ => None,
        }),
    }
}

/// What every member that needs a device asks for. [`Wanted::member`] is its number in splitting order; guests are left
/// out but counted.
pub fn wanted(job: &Job) -> Vec<Wanted> {
    let group = match &job.kind {
        JobKind::Single(need) => return vec![need_of(need, 0, None)],
        JobKind::Group(group) => group,
    };
    let mut found = Vec::new();
    let mut member = 0;
    for role in &group.roles {
        let count = role.count.value;
        if let RoleKind::Device(need) = &role.kind {
            found.extend((0..count).map(|place| need_of(need, member + place, Some(role.name.value.as_str()))));
        }
        member += count;
    }
    found
}

fn need_of(need: &job::Wanted, member: u32, role: Option<&str>) -> Wanted {
    Wanted {
        member,
        role: role.map(str::to_owned),
        device_type: need.device_type.value.to_string(),
        tags: need.tags.iter().map(|tag| tag.value.to_string()).collect(),
        device: need.device.as_ref().map(|device| device.value.to_string()),
        worker: need.worker.as_ref().map(|worker| worker.value.clone()),
    }
}

fn diagnostic(shortage: &Shortage, job: &Job, lab: &Lab) -> Diagnostic {
    let places = places(shortage, job);
    let (path, span, _) = places.first().cloned().unwrap_or_default();
    let mut finding = Diagnostic::error(shortage.kind.code(), path, span, shortage.message.clone());
    if let Some(help) = &shortage.help {
        // Whoever has no lab file is told what one is for.
        let bare = shortage.kind == ShortageKind::Type && lab.devices.is_empty();
        let more = if bare { "; list devices in a lab file, or rehearse the job on sandboxes" } else { "" };
        finding = finding.help(format!("{help}{more}"));
    }
    for (place, (_, span, text)) in places.into_iter().enumerate() {
        finding = if place == 0 { finding.at(text) } else { finding.also(span, text) };
    }
    finding
}

/// Path, place and a few words for everything in the job that a shortage is about.
fn places(shortage: &Shortage, job: &Job) -> Vec<(String, Span, String)> {
    let group = match &job.kind {
        JobKind::Single(need) => {
            let (key, span) = place(shortage, need).unwrap_or(("device_type", need.device_type.span));
            return vec![(key.to_owned(), span, String::new())];
        }
        JobKind::Group(group) => group,
    };
    let named = group.roles.iter().filter(|role| shortage.roles.iter().any(|name| *name == role.name.value.as_str()));
    named
        .filter_map(|role| {
            let RoleKind::Device(need) = &role.kind else { return None };
            let path = format!("roles.{}", role.name.value);
            Some(match place(shortage, need) {
                Some((key, span)) => (format!("{path}.{key}"), span, String::new()),
                None => {
                    let text = format!("{} of type {}", role.count.value, need.device_type.value);
                    (format!("{path}.count"), role.count.span, text)
                }
            })
        })
        .collect()
}

/// The key at fault, where it is one; shortages of numbers have none.
fn place(shortage: &Shortage, need: &job::Wanted) -> Option<(&'static str, Span)> {
    let subject = shortage.subject.as_deref()?;
    match shortage.kind {
        ShortageKind::Type => Some(("device_type", need.device_type.span)),
        ShortageKind::Tag => {
            let tag = need.tags.iter().find(|tag| tag.value.as_str() == subject)?;
            Some(("tags", tag.span))
        }
        ShortageKind::Device => {
            let worker = need.worker.as_ref().filter(|worker| worker.value == subject);
            let device = need.device.as_ref().filter(|device| device.value.as_str() == subject);
            let device = device.map(|Spanned { span, .. }| ("device", *span));
            device.or(worker.map(|worker| ("worker", worker.span)))
        }
        _ => None,
    }
}

//! From a checked job to its flow.
//!
//! The members of a role run the same definition, so each role is read once; a programme that depends on the member
//! itself is read again for each of them.

mod blocks;
mod checkout;
mod interactive;
mod naming;
mod own;
mod places;
mod scalar;
mod tests_block;

use std::sync::Arc;

use convoke_job::job::{JobKind, Role, RoleKind};
use convoke_job::{Job, MemberJob, Source, SubId};

use crate::follow::Naming;
use crate::model::{Flow, Member};
use crate::repositories::Repositories;
use places::Document;
pub(crate) use scalar::ByteMap;

/// Reads the flow of a job.
///
/// `source` is the document the job was read from; a job of the first generation is read from its converted text.
/// `repositories` are those at hand; a definition from any other is one opaque step. Nothing fails: what cannot be told
/// stands in the flow with its reason.
pub fn read(job: &Job, source: &Source, repositories: &Repositories) -> Flow {
    let document = Document::new(source);
    let mut texts = vec![source.clone()];
    let mut members = Vec::with_capacity(job.size() as usize);
    let firsts = job.first_of_each_role();
    match &job.kind {
        JobKind::Single(_) => {
            let steps = firsts.first().map(|first| blocks::single(job, first, &document)).unwrap_or_default();
            let role = convoke_group::RoleName::new("");
            members.push(Member { sub_id: SubId(0), role, number: 1, of: 1, host: None, steps: steps.into() });
        }
        JobKind::Group(group) => {
            let mut scene = blocks::Scene {
                job,
                document: &document,
                repositories,
                texts: &mut texts,
                loaded: checkout::LoadedFiles::default(),
            };
            let mut naming = naming::of(group);
            for role in &group.roles {
                let Some(first) = firsts.iter().find(|first| first.role() == Some(&role.name.value)) else { continue };
                of_role(role, first, &mut scene, &mut naming, &mut members);
            }
            hosts(group.roles.as_slice(), &mut members);
        }
    }
    Flow { texts, members, limit: job.timeouts.job }
}

/// A larger role is not read member by member: what depends on the member is unknown, then.
const MOST_OWN: u32 = 100;

fn of_role(
    role: &Role,
    first: &MemberJob,
    scene: &mut blocks::Scene<'_>,
    naming: &mut Naming,
    members: &mut Vec<Member>,
) {
    let of = role.count.value;
    // What can be told without a member's own name holds for each of them; with it, only where there is a trace of it.
    naming.own = members.len();
    naming.is_anyone = true;
    let programme = scene.programme(role, first, naming);
    naming.is_anyone = false;
    let is_shared = !own::depends(&programme.steps) || of > MOST_OWN;
    let mut shared: Option<Arc<[_]>> = is_shared.then(|| programme.steps.into());
    for number in 1..=of {
        let steps = match &shared {
            Some(steps) => Arc::clone(steps),
            None => {
                naming.own = members.len();
                let programme = scene.programme(role, first, naming);
                // What depends on the member may come to the same for all of them.
                let steps: Arc<[_]> = match members.last().filter(|_| number > 1) {
                    Some(before) if *before.steps == *programme.steps => Arc::clone(&before.steps),
                    _ => programme.steps.into(),
                };
                if !programme.is_own {
                    shared = Some(Arc::clone(&steps));
                }
                steps
            }
        };
        members.push(Member {
            sub_id: SubId(first.sub_id.0 + number - 1),
            role: convoke_group::RoleName::new(role.name.value.as_str()),
            number,
            of,
            host: None,
            steps,
        });
    }
}

/// A guest's host is the only member of its host role.
fn hosts(roles: &[Role], members: &mut [Member]) {
    for role in roles {
        let RoleKind::Guest { host_role } = &role.kind else { continue };
        let host = members.iter().position(|member| member.role.as_str() == host_role.value.as_str());
        for guest in members.iter_mut().filter(|member| member.role.as_str() == role.name.value.as_str()) {
            guest.host = host;
        }
    }
}

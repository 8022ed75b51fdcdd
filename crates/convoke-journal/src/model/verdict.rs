//! What a run comes to: verdict, first failure with its consequences, exit status.
//!
//! The first failure is the earliest one that no other member caused; the others that failed are its consequences when
//! they say so, else failures of their own. A recorded end ([`Body::RunEnded`](crate::Body::RunEnded)) is taken as it is.

use super::RunModel;
use crate::event::{ErrorClass, Failure, Health};

/// Why a group failed.
#[derive(Clone, Debug, PartialEq)]
pub struct FirstFailure {
    /// `sub_id` of the member.
    pub member: u32,
    /// What happened.
    pub failure: Failure,
    /// When, nanoseconds since the run started.
    pub at_ns: Option<u64>,
    /// Members that failed because of it: `sub_id` and failure, in order of time.
    pub consequences: Vec<(u32, Failure)>,
    /// Members that failed for a reason of their own, later.
    pub others: Vec<(u32, Failure)>,
}

/// Reason of a member that was cancelled because an essential one failed (job-definition.md §16).
const ESSENTIAL: &str = "essential-failed";

fn caused(failure: &Failure) -> bool {
    failure.consequence || failure.reason.as_deref() == Some(ESSENTIAL)
}

impl RunModel {
    /// The first failure, if any member failed.
    pub fn first_failure(&self) -> Option<FirstFailure> {
        let mut failed: Vec<(u64, u32, &Failure)> = self
            .members
            .iter()
            .filter_map(|member| {
                let failure = member.failure.as_ref()?;
                Some((member.failed_ns.unwrap_or(u64::MAX), member.info.sub_id, failure))
            })
            .collect();
        failed.sort_by_key(|(at, member, _)| (*at, *member));
        let recorded = self.ended.as_ref().and_then(|ended| ended.first_failure.clone());
        let (member, failure) = match recorded {
            Some(recorded) => recorded,
            None => {
                let first = failed.iter().find(|(_, _, failure)| !caused(failure)).or(failed.first())?;
                (first.1, first.2.clone())
            }
        };
        let at_ns = failed.iter().find(|(_, id, _)| *id == member).map(|(at, _, _)| *at);
        let rest = failed.into_iter().filter(|(_, id, _)| *id != member);
        let (consequences, others): (Vec<_>, Vec<_>) =
            rest.map(|(_, id, failure)| (id, failure.clone())).partition(|(_, failure)| caused(failure));
        Some(FirstFailure { member, failure, at_ns, consequences, others })
    }

    /// The group's verdict (job-definition.md §15); `None` while a member has none.
    pub fn health(&self) -> Option<Health> {
        if let Some(ended) = &self.ended {
            return Some(ended.health);
        }
        let all: Vec<Health> = self.members.iter().map(|member| member.health).collect::<Option<_>>()?;
        Some(if self.canceled_by_user() {
            Health::Canceled
        } else if all.iter().all(|health| *health == Health::Complete) {
            Health::Complete
        } else {
            Health::Incomplete
        })
    }

    fn canceled_by_user(&self) -> bool {
        self.members
            .iter()
            .any(|member| member.health == Some(Health::Canceled) && !member.failure.as_ref().is_some_and(caused))
    }

    /// The exit status of the command. Of several reasons the first of this list counts: 4 a bug (also a member
    /// without verdict), 130 cancelled by the user, 3 the lab failed, 2 the job or the lab file is wrong, 1 a test case
    /// failed or a test error or a limit ended a member, 0. What is only a consequence of another member's failure does
    /// not count.
    pub fn exit_status(&self) -> i32 {
        if let Some(ended) = &self.ended {
            return ended.exit_status;
        }
        let classes = self.members.iter().filter_map(|member| {
            let failure = member.failure.as_ref();
            match member.health {
                Some(Health::Complete) => None,
                Some(Health::Canceled) if failure.is_some_and(caused) => None,
                Some(Health::Canceled) => Some(ErrorClass::Canceled),
                Some(Health::Incomplete) if failure.is_some_and(caused) => None,
                Some(Health::Incomplete) => Some(failure.map_or(ErrorClass::Bug, |failure| failure.class)),
                None => Some(ErrorClass::Bug),
            }
        });
        let mut status: Vec<i32> = classes.map(exit_status).collect();
        let incomplete = self.members.iter().any(|member| member.health != Some(Health::Complete));
        if incomplete && status.is_empty() {
            // Every failure claims to be a consequence; the earliest one decides.
            status.extend(self.first_failure().map(|first| exit_status(first.failure.class)));
        }
        if self.members.iter().flat_map(|member| &member.results).any(super::CaseResult::fails) {
            status.push(1);
        }
        [4, 130, 3, 2, 1].into_iter().find(|wanted| status.contains(wanted)).unwrap_or(0)
    }
}

/// The exit status that goes with a class of error (job-definition.md §16).
pub fn exit_status(class: ErrorClass) -> i32 {
    match class {
        ErrorClass::Test | ErrorClass::LAVATimeout | ErrorClass::MultinodeTimeout => 1,
        ErrorClass::Job | ErrorClass::Configuration => 2,
        ErrorClass::Infrastructure => 3,
        ErrorClass::Bug => 4,
        ErrorClass::Canceled => 130,
    }
}

//! One group, from checked job to results: allocation, members, cancelling, verdict.
//!
//! ```text
//!  Job + Lab ──► plan ──► Plan ──► execute ──► Outcome
//!               no side effects      │
//!                                    ├─ ground and devices (convoke-lab)
//!                                    ├─ the group's task (convoke-coordinator) ──► observer ──► journal
//!                                    └─ a task a member (convoke-dispatcher)   ──► supervisor: essential, host gone, cancel
//! ```
//!
//! One member of a group whose others run elsewhere is a run of its own: its plan has one member, and its client speaks to
//! the group's coordinator ([`execute_member`]).
//!
//! Invariant: when [`execute()`] returns, every member has ended and so has every process of the run. Dropping its future
//! ends them too, without their last words.

mod casting;
mod devices;
mod execute;
mod facts;
mod folder;
mod happened;
mod kept;
mod observer;
mod plan;
mod played;
mod replay;
mod report;
mod repositories;
mod script;
mod stops;
mod supervise;
mod verdict;

pub use execute::{Outcome, RunError, RunOptions, execute, execute_member};
pub use folder::{FolderError, RunFolder};
pub use happened::{Happened, happened};
pub use kept::Shelf;
pub use plan::{NoPlan, Plan, PlannedDevice, PlannedMember, PlayedMember, plan, plan_member};
pub use played::{Ask, Play};
pub use replay::{NoReplay, Replay};
pub use report::{REPORT, render};
pub use repositories::{on_this_machine, read_repositories};
pub use script::Script;
pub use stops::{Entrance, Found, Stop, Stops, Visit, VisitInput, VisitOutput};

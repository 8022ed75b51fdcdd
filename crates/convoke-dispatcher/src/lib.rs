//! Runs one member on one device: connection, console, the pipeline of deploy, boot and test actions, protocol requests.
//!
//! | module | is about |
//! |---|---|
//! | [`run`] | one member from group assembly to its last result |
//! | `verdict` | how a member's end is recorded and told |
//! | `checks` | what is wrong before anything runs |
//! | `stages` | the test blocks and what is known of their definitions |
//! | `limits` | all limits on one screen, and what their passing means |
//! | `pipeline` | the executor of the plan |
//! | `actions` | what each action does |
//! | [`fetch`] | fetching test definitions, in stages of its own |
//! | `testshell` | the test shell: scanning, suites, MultiNode requests |
//! | `calls` | one MultiNode call: recorded, limited, explained while it waits |
//! | `faults` | what a kernel says when it is in trouble |
//! | `console`, `prompt`, `desk` | a console, waiting for a prompt, somebody else at it |
//! | `consoles` | which console a namespace uses |
//! | `context`, `log` | what the actions of a member share |
//! | [`device`] | what the dispatcher needs of a device: the traits a lab implements |
//! | [`error`] | how a member fails: class, message, reason |

mod actions;
mod calls;
mod checks;
mod console;
mod consoles;
mod context;
mod desk;
pub mod device;
pub mod error;
mod faults;
pub mod fetch;
mod limits;
mod log;
mod pipeline;
mod prompt;
pub mod run;
mod stages;
mod testshell;
mod verdict;

pub use desk::{Desk, Seat};
pub use run::{DispatchOptions, MemberOutcome, MemberRun, run_member};

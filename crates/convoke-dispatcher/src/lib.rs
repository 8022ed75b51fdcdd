//! Runs one member on one device: connection, console, the pipeline of deploy, boot and test actions, protocol requests.
//!
//! | module | is about |
//! |---|---|
//! | [`run`] | one member from group assembly to its last result |
//! | [`device`] | what the dispatcher needs of a device: the traits a lab implements |
//! | [`error`] | how a member fails: class, message, reason |

pub mod device;
pub mod error;
pub mod run;

pub use run::{DispatchOptions, MemberOutcome, MemberRun, run_member};

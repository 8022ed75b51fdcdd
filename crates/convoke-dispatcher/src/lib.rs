//! Runs one member on one device: connection, console, the pipeline of deploy, boot and test actions, protocol requests.
//!
//! | module | is about |
//! |---|---|
//! | [`device`] | what the dispatcher needs of a device: the traits a lab implements |
//! | [`error`] | how a member fails: class, message, reason |

pub mod device;
pub mod error;

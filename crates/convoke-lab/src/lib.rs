//! The devices that exist: built-in sandboxes with their network, and the stand-ins for a rehearsal.
//!
//! | module | is about |
//! |---|---|
//! | [`sandbox`] | devices made of namespaces on this machine |
//! | [`stages`] | what `main` calls first: the parts that run in processes of their own |

pub mod config;
pub mod sandbox;
pub mod stages;

pub use config::Lab;

/// placeholder
pub fn check_inventory(_job: &convoke_job::Job, _lab: &Lab) -> Vec<convoke_job::Diagnostic> {
    Vec::new()
}

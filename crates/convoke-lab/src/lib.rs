//! The devices that exist: the lab file, built-in sandboxes with their network, and the stand-ins for a rehearsal.
//!
//! | module | is about |
//! |---|---|
//! | [`config`] | the lab file |
//! | [`inventory`] | whether the lab has what a job asks for, and who gets what |
//! | [`sandbox`] | devices made of namespaces on this machine |
//! | [`stages`] | what `main` calls first: the parts that run in processes of their own |

pub mod config;
pub mod inventory;
pub mod sandbox;
pub mod stages;

pub use config::Lab;
pub use inventory::check_inventory;

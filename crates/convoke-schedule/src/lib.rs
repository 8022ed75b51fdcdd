//! Which devices a group gets: exact matching on type and tags, all or nothing.
//!
//! Nothing here knows a clock, a file or a runtime. The caller says what exists ([`Inventory`]) and what every member
//! needs ([`Wanted`]); the answer is one device for every member, or a [`Shortage`] that names the smallest set of
//! roles that cannot be served together. The same input in any order gives the same answer.
//!
//! | module | is about |
//! |---|---|
//! | [`inventory`] | devices, workers and the types that are made on demand |
//! | [`wanted`] | what one member needs, and when a device suits it |
//! | [`allocate`](mod@allocate) | the devices of a group now, best fit first |
//! | [`check`](mod@check) | whether a group could ever be served |
//! | [`shortage`] | why not, in words |
//!
//! Rules: scheduling.md §2, §9.1, §9.5, §9.6.

pub mod allocate;
pub mod check;
mod flow;
pub mod inventory;
mod matching;
pub mod shortage;
mod similar;
pub mod wanted;
mod words;

pub use allocate::{Assigned, Assignment, allocate};
pub use check::check;
pub use inventory::{DeviceEntry, Health, Inventory, OnDemand, WorkerEntry};
pub use shortage::{Shortage, ShortageKind};
pub use similar::nearest;
pub use wanted::Wanted;

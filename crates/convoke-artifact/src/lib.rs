//! What a job downloads, on its way to a device: fetched, verified, unpacked, and the overlay put into it
//! (job-definition.md §7, device-side.md §2).
//!
//! ```text
//!   url ──► fetch ──► verify ──► unpack ──► put overlays in ──► a file without a name
//!            │ ▲                   │ ▲            (a copy that is the run's own)
//!            ▼ │                   ▼ │
//!          the cache: by content, shared by all runs
//! ```
//!
//! Invariant: nothing stays behind but the cache, and what lies in it is whole. An image that nothing is put into is
//! referenced, never copied.
//!
//! | module | is about |
//! |---|---|
//! | [`resource`] | what the job says about a download |
//! | [`order`] | what is asked for, what is made of it, progress |
//! | [`stage`] | the work in a process of its own |
//! | [`disk`] | the overlay on a disk of its own |
//! | [`handout`] | the overlay for a device that fetches it |
//! | [`checksum`] | md5, sha256, sha512 |
//! | [`unpack`] | gz, bz2, xz, zstd |
//! | [`http`] | one request to a server |
//! | [`place`] | paths and URLs |
//! | [`entry`] | names and bytes of what archives hold |
//! | [`error`] | whose fault it is |

pub mod checksum;
pub mod disk;
pub mod entry;
pub mod error;
pub mod handout;
pub mod http;
pub mod order;
pub mod place;
pub mod resource;
pub mod stage;
pub mod unpack;

mod copy;
mod fetch;
mod overlay;
mod store;
mod tools;
mod work;

pub use disk::{DiskOrder, OverlayDisk};
pub use error::{Error, Fault};
pub use handout::HandOut;
pub use order::{Artifact, Cache, Order, Origin, Phase, Progress};
pub use resource::{Format, Overlay, Resource};
pub use stage::{STAGES, overlay_disk, prepare};

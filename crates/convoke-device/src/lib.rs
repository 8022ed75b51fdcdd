//! A device's configuration as LAVA writes it, and what follows from it; text in, facts out.
//!
//! | module | is about |
//! |---|---|
//! | [`dictionary`] | the typed view of a device dictionary, rendered |
//! | [`template`] | LAVA's Jinja2 dictionaries and templates, rendered |
//! | [`qemu`] | the command line of a QEMU machine |
//! | [`words`] | splitting a command into words as a shell does |

pub mod dictionary;
mod fields;
pub mod qemu;
pub mod template;
pub mod words;

pub use dictionary::Dictionary;

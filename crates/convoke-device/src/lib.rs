//! A device's configuration as LAVA writes it, and what follows from it; text in, facts out.
//!
//! | module | is about |
//! |---|---|
//! | [`acceleration`] | hardware virtualisation of a QEMU machine |
//! | [`dictionary`] | the typed view of a device dictionary, rendered |
//! | [`faults`] | what is probably wrong with a configuration that can be read |
//! | [`template`] | LAVA's Jinja2 dictionaries and templates, rendered |
//! | [`placeholder`] | addresses with `{NAME}`, filled from what is written of the device |
//! | [`qemu`] | the command line of a QEMU machine |
//! | [`words`] | splitting a command into words as a shell does |

pub mod acceleration;
pub mod dictionary;
mod fault;
pub mod faults;
mod fields;
pub mod placeholder;
pub mod qemu;
pub mod template;
pub mod words;

pub use dictionary::Dictionary;
pub use fault::Fault;

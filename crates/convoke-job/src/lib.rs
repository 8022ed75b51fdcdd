//! Text in, checked job out.
//!
//! Reading a job never stops at the first problem: it returns what could be understood together with every
//! [`Diagnostic`], each pointing into the text. Nothing here does I/O, knows a clock or a runtime.
//!
//! | module | is about |
//! |---|---|
//! | [`source`] | a text with a name, byte spans, lines and columns |
//! | `codes` | the page of every code a finding can have |
//! | [`diagnostic`] | one finding: code, severity, spans, help |
//! | [`kind`] | what a document is, where another one was expected |
//! | [`node`] | the spanned tree a document is read into |
//! | [`yaml`] | YAML 1.1 as LAVA reads it, into that tree |
//! | [`ids`] | a newtype for every name and number |
//! | [`legacy`] | the 2014 JSON format, made into a v2 document |
//! | [`downloads`] | the names of what a deploy to `downloads` leaves |
//! | [`member`] | what one member runs: the input of a dispatcher |
//! | [`console_test`] | monitors and interactive scripts |
//! | [`mod@read`] | from a document to a checked job |
//! | [`job`] | a checked job |
//! | `split` | a member's definition for each member, on [`Job`] |
//! | [`pattern`] | the regular expressions of a job |
//! | [`mod@pipeline`] | what a member does on a device, action by action, with every limit |
//! | [`methods`] | LAVA's pipeline action names per deploy, boot and test method |

mod codes;
pub mod console_test;
pub mod diagnostic;
pub mod downloads;
pub mod ids;
pub mod job;
pub mod kind;
pub mod legacy;
pub mod member;
pub mod methods;
pub mod node;
pub mod pattern;
pub mod pipeline;
pub mod read;
pub mod source;
mod split;
pub mod yaml;

pub use codes::{codes, explain};
pub use diagnostic::{Diagnostic, Label, Severity};
pub use ids::{DeviceName, DeviceType, JobId, RoleName, SubId, Tag};
pub use job::{Job, MemberNames, resolve_member_name};
pub use kind::Kind;
pub use member::MemberJob;
pub use node::Node;
pub use pipeline::{DeviceLimits, PlannedAction, pipeline};
pub use read::{Checked, Options, context_key, read};
pub use source::{Source, Span};

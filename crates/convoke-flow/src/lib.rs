//! The flow of a job: which calls each member makes in which order, what each of them waits for, and whether the job can
//! end. Pure: texts in, findings out.
//!
//! | module | is about |
//! |---|---|
//! | [`model`] | the calls of every member, with what is unknown about them |
//! | [`read`](fn@read) | from a checked job to that |
//! | `shell` | a script as a tree |
//! | `follow` | what a script calls |
//! | [`repositories`] | the files of repositories at hand |
//! | `judge` | whether the job can end, and why not |
//! | [`played`] | what one play of them under the rules of a group came to |
//! | [`foresight`] | what it says to somebody who runs the job: who sends what, who waits for an ID |
//! | [`lint`](fn@lint) | practices that people regret |
//! | [`times`] | when calls come, and waits that are too short for that |
//! | [`table`] | the flow table, before a run and after it |

mod follow;
pub mod foresight;
mod judge;
mod lint;
pub mod model;
pub mod played;
mod read;
pub mod repositories;
mod shell;
pub mod table;
pub mod times;
mod walk;
mod words;

pub use convoke_job::explain;
pub use judge::reason::{Cause, Link, Near, Reason, Verdict, Waiting};
pub use judge::{Judgement, judge};
pub use lint::lint;
pub use model::{
    Block, Call, Choice, Definition, Failing, Flow, Member, Origin, Pause, Place, Read, Repeat, Sleep, Step, Text,
    Unknown, Why,
};
pub use played::{Met, Played, PlayedCall};
pub use read::read;
pub use repositories::{Repositories, Repository};

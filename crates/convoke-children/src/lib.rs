//! The one owner of child processes: the only module of the product that starts any.
//!
//! Every child of convoke is a *stage*: convoke's own executable, started again as `convoke __stage NAME`, which does one
//! thing that cannot be done in the main process (enter namespaces, be PID 1 of a sandbox, take a terminal, run git).
//!
//! ```text
//!   convoke ──── SEQPACKET socket, messages in JSON + file descriptors ──── stage (its standard input)
//!      │                                                                      │
//!      └─ pidfd: exit status             memfd: what it writes to stderr ─────┘
//! ```
//!
//! Invariant: a stage never outlives the process that started it. Its end of the control channel reaches end of file when
//! the other end is closed, and the kernel closes it however convoke ends, SIGKILL included; a stage that waits for
//! anything waits for that as well. Stages that do not outlive their starter by design also ask the kernel to be killed
//! with it (`PR_SET_PDEATHSIG`); as that is bound to the *thread* that started them, one thread that lives as long as the
//! process starts all of them.
//!
//! No `unsafe` is needed: what others do between fork and exec, a stage does after exec and then execs the program.
//!
//! | module | is about |
//! |---|---|
//! | [`stage`] | convoke's side, asynchronous: start, send, receive, wait, kill |
//! | [`process`] | a process known by its pidfd alone |
//! | [`control`] | the stage's side of the channel, blocking |
//! | [`entry`] | what `main` calls first: is this process a stage, and which |
//! | [`launch`] | starting a stage from inside a stage |
//! | [`foreign`] | running a program that is not ours from inside a stage |
//! | [`tree`] | the same, together with whatever that program starts |

pub mod control;
pub mod entry;
pub mod foreign;
pub mod launch;
pub mod process;
pub mod stage;
pub mod tree;

mod spawner;
mod watch;
mod wire;

pub use control::Control;
pub use entry::{StageEntry, StageFailure, dispatch_stage};
pub use process::Process;
pub use stage::{Stage, StageError};
pub use watch::watch;

//! The parts of convoke that run in processes of their own.

use std::process::ExitCode;

use convoke_children::StageEntry;

use crate::{board, qemu, sandbox, ssh};

/// All stages by name.
const STAGES: &[(&str, StageEntry)] = &[
    convoke_dispatcher::fetch::STAGES[0],
    convoke_dispatcher::fetch::STAGES[1],
    convoke_artifact::STAGES[0],
    ("ground", StageEntry::Controlled(sandbox::ground_stage::run)),
    ("sandbox", StageEntry::Controlled(sandbox::enter_stage::run)),
    ("init", StageEntry::Orphan(sandbox::init::run)),
    ("machine", StageEntry::Controlled(qemu::stage::run)),
    ("login", StageEntry::Controlled(ssh::stage::run)),
    ("attach", StageEntry::Controlled(qemu::stage::attach)),
    ("listen", StageEntry::Controlled(qemu::stage::listen)),
    ("command", StageEntry::Controlled(board::stage::command)),
    ("connect", StageEntry::Orphan(board::stage::connect)),
    ("shell", StageEntry::Plain(sandbox::shell_stage::run)),
];

/// Runs the stage that this process was started as; `None` when it was not. To be called first in `main`.
pub fn main() -> Option<ExitCode> {
    convoke_children::dispatch_stage(STAGES)
}

//! The helper commands: POSIX sh files of `helpers/`, put into `bin/` of the overlay unchanged.

/// One helper command.
#[derive(Clone, Copy, Debug)]
pub struct Helper {
    /// Its file name in `bin/`.
    pub name: &'static str,
    /// Its text, first line included.
    pub text: &'static str,
    /// Whether it is there only in a MultiNode job.
    pub multinode: bool,
}

/// All helper commands.
pub fn all() -> &'static [Helper] {
    &[]
}

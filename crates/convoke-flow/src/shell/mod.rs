//! The shell language, as far as scripts of tests use it: the POSIX shell and what bash adds in common use.
//!
//! | module | is about |
//! |---|---|
//! | [`ast`] | a script as a tree, with the place of every part |
//! | [`parse`] | from text to that tree |

pub(crate) mod ast;
pub(crate) mod parse;

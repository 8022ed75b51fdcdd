//! Standard output and standard error. A reader that closes its end early is no error.

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicU8, Ordering};

use crate::arguments::Colour;
use crate::failure::Failure;

static COLOUR: AtomicU8 = AtomicU8::new(0);

/// Sets when colours are used, for the whole process.
pub(crate) fn set_colour(when: Colour) {
    COLOUR.store(when as u8, Ordering::Relaxed);
    match when {
        Colour::Auto => {}
        Colour::Always => {
            console::set_colors_enabled(true);
            console::set_colors_enabled_stderr(true);
        }
        Colour::Never => {
            console::set_colors_enabled(false);
            console::set_colors_enabled_stderr(false);
        }
    }
}

/// Whether findings on standard error are coloured.
pub(crate) fn stderr_colours() -> bool {
    match COLOUR.load(Ordering::Relaxed) {
        value if value == Colour::Always as u8 => true,
        value if value == Colour::Never as u8 => false,
        _ => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}

/// Whether results on standard output are coloured.
pub(crate) fn stdout_colours() -> bool {
    match COLOUR.load(Ordering::Relaxed) {
        value if value == Colour::Always as u8 => true,
        value if value == Colour::Never as u8 => false,
        _ => console::colors_enabled() && std::io::stdout().is_terminal(),
    }
}

/// Prints a result.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Lab(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a diagnostic text as it is.
pub(crate) fn eprint(text: &str) {
    // Nobody is left to be told when standard error is gone.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Prints one warning line.
pub(crate) fn warning(message: &str) {
    let word = if stderr_colours() { "\u{1b}[33;1mwarning\u{1b}[0m" } else { "warning" };
    eprint(&format!("{word}: {message}\n"));
}

/// Prints one error line.
pub(crate) fn error(message: &str) {
    let word = if stderr_colours() { "\u{1b}[31;1merror\u{1b}[0m" } else { "error" };
    eprint(&format!("{word}: {message}\n"));
}

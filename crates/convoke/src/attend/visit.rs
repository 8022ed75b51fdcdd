//! A visit to a device: the user's terminal becomes the device's, until they press the escape key.

use std::io::Write;

use convoke_run::{Visit, VisitInput};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::terminal::{self, Keys};

/// Ctrl-], as telnet has it.
const ESCAPE: u8 = 0x1d;
/// What a device may have left behind: colours, a hidden cursor, the other screen, bracketed paste, the mouse.
const TIDY: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l\x1b[?2004l\x1b[?1000l\x1b[?1l\x1b>\r\n";
/// A shell that does not end.
const BUSY: &[u8] =
    b"\r\n-- a program here does not end: end it, then Ctrl-] again. If it stays, the test cannot go on. --\r\n";

/// How a visit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By the user.
    Left,
    /// By the user, while a program runs on that has the console; the test cannot go on.
    Abandoned,
    /// The device has closed it, or the user's terminal is gone.
    Closed,
}

/// Passes keys to the device and its output to the terminal until the user leaves, the device closes, or the run is
/// cancelled. The terminal is in raw mode meanwhile.
pub(crate) async fn visit(visit: Visit, keys: &Keys, cancel: &CancellationToken) -> Ended {
    let Visit { mut output, mut input, .. } = visit;
    let mut asked = false;
    if keys.raw(true).is_err() {
        return Ended::Closed;
    }
    let mut resized = signal(SignalKind::window_change()).ok();
    let fit = |input: &VisitInput| {
        let (rows, columns) = terminal::size();
        input.resize(rows, columns);
    };
    fit(&input);
    let ended = loop {
        let changed = async {
            match &mut resized {
                Some(resized) => drop(resized.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = changed => fit(&input),
            () = cancel.cancelled() => break Ended::Closed,
            pressed = keys.read() => {
                let Some(pressed) = pressed else { break Ended::Closed };
                let escape = pressed.iter().position(|key| *key == ESCAPE);
                input.write(&pressed[..escape.unwrap_or(pressed.len())]).await;
                if escape.is_some() {
                    match input.leave().await {
                        true => break Ended::Left,
                        false if asked => break Ended::Abandoned,
                        false => show(BUSY),
                    }
                    asked = true;
                }
            }
            shown = output.read() => match shown {
                Some(bytes) => show(&bytes),
                None => break Ended::Closed,
            },
        }
    };
    if ended == Ended::Closed {
        input.leave().await;
    }
    show(TIDY);
    // Of a terminal that is gone nothing is wanted.
    let _ = keys.raw(false);
    ended
}

fn show(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    // Nobody is left to be told when the terminal is gone; reading the keys says so.
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

//! A device that is a real shell on a real pty.

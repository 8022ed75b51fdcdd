//! Notices that a device boots while a suite is open (device-side.md §8.1).
//!
//! A kernel's first line counts only at the beginning of a line, with at most a time stamp of zero in front of it, and
//! only on a console that the device's own kernel prints to: `cat /proc/version` on a sandbox is no reboot.

const MARK: &[u8] = b"Linux version ";

/// Looks for a kernel's first line in a stream of bytes.
#[derive(Debug, Default)]
pub(crate) struct RebootWatch {
    /// The beginning of the current line, as far as it may matter.
    line: Vec<u8>,
}

impl RebootWatch {
    /// Where in these bytes such a line's beginning is complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, &byte) in bytes.iter().enumerate() {
            if byte == b'\n' || byte == b'\r' {
                self.line.clear();
            } else if self.line.len() < 64 {
                self.line.push(byte);
                if self.line.ends_with(MARK) && stamp(&self.line[..self.line.len() - MARK.len()]) {
                    self.line.clear();
                    return Some(at + 1);
                }
            }
        }
        None
    }
}

/// Nothing, or `[    0.000000] ` with any caller id.
fn stamp(prefix: &[u8]) -> bool {
    let text = String::from_utf8_lossy(prefix);
    let text = text.trim();
    text.is_empty()
        || text.strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with("0.00") && rest.ends_with(']'))
}

#[cfg(test)]
mod tests {
    use super::RebootWatch;

    #[track_caller]
    fn check(text: &str, reboots: bool) {
        assert_eq!(RebootWatch::default().feed(text.as_bytes()).is_some(), reboots, "{text}");
        let mut slow = RebootWatch::default();
        assert_eq!(text.bytes().any(|byte| slow.feed(&[byte]).is_some()), reboots, "{text} byte by byte");
    }

    #[test]
    fn only_the_first_line_of_a_kernel_is_a_reboot() {
        check("x\r\n[    0.000000] Linux version 6.1.0\r\n", true);
        check("Linux version 6.1.0", true);
        check("[    0.000000][    T0] Linux version 6.1.0", true);
        check("the Linux version 6.1.0", false);
        check("[   12.345678] Linux version 6.1.0", false);
        check(&"x".repeat(10_000), false);
    }
}

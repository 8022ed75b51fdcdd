//! What the last words of ssh and scp mean, and what to do about them.

/// The line that says what went wrong: the last one that is neither a warning nor a consequence.
pub(super) fn last(stderr: &str) -> String {
    let telling = |line: &&str| {
        !line.is_empty()
            && !["Warning:", "**", "scp: Connection closed", "lost connection"]
                .iter()
                .any(|start| line.starts_with(start))
    };
    let line = stderr.lines().map(str::trim).filter(telling).next_back();
    line.map_or_else(|| "it says nothing".to_owned(), str::to_owned)
}

/// What to do about it, for a guest.
pub(super) fn advice(words: &str) -> Option<&'static str> {
    const KNOWN: &[(&[&str], &str)] = &[
        (&["Connection refused"], "sshd does not run there: start it before the message with the address is sent"),
        (
            &["No route to host", "Connection timed out", "Network is unreachable"],
            "nobody answers at this address: look at what the host sends as its own",
        ),
        (&["Could not resolve"], "the host must send its address, not a name that is known nowhere else"),
        (&["Permission denied"], "the host does not take the guests' key: its deploy needs `authorize: ssh`"),
        (&["subsystem request failed"], "the host's sshd has no SFTP: install its sftp-server"),
    ];
    KNOWN.iter().find(|(signs, _)| signs.iter().any(|sign| words.contains(sign))).map(|(_, advice)| *advice)
}

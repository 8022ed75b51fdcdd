//! From bytes to steps: what a fuzzer mutates is a list of requests over few names, so that members meet.

use std::fmt::Write;

/// Names of message IDs. They are the same for messages and syncs, which are apart (coordinator-protocol.md §4.6).
const IDS: [&str; 4] = ["m", "nack", "", "\\u00e9"];
/// JSON texts as Python spells them, so that they come back as they are.
const VALUES: [&str; 8] = [
    "{}",
    "null",
    r#"{"k": "v"}"#,
    r#"{"b": 1, "a": 1.50}"#,
    r#""text""#,
    r#"[1, {"x": "\u00fc\ud83d\ude00"}]"#,
    "12345678901234567890123",
    r#"{"response": "nack"}"#,
];
const SIZES: [Option<&str>; 8] =
    [Some("2"), None, Some("\"2\""), Some("3"), Some("1"), Some("-1"), Some("null"), Some("4")];
/// What is no usable request, and whether it is answered with nack or not at all.
const ODD: [(&str, bool); 6] = [
    (r#"{"request": "lava-send", "client_name": "a", "group_name": "g", "messageID": "m"}"#, true),
    (r#"["request"]"#, true),
    (r#"{"request": "lava_send", "client_name": "a", "group_name": "g", "messageID": 1}"#, true),
    (
        r#"{"request": "lava_wait_all", "client_name": "a", "group_name": "g", "messageID": "m", "waitrole": null}"#,
        true,
    ),
    (r#"{"request": "lava_sync", "client_name": "a", "group_name": "g""#, false),
    (r#"{"request": "lava_send", "client_name": "a", "group_name": "g", "messageID": "m", "message": NaN}"#, true),
];

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Ask(Asked),
    /// Text that cannot be used, and whether it is nacked.
    Odd(&'static str, bool),
    /// The fate of the oldest, or else the newest, released sync of which it is not known yet.
    Delivered {
        newest: bool,
        reached: bool,
    },
    /// The caller of the oldest held request is gone.
    Gone,
    /// The coordinator is started again.
    Restart,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) group: &'static str,
    pub(crate) member: &'static str,
    pub(crate) role: Option<&'static str>,
    pub(crate) hostname: bool,
    /// JSON text.
    pub(crate) size: Option<&'static str>,
    pub(crate) what: What,
    pub(crate) held: Option<Held>,
}

/// The fields of our own.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) quiet: bool,
    /// The call has the name of the one before.
    pub(crate) again: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    GroupData,
    /// ID and value are JSON texts; the ID is given without its quotes.
    Send {
        id: &'static str,
        value: &'static str,
    },
    Wait {
        id: &'static str,
    },
    WaitAll {
        id: &'static str,
        role: Option<&'static str>,
    },
    Sync {
        id: &'static str,
        own: Option<&'static str>,
    },
    Clear {
        leave: bool,
    },
    Aggregate {
        bundle: &'static str,
        collects: bool,
    },
    Complete,
}

impl Asked {
    /// The JSON text; `call` is the name of the call.
    pub(crate) fn text(&self, call: &str) -> String {
        let mut out = format!(r#"{{"client_name": "{}", "group_name": "{}""#, self.member, self.group);
        let mut add = |name: &str, value: &str| {
            let _ = write!(out, r#", "{name}": {value}"#);
        };
        let text = |text: &str| format!("\"{text}\"");
        if let Some(role) = self.role {
            add("role", &text(role));
        }
        if self.hostname {
            add("hostname", "\"w\"");
        }
        if let Some(size) = self.size {
            add("group_size", size);
        }
        match &self.what {
            What::GroupData => add("request", "\"group_data\""),
            What::Send { id, value } => {
                add("request", "\"lava_send\"");
                add("messageID", &text(id));
                add("message", value);
            }
            What::Wait { id } => {
                add("request", "\"lava_wait\"");
                add("messageID", &text(id));
            }
            What::WaitAll { id, role } => {
                add("request", "\"lava_wait_all\"");
                add("messageID", &text(id));
                if let Some(role) = role {
                    add("waitrole", &text(role));
                }
            }
            What::Sync { id, own } => {
                add("request", "\"lava_sync\"");
                add("messageID", &text(id));
                if let Some(own) = own {
                    add("message", own);
                }
            }
            What::Clear { leave } => {
                add("request", "\"clear_group\"");
                if *leave {
                    add("convoke_leave", "\"its job ended\"");
                }
            }
            What::Aggregate { bundle, collects } => {
                add("request", "\"aggregate\"");
                add("bundle", bundle);
                add("sub_id", if *collects { "\"1.0\"" } else { "\"1.1\"" });
            }
            What::Complete => add("request", "\"complete\""),
        }
        if let Some(held) = &self.held {
            add("convoke_hold_ms", "3600000");
            add("convoke_limit_ms", "null");
            add("convoke_call", &text(call));
            if held.quiet {
                add("convoke_quiet", "true");
            }
        }
        out.push('}');
        out
    }

    /// Whether fields of our own are among the others.
    pub(crate) fn has_extras(&self) -> bool {
        self.held.is_some() || matches!(self.what, What::Clear { leave: true })
    }
}

/// Reads steps of four bytes each: what, who, about what, and how.
pub(crate) fn steps(bytes: &[u8]) -> Vec<Step> {
    bytes.as_chunks().0.iter().map(step).collect()
}

fn step(&[kind, who, what, how]: &[u8; 4]) -> Step {
    let bits = |byte: u8, from: u8, count: u8| usize::from(byte >> from & ((1 << count) - 1));
    let id = IDS[[0, 0, 0, 1, 1, 2, 3, 0][bits(what, 0, 3)]];
    let value = VALUES[bits(what, 3, 3)];
    let role = ["r", "s", "t", "r"][bits(who, 2, 2)];
    let what = match kind % 20 {
        0 | 1 => What::GroupData,
        2..4 => What::Send { id, value },
        4 => What::Wait { id },
        5 | 6 => What::WaitAll { id, role: None },
        7 | 8 => What::WaitAll { id, role: Some(["r", "s", "t", "u"][bits(what, 3, 2)]) },
        9..13 => What::Sync { id, own: (bits(what, 6, 2) == 3).then_some(value) },
        13 => What::Clear { leave: bits(how, 0, 1) == 1 },
        14 => What::Aggregate { bundle: value, collects: bits(how, 0, 1) == 1 },
        15 if what % 8 == 0 => What::Complete,
        15 => {
            let (text, nacked) = ODD[usize::from(what) % ODD.len()];
            return Step::Odd(text, nacked);
        }
        16 | 17 => return Step::Delivered { newest: bits(how, 0, 1) == 1, reached: bits(how, 1, 1) == 1 },
        18 => return Step::Gone,
        _ => return Step::Restart,
    };
    let held = (bits(how, 0, 1) == 1).then(|| Held { quiet: bits(who, 6, 1) == 1, again: bits(how, 1, 1) == 1 });
    let holds = matches!(what, What::GroupData | What::Wait { .. } | What::WaitAll { .. } | What::Sync { .. });
    let odd = bits(who, 4, 2);
    Step::Ask(Asked {
        group: if bits(who, 7, 1) == 1 { "h" } else { "g" },
        member: ["a", "b", "c", "data"][bits(who, 0, 2)],
        role: (odd != 1).then_some(role),
        hostname: odd != 2,
        size: SIZES[bits(how, 2, 3)],
        what,
        held: held.filter(|_| holds),
    })
}

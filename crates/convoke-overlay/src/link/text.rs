//! What requests and replies of the link say.
//!
//! A text is a list of fields. In a field every byte that is not plain is `%` and three octal digits; fields are joined
//! by blanks; then the frame escapes `%` and blank once more the same way. So between parts a text consists of plain
//! characters, `%040` (the next field) and `%045ooo` (a byte), and an escape may be cut between parts.

use super::frame::{PART, PARTS, is_plain};
use crate::signal::{DeviceRequest, RequestKind};

/// What a device asks.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkRequest {
    /// A MultiNode call.
    Call(DeviceRequest),
    /// `begin`: the runner has started, and speaks this link.
    Begin,
    /// `end SUITE LAST STATUS ended|cut|install LEFT TAG`: a suite's script has ended.
    End(SuiteEnd),
}

/// The runner's word about a suite that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuiteEnd {
    /// `<index>_<name>`
    pub suite: String,
    /// How many signals of it are numbered.
    pub last: u32,
    /// Exit status of its script.
    pub status: i32,
    /// How far it came.
    pub phase: Phase,
    /// So many suites of the stage come after it.
    pub left: u32,
    /// What stands before the numbers of its signals.
    pub tag: String,
}

/// How far a suite came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// `ended`: to its ENDRUN.
    Ended,
    /// `cut`: its script ended before.
    Cut,
    /// `install`: its installation failed.
    Install,
}

const PHASES: [(Phase, &str); 3] = [(Phase::Ended, "ended"), (Phase::Cut, "cut"), (Phase::Install, "install")];

/// What a device is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `ok`, and the data of the messages: name of the member, key, value.
    Ok(Vec<(String, String, String)>),
    /// `nack`, and why.
    Nack(String),
    /// `resend`, and which numbered signals have not come.
    Resend(Vec<u32>),
}

impl Reply {
    /// The parts that are typed. A text that no shell can hold, or that is too long, is a refusal that says so.
    pub(crate) fn parts(&self) -> Vec<String> {
        let fields = match self {
            Reply::Ok(data) => {
                let mut fields = vec!["ok".to_owned()];
                for (member, key, value) in data {
                    if value.contains('\0') {
                        let why = format!("the value of {key} from {member} holds a NUL, which no shell can");
                        return Reply::Nack(why).parts();
                    }
                    fields.push(format!("{member}:{key}={value}"));
                }
                fields
            }
            Reply::Nack(why) => {
                let why: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).take(1000).collect();
                vec!["nack".to_owned(), why]
            }
            Reply::Resend(numbers) => {
                let numbers = numbers.iter().map(u32::to_string);
                std::iter::once("resend".to_owned()).chain(numbers).collect()
            }
        };
        let text = encode(&fields);
        let parts: Vec<String> =
            text.as_bytes().chunks(PART).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
        if parts.len() > usize::from(PARTS) {
            return Reply::Nack("the data is too long for the console".into()).parts();
        }
        parts
    }
}

/// The text of these fields.
pub fn encode(fields: &[impl AsRef<[u8]>]) -> String {
    let mut out = String::new();
    for (number, field) in fields.iter().enumerate() {
        if number > 0 {
            out.push_str("%040");
        }
        for &byte in field.as_ref() {
            if is_plain(byte) {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%045{byte:03o}"));
            }
        }
    }
    out
}

/// The fields of a text; `None` when an escape is none.
pub fn decode(text: &str) -> Option<Vec<Vec<u8>>> {
    let joined = unescape(text.as_bytes())?;
    joined.split(|byte| *byte == b' ').map(unescape).collect()
}

/// Bytes with `%ooo` in them as what they stand for; `None` when an escape is none.
pub(crate) fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(3)?;
        let octal = digits.iter().all(|digit| (b'0'..=b'7').contains(digit));
        let value = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok().filter(|_| octal)?;
        out.push(value);
        rest = after;
    }
    Some(out)
}

impl LinkRequest {
    /// Reads the text of a request.
    ///
    /// # Errors
    /// Why it cannot be carried out, for the person who reads the helper's message.
    pub(crate) fn parse(text: &str) -> Result<LinkRequest, String> {
        let fields = decode(text).ok_or("the request holds an escape that is none")?;
        let fields: Vec<String> = fields
            .into_iter()
            .map(String::from_utf8)
            .collect::<Result<_, _>>()
            .map_err(|_| "the request is not UTF-8 text, and messages are")?;
        let words: Vec<&str> = fields.iter().map(String::as_str).collect();
        let (quiet, words) = match words.split_first() {
            Some((&"quiet", rest)) => (true, rest),
            _ => (false, &words[..]),
        };
        let id = |id: &str| {
            let bad = id.is_empty() || id.chars().any(|c| c.is_whitespace() || c.is_control() || "<>=".contains(c));
            if bad { Err(format!("{id:?} is no message ID")) } else { Ok(id.to_owned()) }
        };
        let call = match words {
            ["send", message_id, pairs @ ..] => {
                let mut data: Vec<(String, String)> = Vec::new();
                for pair in pairs {
                    let (key, value) = pair.split_once('=').ok_or_else(|| format!("{pair:?} is no key=value"))?;
                    match data.iter_mut().find(|(known, _)| known == key) {
                        Some(known) => known.1 = value.to_owned(),
                        None => data.push((key.to_owned(), value.to_owned())),
                    }
                }
                DeviceRequest::Send { message_id: id(message_id)?, data }
            }
            ["wait", message_id] => DeviceRequest::Wait { message_id: id(message_id)?, quiet },
            ["waitall", message_id] => DeviceRequest::WaitAll { message_id: id(message_id)?, role: None, quiet },
            ["waitall", message_id, role] => {
                DeviceRequest::WaitAll { message_id: id(message_id)?, role: Some((*role).to_owned()), quiet }
            }
            ["sync", message_id] => DeviceRequest::Sync { message_id: id(message_id)?, quiet },
            ["begin"] => return Ok(LinkRequest::Begin),
            ["end", suite, last, status, phase, left, tag] => {
                let number = |word: &str| word.parse().map_err(|_| format!("{word:?} is no number"));
                let (last, left) = (number(last)?, number(left)?);
                let status = status.parse().map_err(|_| format!("{status:?} is no exit status"))?;
                let known = PHASES.iter().find(|(_, word)| word == phase).map(|(phase, _)| *phase);
                let phase = known.ok_or_else(|| format!("{phase:?} is no way to end"))?;
                return Ok(LinkRequest::End(SuiteEnd {
                    suite: (*suite).to_owned(),
                    last,
                    status,
                    phase,
                    left,
                    tag: (*tag).to_owned(),
                }));
            }
            _ => return Err(format!("no request reads {:?}", words.first().unwrap_or(&""))),
        };
        Ok(LinkRequest::Call(call))
    }

    /// The text of a request, as a helper makes it.
    pub fn encode(&self) -> String {
        match self {
            LinkRequest::Begin => encode(&["begin"]),
            LinkRequest::End(end) => {
                let phase = PHASES.iter().find(|(phase, _)| *phase == end.phase).map_or("", |(_, word)| *word);
                let numbers = [end.last.to_string(), end.status.to_string(), end.left.to_string()];
                encode(&["end", &end.suite, &numbers[0], &numbers[1], phase, &numbers[2], &end.tag])
            }
            LinkRequest::Call(call) => {
                let mut fields: Vec<String> = Vec::new();
                let word = match call.kind() {
                    None => "send",
                    Some(RequestKind::Wait) => "wait",
                    Some(RequestKind::WaitAll) => "waitall",
                    Some(RequestKind::Sync) => "sync",
                };
                if call.quiet() {
                    fields.push("quiet".into());
                }
                fields.extend([word.to_owned(), call.message_id().to_owned()]);
                match call {
                    DeviceRequest::Send { data, .. } => {
                        fields.extend(data.iter().map(|(key, value)| format!("{key}={value}")));
                    }
                    DeviceRequest::WaitAll { role, .. } => fields.extend(role.clone()),
                    DeviceRequest::Wait { .. } | DeviceRequest::Sync { .. } => {}
                }
                encode(&fields)
            }
        }
    }
}

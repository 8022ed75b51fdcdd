//! The grammar of one signal (device-side.md §4.1, §4.2), without regard to which suite is running.
//!
//! Damage is told, not guessed away: what is whole is kept with a [`Signal::Warning`], what is not becomes
//! [`Signal::Ignored`] with the reason. A request whose message ID is in doubt is never made.

use crate::signal::{DeviceRequest, RequestKind, Signal, Verdict};

/// What a whole signal's text says.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// These, in order.
    Signals(Vec<Signal>),
    /// `<LAVA_QUIET CALL message-id>`
    Quiet(RequestKind, String),
    /// A line of the runner.
    Runner(String),
    /// Harmless text that only looks like a signal.
    Nothing,
}

/// Reads a signal from `<` to `>`, or a line of the runner.
pub(crate) fn parse(text: &str) -> Parsed {
    if let Some(line) = text.strip_prefix("<LAVA_TEST_RUNNER>: ") {
        return Parsed::Runner(line.trim_end().to_string());
    }
    let inner = text.strip_suffix('>').unwrap_or(text);
    if let Some(what) = inner.strip_prefix("<LAVA_TEST_RUNNER ") {
        return match what {
            "EXIT" => one(Signal::RunnerExit),
            "INSTALL_FAIL" => one(Signal::InstallFail),
            _ => ignored(text, "not a word of the test runner"),
        };
    }
    if let Some(call) = inner.strip_prefix("<LAVA_MULTI_NODE> <LAVA_") {
        return request(text, call);
    }
    if let Some(call) = inner.strip_prefix("<LAVA_QUIET ") {
        let mut words = call.split_ascii_whitespace();
        return match (words.next().and_then(RequestKind::from_signal), words.next(), words.next()) {
            (Some(kind), Some(id), None) => Parsed::Quiet(kind, id.to_string()),
            _ => ignored(text, "not of the form <LAVA_QUIET CALL message-id>"),
        };
    }
    if let Some(call) = inner.strip_prefix("<LAVA_GAVE_UP ") {
        let mut words = call.split_ascii_whitespace();
        return match (words.next().and_then(RequestKind::from_signal), words.next(), words.next()) {
            (Some(kind), Some(id), None) => one(Signal::GaveUp { kind, message_id: id.to_string() }),
            _ => ignored(text, "not of the form <LAVA_GAVE_UP CALL message-id>"),
        };
    }
    let Some(signal) = inner.strip_prefix("<LAVA_SIGNAL_") else { return Parsed::Nothing };
    let Some((name, args)) = signal.split_once(|c: char| c.is_ascii_whitespace()) else {
        return ignored(text, "a signal without arguments");
    };
    let args = args.trim();
    if name.is_empty() || args.is_empty() {
        return ignored(text, "a signal without name or arguments");
    }
    arguments(text, name, args)
}

fn arguments(text: &str, name: &str, args: &str) -> Parsed {
    let words: Vec<&str> = args.split_ascii_whitespace().collect();
    match name {
        "STARTRUN" | "ENDRUN" => {
            let [suite, uuid] = words[..] else {
                return ignored(text, "does not name a suite and its uuid");
            };
            let (suite, uuid) = (suite.to_string(), uuid.to_string());
            one(if name == "STARTRUN" { Signal::StartRun { suite, uuid } } else { Signal::EndRun { suite, uuid } })
        }
        "STARTTC" => one(Signal::StartTestCase(joined(&words))),
        "ENDTC" => one(Signal::EndTestCase(joined(&words))),
        "TESTCASE" => test_case(text, args),
        "TESTSET" => match words[..] {
            ["STOP"] => one(Signal::TestSetStop),
            ["START", set] => one(Signal::TestSetStart(set.to_string())),
            ["START", ..] if words.len() > 2 => warned(
                text,
                "a test set name has no blanks; they are written as _",
                Signal::TestSetStart(joined(&words[1..])),
            ),
            _ => ignored(text, "neither START with a name nor STOP"),
        },
        "TESTREFERENCE" => match words[..] {
            [case, result, url] => {
                let signal = |result| Signal::TestReference { case: case.into(), result, url: url.into() };
                match verdict(result) {
                    Some(result) => one(signal(result)),
                    None => warned(text, NOT_A_RESULT, signal(Verdict::Unknown)),
                }
            }
            _ => ignored(text, "a reference is a case, a result and a URL, without blanks in them"),
        },
        "TESTRAISE" => one(Signal::TestRaise(args.into())),
        "TESTFEEDBACK" => one(Signal::TestFeedback(args.into())),
        "TESTEVENT" => one(Signal::TestEvent(args.into())),
        // The echo of the checked command holds `$?` where the digits come.
        "RETRUNCODE" => match args.parse() {
            Ok(code) => one(Signal::ReturnCode(code)),
            Err(_) if args == "$?" => Parsed::Nothing,
            Err(_) => ignored(text, "an exit status is a number"),
        },
        _ => ignored(text, "no signal of this name is known"),
    }
}

const NOT_A_RESULT: &str = "the result is not pass, fail, skip or unknown; it is recorded as unknown";
const KEYS: [&str; 4] = ["TEST_CASE_ID", "RESULT", "UNITS", "MEASUREMENT"];

/// TESTCASE: `KEY=VALUE` tokens in any order. Blanks in a value are an old helper's, and written as `_` as ours do;
/// what follows a line end inside the signal is foreign.
fn test_case(text: &str, args: &str) -> Parsed {
    let mut values: [Option<String>; 4] = Default::default();
    let mut warnings: Vec<&str> = Vec::new();
    let mut current: Option<usize> = None;
    let mut foreign = false;
    for line in args.split('\n') {
        for word in line.split_ascii_whitespace() {
            let key = word.split_once('=').and_then(|(key, value)| Some((KEYS.iter().position(|k| *k == key)?, value)));
            match (key, current) {
                (Some((at, value)), _) => {
                    values[at] = Some(value.to_string());
                    current = Some(at);
                }
                // RESULT and MEASUREMENT are single words.
                (None, Some(at @ (0 | 2))) => {
                    if let Some(value) = &mut values[at] {
                        value.push('_');
                        value.push_str(word);
                    }
                    warnings.push("blanks in a name are written as _");
                }
                (None, _) => foreign = true,
            }
        }
        current = None;
    }
    if foreign {
        warnings.push("it holds words that are no part of a result");
    }
    let [case, result, units, measurement] = values;
    let (Some(case), Some(result)) = (case.filter(|case| !case.is_empty()), result) else {
        return ignored(text, "a result needs TEST_CASE_ID and RESULT");
    };
    let case = if case.contains(['<', '>']) {
        warnings.push("< and > in a name are written as _");
        case.replace(['<', '>'], "_")
    } else {
        case
    };
    let result = verdict(&result).unwrap_or_else(|| {
        warnings.push(NOT_A_RESULT);
        Verdict::Unknown
    });
    let measurement = measurement.filter(|text| {
        let number = is_number(text);
        if !number {
            warnings.push("the measurement is not a number and is left out");
        }
        number
    });
    let units = units.filter(|units| !units.is_empty() && measurement.is_some());
    warnings.dedup();
    let mut out: Vec<Signal> = Vec::new();
    if !warnings.is_empty() {
        out.push(Signal::Warning { text: text.to_string(), why: warnings.join("; ") });
    }
    out.push(Signal::TestCase { case, result, measurement, units });
    Parsed::Signals(out)
}

/// `NAME args` of a MultiNode request.
fn request(text: &str, call: &str) -> Parsed {
    let (name, args) = call.split_once([' ', '\t']).unwrap_or((call, ""));
    let kind = RequestKind::from_signal(name);
    if kind.is_none() && name != "SEND" {
        return ignored(text, "no MultiNode request of this name is known");
    }
    if text.contains('\n') {
        return ignored(text, "a request is one line; it is not made, because its message ID may be damaged");
    }
    let args = args.trim_start_matches([' ', '\t']);
    let (id, rest) = args.split_once([' ', '\t']).unwrap_or((args, ""));
    if id.is_empty() {
        return ignored(text, "a request needs a message ID");
    }
    if id.chars().any(|c| c.is_control() || c == '<' || c == char::REPLACEMENT_CHARACTER) {
        return ignored(text, "the message ID is damaged; the request is not made");
    }
    let message_id = id.to_string();
    let rest_word = rest.trim_matches([' ', '\t']);
    match kind {
        None => {
            let (data, loose) = pairs(rest);
            let send = Signal::Request(DeviceRequest::Send { message_id, data });
            match loose {
                Some(_) => warned(text, "an argument without = is not sent", send),
                None => one(send),
            }
        }
        Some(RequestKind::WaitAll) => {
            let role = (!rest_word.is_empty()).then(|| rest_word.to_string());
            one(Signal::Request(DeviceRequest::WaitAll { message_id, role, quiet: false }))
        }
        Some(kind) => {
            let call = if kind == RequestKind::Wait {
                DeviceRequest::Wait { message_id, quiet: false }
            } else {
                DeviceRequest::Sync { message_id, quiet: false }
            };
            if rest_word.is_empty() {
                one(Signal::Request(call))
            } else {
                warned(text, "only the first word is the message ID", Signal::Request(call))
            }
        }
    }
}

/// The data of a SEND: cut before every blank run that a key and `=` follow (D1, D2), key and value at the first `=`
/// (D3). Blanks inside a value stay as they are (D4). Also returns text in front of the first key.
fn pairs(text: &str) -> (Vec<(String, String)>, Option<&str>) {
    let blank = |byte: u8| byte == b' ' || byte == b'\t';
    let bytes = text.as_bytes();
    // Each cut: end of the piece before, start of the key.
    let mut cuts: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let run = at;
        while at < bytes.len() && blank(bytes[at]) {
            at += 1;
        }
        if (at > run || run == 0) && key_length(&bytes[at..]).is_some() {
            cuts.push((run, at));
        }
        while at < bytes.len() && !blank(bytes[at]) {
            at += 1;
        }
    }
    let loose = text[..cuts.first().map_or(text.len(), |(end, _)| *end)].trim();
    let mut out: Vec<(String, String)> = Vec::new();
    for (number, (_, start)) in cuts.iter().enumerate() {
        let end = cuts.get(number + 1).map_or(text.len(), |(end, _)| *end);
        let Some((key, value)) = text[*start..end].split_once('=') else { continue };
        match out.iter_mut().find(|(other, _)| other == key) {
            Some(pair) => pair.1 = value.to_string(),
            None => out.push((key.to_string(), value.to_string())),
        }
    }
    (out, (!loose.is_empty()).then_some(loose))
}

/// The length of a key that `=` follows: `[A-Za-z0-9_][A-Za-z0-9_.-]*`.
pub(crate) fn key_length(bytes: &[u8]) -> Option<usize> {
    let length = bytes.iter().take_while(|b| b.is_ascii_alphanumeric() || b"_.-".contains(b)).count();
    let good = length > 0 && !b".-".contains(&bytes[0]) && bytes.get(length) == Some(&b'=');
    good.then_some(length)
}

/// A result word, upper case forms included.
pub(crate) fn verdict(text: &str) -> Option<Verdict> {
    match text {
        "pass" | "PASS" => Some(Verdict::Pass),
        "fail" | "FAIL" => Some(Verdict::Fail),
        "skip" | "SKIP" => Some(Verdict::Skip),
        "unknown" | "UNKNOWN" => Some(Verdict::Unknown),
        _ => None,
    }
}

/// Whether a measurement is a finite number.
pub(crate) fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite)
}

fn joined(words: &[&str]) -> String {
    words.join("_")
}

fn one(signal: Signal) -> Parsed {
    Parsed::Signals(vec![signal])
}

fn warned(text: &str, why: &str, signal: Signal) -> Parsed {
    Parsed::Signals(vec![Signal::Warning { text: text.to_string(), why: why.to_string() }, signal])
}

fn ignored(text: &str, why: &str) -> Parsed {
    Parsed::Signals(vec![Signal::Ignored { text: text.to_string(), why: why.to_string() }])
}

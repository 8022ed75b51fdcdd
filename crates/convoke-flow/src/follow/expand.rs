//! Words to values: expansions, and the fields they are split into.

use std::rc::Rc;

use convoke_job::Span;

use super::Follower;
use super::draft::Draft;
use super::pattern::{escaped, has_glob, trim};
use super::state::{Content, MOST_BYTES, Output, State, Status};
use super::value::{HOME, Value, has_symbol};
use crate::model::{Pause, Unknown, Why};
use crate::shell::ast::{Index, Kind, List, Operation, Parameter, Piece, RedirectKind, Word};

/// The names a device's environment file gives, of which nothing is known before devices are given.
const OF_THE_DEVICE: [&str; 4] =
    ["LAVA_DISPATCHER_IP", "LAVA_DISPATCHER_PREFIX", "LAVA_DEVICE_HOSTNAME", "LAVA_DEVICE_TYPE"];

/// Why something is unknown that is known for each member.
pub(crate) const OWN_NAME: &str = "the member's own name";

/// One word of a command after all expansions.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) value: Value,
    /// It may be any number of fields.
    pub(super) many: bool,
    pub(super) span: Span,
}

/// A part of a word.
#[derive(Clone)]
enum Segment {
    /// As written, without quotes.
    Written(String),
    Quoted(String),
    Expanded(Value, bool),
    /// `$@`, `$*` and arrays; whether it is quoted.
    Several(Result<Vec<Value>, Rc<Unknown>>, bool),
    /// One of these in each field.
    Each(Vec<String>),
    /// The shell decides how many fields it is.
    Any(Rc<Unknown>),
}

/// How an expansion is split.
struct Splitting<'a> {
    separators: String,
    span: Span,
    too_long: &'a Rc<Unknown>,
}

/// A field being put together.
#[derive(Default)]
struct Open {
    text: String,
    unknown: Option<Rc<Unknown>>,
    many: bool,
}

impl Open {
    fn add(&mut self, value: &Value) {
        match value {
            Value::Known(text) => self.text.push_str(text),
            Value::Unknown(unknown) => {
                self.unknown.get_or_insert_with(|| Rc::clone(unknown));
            }
        }
    }

    fn field(self, span: Span, too_long: &Rc<Unknown>) -> Field {
        let value = match self.unknown {
            Some(unknown) => Value::Unknown(unknown),
            None if self.text.len() > MOST_BYTES => Value::Unknown(Rc::clone(too_long)),
            None => self.text.into(),
        };
        Field { value, many: self.many, span }
    }
}

impl Follower<'_> {
    /// The fields of words.
    pub(super) fn fields(&mut self, words: &[Word], state: &mut State, out: &mut Vec<Draft>) -> Vec<Field> {
        let mut fields = Vec::with_capacity(words.len());
        for word in words {
            self.field(word, state, out, &mut fields);
        }
        fields
    }

    fn field(&mut self, word: &Word, state: &mut State, out: &mut Vec<Draft>, fields: &mut Vec<Field>) {
        let segments = self.segments(word, false, state, out);
        for segments in of_braces(segments) {
            self.field_of(segments, word, state, fields);
        }
    }

    fn field_of(&mut self, segments: Vec<Segment>, word: &Word, state: &State, fields: &mut Vec<Field>) {
        let mut open: Option<Open> = None;
        let too_long = Rc::clone(&state.too_long);
        let splitting = Splitting { separators: separators(state), span: word.span, too_long: &too_long };
        for segment in segments {
            match segment {
                Segment::Each(texts) => open.get_or_insert_default().text.push_str(&texts.concat()),
                Segment::Written(text) => {
                    let open = open.get_or_insert_default();
                    open.many |= has_glob(&text);
                    open.text.push_str(&text);
                }
                Segment::Quoted(text) => open.get_or_insert_default().text.push_str(&text),
                Segment::Expanded(value, true) => open.get_or_insert_default().add(&value),
                Segment::Expanded(value, false) => Self::split(&value, &splitting, &mut open, fields),
                Segment::Any(unknown) => {
                    let open = open.get_or_insert_default();
                    open.unknown = Some(unknown);
                    open.many = true;
                }
                Segment::Several(values, quoted) => match values {
                    Ok(values) => {
                        for (at, value) in values.iter().enumerate() {
                            if at > 0 {
                                fields.extend(open.take().map(|open| open.field(word.span, &too_long)));
                            }
                            if quoted {
                                open.get_or_insert_default().add(value);
                            } else {
                                Self::split(value, &splitting, &mut open, fields);
                            }
                        }
                    }
                    Err(unknown) => {
                        let open = open.get_or_insert_default();
                        open.unknown = Some(unknown);
                        open.many = true;
                    }
                },
            }
        }
        fields.extend(open.map(|open| open.field(word.span, &too_long)));
    }

    /// Field splitting of an expansion without quotes.
    fn split(value: &Value, splitting: &Splitting<'_>, open: &mut Option<Open>, fields: &mut Vec<Field>) {
        let text = match value {
            Value::Known(text) => text,
            Value::Unknown(_) => {
                let open = open.get_or_insert_default();
                open.add(value);
                open.many = true;
                return;
            }
        };
        let (span, too_long) = (splitting.span, splitting.too_long);
        let (leading, parts, trailing) = split_fields(text, &splitting.separators);
        if leading {
            fields.extend(open.take().map(|open| open.field(span, too_long)));
        }
        let count = parts.len();
        for (at, part) in parts.into_iter().enumerate() {
            if at > 0 {
                fields.extend(open.take().map(|open| open.field(span, too_long)));
            }
            let open = open.get_or_insert_default();
            open.many |= has_glob(&part);
            open.text.push_str(&part);
        }
        if trailing && count > 0 {
            fields.extend(open.take().map(|open| open.field(span, too_long)));
        }
    }

    /// A word as one text: nothing is split.
    pub(super) fn text(&mut self, word: &Word, state: &mut State, out: &mut Vec<Draft>) -> Value {
        self.joined(word, false, state, out, |text| text.to_owned())
    }

    /// A word as a pattern: what is quoted is escaped.
    pub(super) fn pattern(&mut self, word: &Word, state: &mut State, out: &mut Vec<Draft>) -> Value {
        self.joined(word, false, state, out, escaped)
    }

    /// A word as if it stood in double quotes.
    pub(super) fn quoted_text(&mut self, word: &Word, state: &mut State, out: &mut Vec<Draft>) -> Value {
        self.joined(word, true, state, out, |text| text.to_owned())
    }

    fn joined(
        &mut self,
        word: &Word,
        quoted: bool,
        state: &mut State,
        out: &mut Vec<Draft>,
        quote: impl Fn(&str) -> String,
    ) -> Value {
        let mut open = Open::default();
        for segment in self.segments(word, quoted, state, out) {
            match segment {
                Segment::Written(text) => open.text.push_str(&text),
                Segment::Quoted(text) => open.text.push_str(&quote(&text)),
                Segment::Expanded(Value::Known(text), true) => open.text.push_str(&quote(&text)),
                Segment::Expanded(value, _) => open.add(&value),
                Segment::Any(unknown) => open.add(&Value::Unknown(unknown)),
                Segment::Each(texts) => open.text.push_str(&texts.join(" ")),
                Segment::Several(Ok(values), _) => {
                    for (at, value) in values.iter().enumerate() {
                        open.text.push_str(if at > 0 { " " } else { "" });
                        open.add(value);
                    }
                }
                Segment::Several(Err(unknown), _) => open.add(&Value::Unknown(unknown)),
            }
        }
        open.field(Span::default(), &state.too_long).value
    }

    fn segments(&mut self, word: &Word, quoted: bool, state: &mut State, out: &mut Vec<Draft>) -> Vec<Segment> {
        self.pieces(&word.pieces, word.span, quoted, state, out)
    }

    fn pieces(
        &mut self,
        pieces: &[Piece],
        word: Span,
        quoted: bool,
        state: &mut State,
        out: &mut Vec<Draft>,
    ) -> Vec<Segment> {
        let mut segments = Vec::with_capacity(pieces.len());
        for (at, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Text(text) if quoted => segments.push(Segment::Quoted(text.clone())),
                Piece::Text(text) if at == 0 && text.starts_with('~') => {
                    let unknown = self.unknown(Why::Variable("HOME".into()), word);
                    segments.push(Segment::Expanded(Value::unknown(unknown), true));
                }
                Piece::Text(text) => segments.push(Segment::Written(text.clone())),
                Piece::Quoted(text) => segments.push(Segment::Quoted(text.clone())),
                Piece::Double(inner) => {
                    // Quotes make a field, also an empty one; `"$@"` of nothing does not.
                    if !matches!(inner.as_slice(), [Piece::Parameter(only)] if only.name == "@" || only.index.is_some())
                    {
                        segments.push(Segment::Quoted(String::new()));
                    }
                    segments.extend(self.pieces(inner, word, true, state, out));
                }
                Piece::Parameter(parameter) => segments.push(self.parameter(parameter, quoted, state, out)),
                Piece::Substitution(list, span) => {
                    let value = self.substitution(list, *span, state, out);
                    segments.push(Segment::Expanded(value, quoted));
                }
                Piece::Arithmetic(word) => {
                    let value = match self.calculate(word, state, out) {
                        Ok(number) => number.to_string().into(),
                        Err(unknown) => Value::unknown(unknown),
                    };
                    segments.push(Segment::Expanded(value, quoted));
                }
                Piece::Process(list) => {
                    let (pause, mark) = (state.pause.clone(), out.len());
                    let value = self.captured(list, state, out);
                    // It runs beside the command.
                    state.pause = if out.len() == mark { pause } else { Pause::default() };
                    let path = self.keep_process(value);
                    segments.push(Segment::Quoted(path));
                }
                Piece::Braces(text, _) if quoted => segments.push(Segment::Quoted(text.clone())),
                Piece::Braces(text, span) => match braces(text).filter(|_| self.unit.bash) {
                    Some(values) => segments.push(Segment::Each(values)),
                    None => {
                        let unknown = self.unknown(Why::Command("the shell that expands the braces".into()), *span);
                        segments.push(Segment::Any(Rc::new(unknown)));
                    }
                },
            }
        }
        segments
    }

    /// `$(…)`: its output; its status becomes that of the command, should that be an assignment alone.
    fn substitution(&mut self, list: &List, span: Span, state: &mut State, out: &mut Vec<Draft>) -> Value {
        if let [item] = list.0.as_slice()
            && let [command] = item.first.commands.as_slice()
            && let (Kind::Simple { assignments, words }, [redirect]) = (&command.kind, command.redirects.as_slice())
            && let (true, true, RedirectKind::Input(word)) = (assignments.is_empty(), words.is_empty(), &redirect.kind)
        {
            let path = self.text(word, state, out);
            return self.file_value(&path, span, state, out);
        }
        self.captured(list, state, out).value()
    }

    fn captured(&mut self, list: &List, state: &mut State, out: &mut Vec<Draft>) -> Output {
        let inner = State { output: Output::Text(String::new()), substituted: true, ..state.clone() };
        match self.subshell(inner, out, |follower, state, out| follower.list(list, state, out)) {
            Some(end) => {
                self.substituted = true;
                state.status = end.status;
                state.waited = end.waited;
                state.files = end.files;
                state.pause = end.pause;
                end.output
            }
            None => Output::Text(String::new()),
        }
    }

    fn parameter(&mut self, parameter: &Parameter, quoted: bool, state: &mut State, out: &mut Vec<Draft>) -> Segment {
        let span = parameter.span;
        let content = self.content(parameter, state, out);
        let content = match content {
            Ok(content) => content,
            Err(several) => match (&parameter.operation, several) {
                (Operation::Length, Ok(values)) => return Segment::Expanded(values.len().to_string().into(), quoted),
                (Operation::Length, Err(unknown)) => return Segment::Expanded(Value::Unknown(unknown), quoted),
                (Operation::Default { kind, word, .. }, Ok(values)) if values.is_empty() != (*kind == b'+') => {
                    let value = self.text(word, state, out);
                    return Segment::Expanded(value, quoted);
                }
                (_, several) if quoted && (parameter.name == "*") => {
                    return Segment::Expanded(self.together(several, &separators(state)), true);
                }
                (_, several) => return Segment::Several(several, quoted),
            },
        };
        let value = match &parameter.operation {
            Operation::Value => content.unwrap_or_else(Value::empty),
            Operation::Length => match content.unwrap_or_else(Value::empty) {
                Value::Known(text) if has_symbol(&text) => Value::unknown(self.unknown(super::value::by_name(), span)),
                Value::Known(text) if text.is_ascii() => text.len().to_string().into(),
                // Some shells count bytes, others characters.
                Value::Known(_) => {
                    Value::unknown(self.unknown(Why::Command("the shell that counts the characters".into()), span))
                }
                unknown => unknown,
            },
            Operation::Default { kind, colon, word } => {
                let is_there = content.as_ref().map(|value| !*colon || value.known() != Some(""));
                match (content, kind) {
                    // Whether it is set is not known.
                    (Some(value @ Value::Unknown(_)), _) => {
                        if *kind == b'=' {
                            state.set(&parameter.name, value.clone());
                        }
                        value
                    }
                    (Some(value), b'-' | b'=' | b'?') if is_there == Some(true) => value,
                    (_, b'+') if is_there != Some(true) => Value::empty(),
                    (_, b'?') => Value::empty(),
                    (_, b'=') => {
                        let value = self.text(word, state, out);
                        state.set(&parameter.name, value.clone());
                        value
                    }
                    _ => return self.word_segment(word, quoted, state, out),
                }
            }
            Operation::Trim { suffix, longest, pattern } => {
                let pattern = self.pattern(pattern, state, out);
                match (content.unwrap_or_else(Value::empty), pattern) {
                    (Value::Known(text), Value::Known(pattern)) => trim(&text, &pattern, *suffix, *longest).into(),
                    (unknown @ Value::Unknown(_), _) | (_, unknown @ Value::Unknown(_)) => unknown,
                }
            }
            Operation::Other(word) => {
                let operation = self.text(word, state, out);
                match (content.unwrap_or_else(Value::empty), operation) {
                    (Value::Known(text), Value::Known(operation)) => match of_bash(&text, &operation) {
                        Some(text) => text.into(),
                        None => Value::unknown(self.unknown(Why::Variable(parameter.name.clone()), span)),
                    },
                    (unknown @ Value::Unknown(_), _) | (_, unknown @ Value::Unknown(_)) => unknown,
                }
            }
        };
        Segment::Expanded(value, quoted)
    }

    /// The word of `${x:-word}`: its own quotes count.
    fn word_segment(&mut self, word: &Word, quoted: bool, state: &mut State, out: &mut Vec<Draft>) -> Segment {
        Segment::Expanded(self.text(word, state, out), quoted)
    }

    /// `"$*"`: joined with the first of the separators.
    fn together(&self, several: Result<Vec<Value>, Rc<Unknown>>, separators: &str) -> Value {
        let separator = separators.chars().next().map(String::from).unwrap_or_default();
        let values = match several {
            Ok(values) => values,
            Err(unknown) => return Value::Unknown(unknown),
        };
        let mut text = String::new();
        for (at, value) in values.iter().enumerate() {
            match value {
                Value::Known(part) => {
                    text.push_str(if at > 0 { &separator } else { "" });
                    text.push_str(part);
                }
                Value::Unknown(_) => return value.clone(),
            }
        }
        text.into()
    }

    /// What a parameter holds: a value, certainly nothing, or (as error) several values.
    fn content(
        &mut self,
        parameter: &Parameter,
        state: &mut State,
        out: &mut Vec<Draft>,
    ) -> Result<Option<Value>, Result<Vec<Value>, Rc<Unknown>>> {
        let name = parameter.name.as_str();
        let span = parameter.span;
        match name {
            "@" | "*" => return Err(state.arguments.clone().map(|values| values.to_vec())),
            "#" => {
                return Ok(Some(match &state.arguments {
                    Ok(values) => values.len().to_string().into(),
                    Err(unknown) => Value::Unknown(Rc::clone(unknown)),
                }));
            }
            "?" => {
                return Ok(Some(match &state.status {
                    Status::Known(status) => status.to_string().into(),
                    Status::Unknown(unknown) => match super::outcomes::looked_at(unknown, out) {
                        Some(status) => status.into(),
                        None => Value::Unknown(Rc::clone(unknown)),
                    },
                }));
            }
            "!" => {
                return Ok(Some(match state.last_job {
                    Some(number) => super::jobs::name(number).into(),
                    None => Value::unknown(self.unknown(Why::Variable("!".into()), span)),
                }));
            }
            "0" => return Ok(Some(Value::Known(Rc::clone(&state.zero)))),
            _ => {}
        }
        if let Ok(number) = name.parse::<usize>() {
            return Ok(match &state.arguments {
                Ok(values) => values.get(number.wrapping_sub(1)).cloned(),
                Err(unknown) => Some(Value::Unknown(Rc::clone(unknown))),
            });
        }
        let content = state.variables.get(name).map(|variable| variable.content.clone());
        match (content, &parameter.index) {
            (Some(Content::Array(values)), Some(Index::All)) => Err(Ok(values.to_vec())),
            (Some(Content::Array(values)), index) => {
                let at = match index {
                    Some(Index::One(word)) => self.calculate(word, state, out),
                    _ => Ok(0),
                };
                match at {
                    Ok(at) => Ok(usize::try_from(at).ok().and_then(|at| values.get(at).cloned())),
                    Err(unknown) => Ok(Some(Value::unknown(unknown))),
                }
            }
            (Some(Content::One(value @ Value::Unknown(_))), Some(Index::All)) => match value {
                Value::Unknown(unknown) => Err(Err(unknown)),
                Value::Known(_) => Ok(Some(value)),
            },
            (Some(Content::One(value)), _) => Ok(Some(value)),
            (Some(Content::Unset), _) => Ok(None),
            (None, _) if name == "PWD" => Ok(Some(match &state.directory {
                Some(directory) if directory.is_empty() => HOME.into(),
                Some(directory) => format!("{HOME}/{directory}").into(),
                None => Value::unknown(self.unknown(Why::Variable("PWD".into()), span)),
            })),
            (None, _) => Ok(Some(self.outside(name, span))),
        }
    }

    /// A variable that the script has not set: the environment may have it, or not.
    pub(super) fn outside(&mut self, name: &str, span: Span) -> Value {
        if name == "LAVA_JOB_ID" && self.naming.by_job {
            return self.own_name(span);
        }
        if OF_THE_DEVICE.contains(&name) {
            return Value::unknown(self.unknown(Why::Assignment(format!("the device's {name}")), span));
        }
        match name {
            "IFS" => " \t\n".into(),
            _ => Value::unknown(self.unknown(Why::Variable(name.to_owned()), span)),
        }
    }

    /// The name of the member whose script it is.
    pub(super) fn own_name(&mut self, span: Span) -> Value {
        self.is_own = true;
        if self.naming.is_anyone {
            return Value::unknown(self.unknown(Why::Assignment(OWN_NAME.into()), span));
        }
        match self.naming.name(self.naming.own) {
            Some(name) => name.into(),
            None => Value::unknown(self.unknown(super::value::by_name(), span)),
        }
    }

    /// The positional parameters as fields.
    pub(super) fn arguments(&self, state: &State, many: bool, span: Span) -> Vec<Field> {
        match &state.arguments {
            Ok(values) => values.iter().map(|value| Field { value: value.clone(), many, span }).collect(),
            Err(unknown) => vec![Field { value: Value::Unknown(Rc::clone(unknown)), many: true, span }],
        }
    }
}

/// The characters that separate fields.
fn separators(state: &State) -> String {
    match state.variables.get("IFS").map(|variable| &variable.content) {
        Some(Content::One(Value::Known(text))) => text.to_string(),
        _ => " \t\n".into(),
    }
}

/// Fields of a text: whether it begins with a separator, the fields, whether it ends with one.
pub(super) fn split_fields(text: &str, separators: &str) -> (bool, Vec<String>, bool) {
    let is_blank = |c: char| c.is_ascii_whitespace() && separators.contains(c);
    let is_other = |c: char| !c.is_ascii_whitespace() && separators.contains(c);
    let leading = text.starts_with(|c| is_blank(c) || is_other(c));
    let trailing = text.ends_with(|c| is_blank(c) || is_other(c));
    let mut parts = Vec::new();
    let mut rest = text.trim_start_matches(is_blank);
    while !rest.is_empty() {
        let end = rest.find(|c| is_blank(c) || is_other(c)).unwrap_or(rest.len());
        parts.push(rest[..end].to_owned());
        rest = rest[end..].trim_start_matches(is_blank);
        if rest.starts_with(is_other) {
            let width = rest.chars().next().map_or(0, char::len_utf8);
            rest = rest[width..].trim_start_matches(is_blank);
        }
    }
    (leading, parts, trailing)
}

/// A word for every combination of what braces in it stand for.
fn of_braces(segments: Vec<Segment>) -> Vec<Vec<Segment>> {
    const MOST: usize = 10_000;
    let mut words: Vec<Vec<Segment>> = vec![Vec::with_capacity(segments.len())];
    for segment in segments {
        match segment {
            Segment::Each(texts) if words.len() * texts.len() <= MOST => {
                let with = |word: &Vec<Segment>, text: &String| {
                    let mut word = word.clone();
                    word.push(Segment::Quoted(text.clone()));
                    word
                };
                words = words.iter().flat_map(|word| texts.iter().map(move |text| with(word, text))).collect();
            }
            segment => words.iter_mut().for_each(|word| word.push(segment.clone())),
        }
    }
    words
}

/// `{a,b}` and `{1..5}` as bash expands them.
fn braces(text: &str) -> Option<Vec<String>> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    if inner.contains(',') {
        return Some(inner.split(',').map(str::to_owned).collect());
    }
    let mut parts = inner.split("..");
    let (first, last, step) = (parts.next()?, parts.next()?, parts.next().unwrap_or("1"));
    let (first, last): (i64, i64) = (first.parse().ok()?, last.parse().ok()?);
    let step = step.parse::<i64>().ok()?.checked_abs().filter(|step| *step > 0)?;
    let count = first.checked_sub(last)?.checked_abs()? / step;
    (count < 10_000).then(|| {
        (0..=count).map(|at| (if first <= last { first + at * step } else { first - at * step }).to_string()).collect()
    })
}

/// What only bash has: `/a/b`, `//a/b`, `^^`, `,,`, `:from`, `:from:length`. None for what is not understood.
fn of_bash(text: &str, operation: &str) -> Option<String> {
    match operation {
        "^^" => return Some(text.to_uppercase()),
        ",," => return Some(text.to_lowercase()),
        _ => {}
    }
    if let Some(rest) = operation.strip_prefix(':') {
        let (from, length) = rest.split_once(':').map_or((rest, None), |(from, length)| (from, Some(length)));
        let from: usize = from.trim().parse().ok()?;
        let length = length.map(|length| length.trim().parse::<usize>()).transpose().ok()?;
        return Some(text.chars().skip(from).take(length.unwrap_or(usize::MAX)).collect());
    }
    let rest = operation.strip_prefix('/')?;
    let (all, rest) = rest.strip_prefix('/').map_or((false, rest), |rest| (true, rest));
    let (from, to) = rest.split_once('/').unwrap_or((rest, ""));
    if from.is_empty() || has_glob(from) || from.starts_with(['#', '%']) || from.contains('\\') {
        return None;
    }
    Some(if all { text.replace(from, to) } else { text.replacen(from, to, 1) })
}

//! `[ … ]` and `[[ … ]]`.

use convoke_job::Span;

use super::Follower;
use super::draft::Draft;
use super::expand::Field;
use super::state::State;
use super::value::{Value, by_name, has_symbol, same};
use crate::model::{Unknown, Why};
use crate::shell::ast::{TestPart, Word};

type Answer = Result<bool, Unknown>;

/// `[ … ]` has no more.
const MOST_ARGUMENTS: usize = 48;
/// `[[ … ]]` is no deeper than this.
const MOST_LEVELS: usize = 24;

impl Follower<'_> {
    /// `test` with these arguments.
    pub(super) fn test(&mut self, arguments: &[Field], span: Span, state: &State) -> Answer {
        // Which arguments there are has to be known.
        if let Some(Field { value: Value::Unknown(unknown), .. }) = arguments.iter().find(|field| field.many)
            && arguments.len() != 1
        {
            return Err(unknown.as_ref().clone());
        }
        if arguments.len() > MOST_ARGUMENTS {
            return Err(self.unknown(Why::TooMuch("a test has too many arguments".into()), span));
        }
        let values: Vec<&Value> = arguments.iter().map(|field| &field.value).collect();
        self.either(&values, span, state)
    }

    /// `-o` binds weaker than `-a`, and both weaker than what they join.
    fn either(&mut self, values: &[&Value], span: Span, state: &State) -> Answer {
        for (sign, when) in [("-o", true), ("-a", false)] {
            if values.len() <= 4 {
                break;
            }
            let at = values.iter().position(|value| value.known() == Some(sign));
            if let Some(at) = at.filter(|at| *at > 0) {
                let left = self.either(&values[..at], span, state);
                let right = self.either(&values[at + 1..], span, state);
                return match (left, right) {
                    (Ok(answer), _) | (_, Ok(answer)) if answer == when => Ok(when),
                    (Err(unknown), _) | (_, Err(unknown)) => Err(unknown),
                    _ => Ok(!when),
                };
            }
        }
        match values {
            [] => Ok(false),
            [value] => self.is_filled(value),
            [open, inner @ .., close]
                if open.known() == Some("(") && close.known() == Some(")") && !inner.is_empty() =>
            {
                self.either(inner, span, state)
            }
            [left, sign, right] if sign.known().is_some_and(is_binary) => {
                let sign = sign.known().unwrap_or_default().to_owned();
                self.compare(left, &sign, right, span)
            }
            [not, rest @ ..] if not.known() == Some("!") => self.either(rest, span, state).map(|answer| !answer),
            [sign, value] if sign.known().is_some_and(is_unary) => {
                let sign = sign.known().unwrap_or_default().to_owned();
                self.unary(&sign, value, span, state)
            }
            values => match values.iter().find_map(|value| match value {
                Value::Unknown(unknown) => Some(unknown),
                Value::Known(_) => None,
            }) {
                Some(unknown) => Err(unknown.as_ref().clone()),
                None => Err(self.unknown(Why::Command("test".into()), span)),
            },
        }
    }

    fn is_filled(&self, value: &Value) -> Answer {
        match value {
            Value::Known(text) => Ok(!text.is_empty()),
            Value::Unknown(unknown) => Err(unknown.as_ref().clone()),
        }
    }

    fn unary(&mut self, sign: &str, value: &Value, span: Span, state: &State) -> Answer {
        match sign {
            "-n" => self.is_filled(value),
            "-z" => self.is_filled(value).map(|filled| !filled),
            "-e" | "-f" | "-r" | "-x" | "-s" | "-d" => match value {
                Value::Known(path) if self.has_file(path, state) && sign != "-d" => Ok(true),
                Value::Known(path) => {
                    let shown = self.naming.shown(path);
                    Err(self.unknown(Why::Command(format!("the file {shown}")), span))
                }
                Value::Unknown(unknown) => Err(unknown.as_ref().clone()),
            },
            _ => Err(self.unknown(Why::Command(format!("test {sign}")), span)),
        }
    }

    fn compare(&mut self, left: &Value, sign: &str, right: &Value, span: Span) -> Answer {
        let (left, right) = match (left, right) {
            (Value::Known(left), Value::Known(right)) => (left, right),
            (Value::Unknown(unknown), _) | (_, Value::Unknown(unknown)) => return Err(unknown.as_ref().clone()),
        };
        let number = |text: &str| text.trim().parse::<i64>().ok();
        let numbers = || match (number(left), number(right)) {
            (Some(left), Some(right)) => Ok((left, right)),
            _ if has_symbol(left) || has_symbol(right) => Err(self.unknown(by_name(), span)),
            _ => Err(self.unknown(Why::Command(format!("test {left} {sign} {right}")), span)),
        };
        match sign {
            "=" | "==" => same(left, right).ok_or_else(|| self.unknown(by_name(), span)),
            "!=" => same(left, right).map(|same| !same).ok_or_else(|| self.unknown(by_name(), span)),
            "<" | ">" if has_symbol(left) || has_symbol(right) => Err(self.unknown(by_name(), span)),
            "<" => Ok(left < right),
            ">" => Ok(left > right),
            "-eq" => numbers().map(|(left, right)| left == right),
            "-ne" => numbers().map(|(left, right)| left != right),
            "-lt" => numbers().map(|(left, right)| left < right),
            "-le" => numbers().map(|(left, right)| left <= right),
            "-gt" => numbers().map(|(left, right)| left > right),
            "-ge" => numbers().map(|(left, right)| left >= right),
            _ => Err(self.unknown(Why::Command(format!("test {sign}")), span)),
        }
    }

    /// `[[ … ]]`: nothing is split, and what stands right of `==` is a pattern.
    pub(super) fn double_test(&mut self, parts: &[TestPart], state: &mut State, out: &mut Vec<Draft>) -> Answer {
        let span = parts.iter().find_map(|part| match part {
            TestPart::Word(word) => Some(word.span),
            TestPart::Operator(_) => None,
        });
        let mut test = DoubleTest { parts, at: 0, level: 0, span: span.unwrap_or_default() };
        let answer = test.either(self, state, out);
        if test.at < parts.len() { Err(self.unknown(Why::Command("[[".into()), test.span)) } else { answer }
    }
}

fn is_binary(sign: &str) -> bool {
    matches!(
        sign,
        "=" | "==" | "!=" | "<" | ">" | "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" | "-nt" | "-ot" | "-ef"
    )
}

fn is_unary(sign: &str) -> bool {
    sign.len() == 2 && sign.starts_with('-') && sign.ends_with(|c: char| c.is_ascii_alphabetic())
}

struct DoubleTest<'a> {
    parts: &'a [TestPart],
    at: usize,
    level: usize,
    span: Span,
}

impl<'a> DoubleTest<'a> {
    fn operator(&mut self, sign: &str) -> bool {
        let found = matches!(self.parts.get(self.at), Some(TestPart::Operator(next)) if *next == sign);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self) -> Option<&'a Word> {
        match self.parts.get(self.at) {
            Some(TestPart::Word(word)) => {
                self.at += 1;
                Some(word)
            }
            _ => None,
        }
    }

    fn either(&mut self, follower: &mut Follower<'_>, state: &mut State, out: &mut Vec<Draft>) -> Answer {
        let mut answer = self.both(follower, state, out);
        while self.operator("||") {
            let right = self.both(follower, state, out);
            answer = match (answer, right) {
                (Ok(true), _) | (_, Ok(true)) => Ok(true),
                (Ok(false), right) => right,
                (unknown, _) => unknown,
            };
        }
        answer
    }

    fn both(&mut self, follower: &mut Follower<'_>, state: &mut State, out: &mut Vec<Draft>) -> Answer {
        let mut answer = self.one(follower, state, out);
        while self.operator("&&") {
            let right = self.one(follower, state, out);
            answer = match (answer, right) {
                (Ok(false), _) | (_, Ok(false)) => Ok(false),
                (Ok(true), right) => right,
                (unknown, _) => unknown,
            };
        }
        answer
    }

    fn one(&mut self, follower: &mut Follower<'_>, state: &mut State, out: &mut Vec<Draft>) -> Answer {
        let puzzled = |follower: &Follower<'_>, span| follower.unknown(Why::Command("[[".into()), span);
        self.level += 1;
        if self.level > MOST_LEVELS {
            return Err(puzzled(follower, self.span));
        }
        let answer = if self.operator("!") {
            self.one(follower, state, out).map(|answer| !answer)
        } else if self.operator("(") {
            let answer = self.either(follower, state, out);
            if self.operator(")") { answer } else { Err(puzzled(follower, self.span)) }
        } else {
            self.primary(follower, state, out)
        };
        self.level -= 1;
        answer
    }

    fn primary(&mut self, follower: &mut Follower<'_>, state: &mut State, out: &mut Vec<Draft>) -> Answer {
        let Some(first) = self.word() else {
            return Err(follower.unknown(Why::Command("[[".into()), self.span));
        };
        if let Some(sign) = first.literal().filter(|sign| is_unary(sign))
            && let Some(word) = self.word()
        {
            let value = follower.text(word, state, out);
            return follower.unary(sign, &value, self.span, state);
        }
        let left = follower.text(first, state, out);
        let less = self.operator("<");
        if less || self.operator(">") {
            let right = self.word().map(|word| follower.text(word, state, out)).unwrap_or_else(Value::empty);
            return follower.compare(&left, if less { "<" } else { ">" }, &right, self.span);
        }
        let sign = match self.parts.get(self.at) {
            Some(TestPart::Word(word)) => word.literal().filter(|sign| is_binary(sign) || *sign == "=~"),
            _ => None,
        };
        let Some(sign) = sign else { return follower.is_filled(&left) };
        self.at += 1;
        let Some(word) = self.word() else {
            return Err(follower.unknown(Why::Command("[[".into()), self.span));
        };
        match sign {
            "=" | "==" | "!=" => {
                let pattern = follower.pattern(word, state, out);
                let answer = follower.matches(&left, &pattern, self.span);
                answer.map(|answer| answer == (sign != "!=")).map_err(|unknown| unknown.as_ref().clone())
            }
            "=~" => {
                let right = follower.text(word, state, out);
                match (&left, &right) {
                    (Value::Known(left), Value::Known(right)) if !has_symbol(left) && !has_symbol(right) => {
                        let regex = convoke_job::pattern::compile(right).ok();
                        let found = regex.and_then(|regex| regex.is_match(left.as_ref()).ok());
                        found.ok_or_else(|| follower.unknown(Why::Command("[[".into()), self.span))
                    }
                    (Value::Unknown(unknown), _) | (_, Value::Unknown(unknown)) => Err(unknown.as_ref().clone()),
                    _ => Err(follower.unknown(by_name(), self.span)),
                }
            }
            sign => {
                let right = follower.text(word, state, out);
                follower.compare(&left, sign, &right, self.span)
            }
        }
    }
}

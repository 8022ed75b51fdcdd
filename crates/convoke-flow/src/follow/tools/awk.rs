//! `awk`: fields of lines, all or those that match one simple condition.

use super::Options;

/// `CONDITION { print FIELDS }`
pub(crate) struct Program {
    separator: Option<String>,
    condition: Condition,
    /// Field numbers; 0 is the line.
    fields: Vec<usize>,
}

enum Condition {
    Always,
    Matches(usize, String, bool),
    Equals(usize, String, bool),
    Line(usize),
}

pub(super) fn options<'a>(words: &[&'a str]) -> Option<(Options, Vec<&'a str>)> {
    let mut separator = None;
    let mut program = None;
    let mut files = Vec::new();
    let mut rest = words.iter().copied();
    while let Some(word) = rest.next() {
        match word.strip_prefix("-F") {
            Some("") => separator = Some(rest.next()?.to_owned()),
            Some(given) => separator = Some(given.to_owned()),
            None if word.starts_with('-') => return None,
            None if program.is_none() => program = Some(read(word.trim())?),
            None => files.push(word),
        }
    }
    let (condition, fields) = program?;
    let separator = match separator.as_deref() {
        Some(" ") | None => None,
        Some("\\t") => Some("\t".to_owned()),
        Some(other) if other.chars().count() == 1 => Some(other.to_owned()),
        Some(_) => return None,
    };
    Some((Options::Awk(Box::new(Program { separator, condition, fields })), files))
}

fn read(text: &str) -> Option<(Condition, Vec<usize>)> {
    let (condition, action) = match text.split_once('{') {
        Some((condition, action)) => (condition.trim(), action.trim().strip_suffix('}')?.trim()),
        None => (text, "print"),
    };
    let what = action.trim_end_matches(';').trim().strip_prefix("print")?.trim();
    let fields = if what.is_empty() {
        vec![0]
    } else {
        what.split(',').map(|field| number(field.trim())).collect::<Option<_>>()?
    };
    Some((self::condition(condition)?, fields))
}

/// `$3`
fn number(field: &str) -> Option<usize> {
    match field.strip_prefix('$')? {
        "NF" => Some(usize::MAX),
        digits => digits.parse().ok(),
    }
}

fn condition(text: &str) -> Option<Condition> {
    if text.is_empty() {
        return Some(Condition::Always);
    }
    let regex = |text: &str| text.strip_prefix('/')?.strip_suffix('/').map(|regex| regex.replace("\\/", "/"));
    let quoted = |text: &str| text.strip_prefix('"')?.strip_suffix('"').map(str::to_owned);
    if let Some(found) = regex(text) {
        return Some(Condition::Matches(0, found, true));
    }
    if let Some(found) = text.strip_prefix('!').and_then(|text| regex(text.trim())) {
        return Some(Condition::Matches(0, found, false));
    }
    for (sign, positive) in [("==", true), ("!=", false), ("!~", false), ("~", true)] {
        let Some((left, right)) = text.split_once(sign) else { continue };
        let (left, right) = (left.trim(), right.trim());
        if left == "NR" && sign == "==" {
            return right.parse().ok().map(Condition::Line);
        }
        let field = number(left)?;
        return if sign.contains('~') {
            Some(Condition::Matches(field, regex(right)?, positive))
        } else {
            Some(Condition::Equals(field, quoted(right)?, positive))
        };
    }
    None
}

impl Program {
    pub(super) fn apply(&self, text: &str) -> Option<String> {
        let regex = match &self.condition {
            Condition::Matches(_, regex, _) => Some(convoke_job::pattern::compile(regex).ok()?),
            _ => None,
        };
        let mut out = String::new();
        for (at, line) in text.lines().enumerate() {
            let parts: Vec<&str> = match &self.separator {
                Some(separator) => line.split(separator.as_str()).collect(),
                None => line.split_whitespace().collect(),
            };
            let field = |number: usize| match number {
                0 => line,
                usize::MAX => parts.last().copied().unwrap_or_default(),
                number => parts.get(number - 1).copied().unwrap_or_default(),
            };
            let wanted = match &self.condition {
                Condition::Always => true,
                Condition::Line(number) => at + 1 == *number,
                Condition::Equals(number, text, positive) => (field(*number) == text) == *positive,
                Condition::Matches(number, _, positive) => regex.as_ref()?.is_match(field(*number)).ok()? == *positive,
            };
            if wanted {
                let shown: Vec<&str> = self.fields.iter().map(|number| field(*number)).collect();
                out.push_str(&shown.join(" "));
                out.push('\n');
            }
        }
        Some(out)
    }
}

//! Programs that make text of text, as far as scripts use them on what is known.

mod awk;
pub(super) mod printf;
mod regex;
mod sed;

use std::rc::Rc;

use convoke_job::Span;

use super::Follower;
use super::expand::Field;
use super::state::{Input, Output, State, Status};
use super::value::{HOME, Value, has_symbol};

/// Texts longer than this are not worked on.
const MOST_BYTES: usize = 1 << 20;
/// `seq` prints no more.
const MOST_NUMBERS: i64 = 10_000;

/// Programs that only make text of their input.
pub(super) fn is_filter(program: &str) -> bool {
    matches!(
        program,
        "cat"
            | "cut"
            | "grep"
            | "egrep"
            | "fgrep"
            | "sed"
            | "awk"
            | "gawk"
            | "head"
            | "tail"
            | "tr"
            | "sort"
            | "uniq"
            | "wc"
            | "tac"
            | "rev"
            | "tee"
            | "xargs"
            | "column"
            | "nl"
            | "paste"
            | "fold"
            | "fmt"
    )
}

/// Programs that show their arguments, or look at files of that name: a helper named there is not run.
pub(super) fn only_shows(program: &str) -> bool {
    is_filter(program)
        || matches!(
            program,
            "which"
                | "man"
                | "logger"
                | "pgrep"
                | "pkill"
                | "killall"
                | "rm"
                | "cp"
                | "mv"
                | "ln"
                | "chmod"
                | "file"
                | "ls"
                | "stat"
                | "whereis"
                | "basename"
                | "dirname"
                | "readlink"
                | "realpath"
                | "expr"
                | "git"
                | "apt-get"
                | "curl"
                | "wget"
                | "mkdir"
                | "touch"
                | "diff"
                | "cmp"
                | "sha256sum"
                | "md5sum"
        )
}

/// Programs that print nothing.
pub(super) fn is_silent(program: &str) -> bool {
    matches!(program, "sleep" | "mkdir" | "rm" | "touch" | "cp" | "mv" | "ln" | "chmod" | "chown" | "kill" | "sync")
}

/// Programs that do not fail.
pub(super) fn is_certain(program: &str) -> bool {
    matches!(
        program,
        "sleep" | "date" | "sync" | "clear" | "uname" | "hostname" | "whoami" | "id" | "ps" | "free" | "uptime"
    )
}

/// The key a program looks for, when that can be told: the text before `=` in what it is given.
pub(super) fn key(program: &str, arguments: &[Field]) -> Option<String> {
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !matches!(program, "grep" | "egrep" | "fgrep" | "sed" | "awk" | "gawk") {
        return None;
    }
    let plain = program.ends_with("grep");
    for text in arguments.iter().filter_map(|field| field.value.known()) {
        if text.starts_with('-') || text.starts_with('/') && plain {
            continue;
        }
        for (at, _) in text.match_indices('=') {
            let before = &text[..at];
            let key = &before[before.trim_end_matches(is_key).len()..];
            let key = key.trim_start_matches(['.', '-']);
            if !key.is_empty() && !text[at..].starts_with("==") {
                return Some(key.to_owned());
            }
        }
        let whole = text.trim_matches(['^', ':', '=', '"', '\'']);
        if plain && !whole.is_empty() && whole.chars().all(is_key) {
            return Some(whole.to_owned());
        }
    }
    None
}

/// `\n`, `\t` and `\\`.
pub(super) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('\\') => out.push('\\'),
            Some(c) => out.extend(['\\', c]),
            None => out.push('\\'),
        }
    }
    out
}

/// `tee FILE`
fn keep_tee(words: &[&str], printed: Option<&(Value, Status)>, state: &mut State) {
    for word in words.iter().filter(|word| !word.starts_with('-')) {
        let Some(key) = super::scripts::key(word, state) else { continue };
        match printed {
            Some((Value::Known(text), _)) if !words.contains(&"-a") => {
                state.files.insert(key, Output::Text(text.to_string()));
            }
            _ => {
                state.files.remove(&key);
            }
        }
    }
}

/// What a tool prints, and its status.
type Printed = Option<(Value, Status)>;

impl Follower<'_> {
    /// A tool on what is known; none for programs that are no tools, and for what is not known.
    pub(super) fn tool(&mut self, program: &str, arguments: &[Field], span: Span, state: &mut State) -> Printed {
        let mut words: Vec<Rc<str>> = Vec::with_capacity(arguments.len());
        for field in arguments {
            match &field.value {
                Value::Known(text) if !field.many => words.push(Rc::clone(text)),
                Value::Known(text) if is_filter(program) => words.push(Rc::clone(text)),
                Value::Known(_) => return None,
                Value::Unknown(unknown) => {
                    if !matches!(program, "seq" | "basename" | "dirname" | "expr" | "realpath" | "readlink")
                        && !is_filter(program)
                    {
                        return None;
                    }
                    let status = if matches!(program, "seq" | "basename" | "dirname" | "realpath" | "readlink") {
                        Status::DONE
                    } else {
                        Status::Unknown(Rc::clone(unknown))
                    };
                    return Some((Value::Unknown(Rc::clone(unknown)), status));
                }
            }
        }
        let words: Vec<&str> = words.iter().map(Rc::as_ref).collect();
        let done = |text: String| Some((Value::from(text), Status::DONE));
        match program {
            "seq" => done(seq(&words)?),
            "basename" => {
                let name = words.first()?.trim_end_matches('/');
                let name = name.rsplit('/').next().unwrap_or(name);
                let name = words.get(1).and_then(|end| name.strip_suffix(end)).unwrap_or(name);
                done(format!("{name}\n"))
            }
            "realpath" | "readlink" => {
                let (options, files): (Vec<&str>, Vec<&str>) = words.iter().partition(|word| word.starts_with('-'));
                let follows =
                    program == "realpath" && options.is_empty() || matches!(options[..], ["-f" | "-e" | "-m"]);
                let [path] = files[..] else { return None };
                let inside = super::scripts::inside(path, state).filter(|_| follows)?;
                let slash = if inside.is_empty() { "" } else { "/" };
                done(format!("{HOME}{slash}{inside}\n"))
            }
            "which" => {
                let [name] = words[..] else { return None };
                done(super::helpers::path_of(super::helpers::name_of(name)?) + "\n")
            }
            "dirname" => {
                let path = words.first()?.trim_end_matches('/');
                done(format!("{}\n", path.rsplit_once('/').map_or(".", |(directory, _)| directory)))
            }
            "expr" => {
                let text = words.join(" ");
                if words.iter().any(|word| has_symbol(word))
                    || !text.chars().all(|c| c.is_ascii_digit() || " +-*/%()<>=!".contains(c))
                {
                    return None;
                }
                let number = self.calculated(&text.replace(" = ", " == "), span, state).ok()?;
                Some((Value::from(format!("{number}\n")), Status::of(number != 0)))
            }
            program if is_filter(program) => {
                let printed = self.filter(program, &words, state);
                if program == "tee" {
                    keep_tee(&words, printed.as_ref(), state);
                }
                printed
            }
            _ => None,
        }
    }

    fn filter(&mut self, program: &str, words: &[&str], state: &mut State) -> Printed {
        let (options, files) = match program {
            "cut" => cut_options(words)?,
            "head" | "tail" => head_options(words, program == "head")?,
            "grep" | "egrep" | "fgrep" => regex::options(program, words)?,
            "sed" => sed::options(words)?,
            "awk" | "gawk" => awk::options(words)?,
            "cat" | "tac" | "sort" | "uniq" | "wc" | "tee" | "rev" => {
                let (options, files): (Vec<_>, Vec<_>) =
                    words.iter().partition(|word| word.starts_with('-') && word.len() > 1);
                (Options::Words(options.into_iter().map(|word: &str| word.to_owned()).collect()), files)
            }
            "tr" => (Options::Words(words.iter().map(|word| (*word).to_owned()).collect()), Vec::new()),
            _ => return None,
        };
        let mut text = String::new();
        let files: Vec<&str> = files.into_iter().filter(|file| *file != "-").collect();
        if files.is_empty() || program == "tee" {
            match state.input.clone() {
                Input::Text(input, from) => {
                    text.push_str(&input[from..]);
                    state.input = Input::Text(Rc::clone(&input), input.len());
                }
                Input::Outside | Input::Unknown(_) => return None,
            }
        } else {
            for file in files {
                text.push_str(&self.file_text(file, state)?);
            }
        }
        if text.len() > MOST_BYTES {
            return None;
        }
        options.apply(program, &text)
    }
}

/// The arguments of a filter, read.
pub(super) enum Options {
    Words(Vec<String>),
    Cut { delimiter: Option<char>, list: Vec<(usize, usize)>, only: bool },
    Lines { first: bool, count: usize, from: bool },
    Grep(Box<regex::Grep>),
    Sed(Vec<sed::Command>, bool),
    Awk(Box<awk::Program>),
}

impl Options {
    fn apply(&self, program: &str, text: &str) -> Printed {
        let lines = || text.lines();
        let joined = |lines: Vec<&str>| {
            let mut out = String::with_capacity(text.len());
            for line in lines {
                out.push_str(line);
                out.push('\n');
            }
            out
        };
        let out = match self {
            Options::Words(words) => match (program, words.as_slice()) {
                ("cat" | "tee", _) => text.to_owned(),
                ("tac", _) => joined(lines().rev().collect()),
                ("rev", _) => lines().map(|line| line.chars().rev().chain(['\n']).collect::<String>()).collect(),
                ("sort", options) => return sort(text, options),
                ("uniq", []) => {
                    let mut all: Vec<&str> = lines().collect();
                    all.dedup();
                    joined(all)
                }
                ("wc", [option]) => match option.as_str() {
                    "-l" => format!("{}\n", text.matches('\n').count()),
                    "-w" => format!("{}\n", text.split_whitespace().count()),
                    _ => return None,
                },
                ("tr", words) => tr(text, words)?,
                _ => return None,
            },
            Options::Cut { delimiter, list, only } => {
                let cut = |line: &str| cut_line(line, *delimiter, list, *only);
                lines().filter_map(cut).map(|line| line + "\n").collect()
            }
            Options::Lines { first: true, count, .. } => joined(lines().take(*count).collect()),
            Options::Lines { count, from: true, .. } => joined(lines().skip(count.saturating_sub(1)).collect()),
            Options::Lines { count, .. } => {
                let all: Vec<&str> = lines().collect();
                joined(all[all.len().saturating_sub(*count)..].to_vec())
            }
            Options::Grep(grep) => return grep.apply(text),
            Options::Sed(commands, silent) => sed::apply(commands, *silent, text)?,
            Options::Awk(program) => program.apply(text)?,
        };
        Some((out.into(), Status::DONE))
    }
}

fn seq(words: &[&str]) -> Option<String> {
    let words: Vec<&str> = words.iter().copied().filter(|word| *word != "-w").collect();
    let numbers: Vec<i64> = words.iter().map(|word| word.parse().ok()).collect::<Option<_>>()?;
    let (first, step, last) = match numbers.as_slice() {
        [last] => (1, 1, *last),
        [first, last] => (*first, 1, *last),
        [first, step, last] => (*first, *step, *last),
        _ => return None,
    };
    if step == 0 || last.checked_sub(first)?.checked_abs()? / step.checked_abs()? > MOST_NUMBERS {
        return None;
    }
    let mut out = String::new();
    let mut number = first;
    while if step > 0 { number <= last } else { number >= last } {
        out.push_str(&format!("{number}\n"));
        number = number.checked_add(step)?;
    }
    Some(out)
}

fn cut_options<'a>(words: &[&'a str]) -> Option<(Options, Vec<&'a str>)> {
    let mut delimiter = Some('\t');
    let mut list = Vec::new();
    let mut only = false;
    let mut files = Vec::new();
    let mut rest = words.iter().copied();
    while let Some(word) = rest.next() {
        let mut chars = word.chars();
        match (chars.next(), chars.next()) {
            (Some('-'), Some('s')) => only = true,
            (Some('-'), Some(option @ ('d' | 'f' | 'c'))) => {
                let value = if word.len() > 2 { &word[2..] } else { rest.next()? };
                match option {
                    'd' => delimiter = Some(value.chars().next()?),
                    'f' => list = ranges(value)?,
                    _ => {
                        delimiter = None;
                        list = ranges(value)?;
                    }
                }
            }
            (Some('-'), Some(_)) => return None,
            _ => files.push(word),
        }
    }
    Some((Options::Cut { delimiter, list, only }, files))
}

/// `1,3-5,7-`
fn ranges(text: &str) -> Option<Vec<(usize, usize)>> {
    let range = |part: &str| {
        let number = |text: &str, default: usize| if text.is_empty() { Some(default) } else { text.parse().ok() };
        match part.split_once('-') {
            Some((from, to)) => Some((number(from, 1)?, number(to, usize::MAX)?)),
            None => part.parse().ok().map(|at| (at, at)),
        }
    };
    text.split(',').map(range).collect()
}

fn cut_line(line: &str, delimiter: Option<char>, list: &[(usize, usize)], only: bool) -> Option<String> {
    let wanted = |at: usize| list.iter().any(|(from, to)| (*from..=*to).contains(&(at + 1)));
    let Some(delimiter) = delimiter else {
        return Some(line.chars().enumerate().filter(|(at, _)| wanted(*at)).map(|(_, c)| c).collect());
    };
    if !line.contains(delimiter) {
        return (!only).then(|| line.to_owned());
    }
    let fields: Vec<&str> =
        line.split(delimiter).enumerate().filter(|(at, _)| wanted(*at)).map(|(_, field)| field).collect();
    Some(fields.join(&delimiter.to_string()))
}

fn head_options<'a>(words: &[&'a str], first: bool) -> Option<(Options, Vec<&'a str>)> {
    let (mut count, mut from) = (10, false);
    let mut files = Vec::new();
    let mut rest = words.iter().copied();
    while let Some(word) = rest.next() {
        let number = match word {
            "-n" => Some(rest.next()?),
            word => word.strip_prefix("-n").or(word.strip_prefix('-')),
        };
        match number {
            Some(number) => {
                from = number.starts_with('+');
                count = number.trim_start_matches('+').parse().ok()?;
            }
            None => files.push(word),
        }
    }
    Some((Options::Lines { first, count, from }, files))
}

fn sort(text: &str, options: &[String]) -> Printed {
    let mut lines: Vec<&str> = text.lines().collect();
    if has_symbol(text) {
        return None;
    }
    match options {
        [] => lines.sort_unstable(),
        [option] => match option.as_str() {
            "-u" => {
                lines.sort_unstable();
                lines.dedup();
            }
            "-r" => {
                lines.sort_unstable();
                lines.reverse();
            }
            "-n" => lines.sort_by_key(|line| line.trim().parse::<i64>().unwrap_or(0)),
            _ => return None,
        },
        _ => return None,
    }
    Some((lines.iter().map(|line| format!("{line}\n")).collect::<String>().into(), Status::DONE))
}

fn tr(text: &str, words: &[String]) -> Option<String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["-d", set] => {
            let set = tr_set(set)?;
            Some(text.chars().filter(|c| !set.contains(c)).collect())
        }
        ["-s", set] => {
            let set = tr_set(set)?;
            let mut out = String::new();
            for c in text.chars() {
                if !(set.contains(&c) && out.ends_with(c)) {
                    out.push(c);
                }
            }
            Some(out)
        }
        [from, to] => {
            let (from, to) = (tr_set(from)?, tr_set(to)?);
            let last = *to.last()?;
            let put = |c: char| match from.iter().position(|one| *one == c) {
                Some(at) => to.get(at).copied().unwrap_or(last),
                None => c,
            };
            Some(text.chars().map(put).collect())
        }
        _ => None,
    }
}

fn tr_set(set: &str) -> Option<Vec<char>> {
    let mut set = unescaped(set);
    for (class, range) in [
        ("[:upper:]", "A-Z"),
        ("[:lower:]", "a-z"),
        ("[:digit:]", "0-9"),
        ("[:space:]", " \t\n\r"),
        ("[:blank:]", " \t"),
    ] {
        set = set.replace(class, range);
    }
    let chars: Vec<char> = set.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        if chars.get(at + 1) == Some(&'-') && at + 2 < chars.len() {
            let (from, to) = (chars[at], chars[at + 2]);
            if to < from || out.len() > 1000 {
                return None;
            }
            out.extend((from..=to).take(1000));
            at += 3;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    Some(out)
}

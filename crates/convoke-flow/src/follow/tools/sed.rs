//! `sed`: substitutions, and lines by number.

use super::Options;
use super::regex::basic;

/// One command of a script.
pub(crate) enum Command {
    Substitute {
        regex: String,
        with: String,
        all: bool,
        prints: bool,
    },
    /// `3p`, `3d`, `3q`; 0 is the last line.
    Line {
        number: usize,
        action: char,
    },
}

pub(super) fn options<'a>(words: &[&'a str]) -> Option<(Options, Vec<&'a str>)> {
    let (mut silent, mut extended) = (false, false);
    let mut scripts = Vec::new();
    let mut files = Vec::new();
    let mut rest = words.iter().copied();
    while let Some(word) = rest.next() {
        match word {
            "-n" => silent = true,
            "-E" | "-r" => extended = true,
            "-nE" | "-nr" | "-En" | "-rn" => (silent, extended) = (true, true),
            "-e" => scripts.push(rest.next()?),
            "-ne" => {
                silent = true;
                scripts.push(rest.next()?);
            }
            word if word.starts_with('-') => return None,
            word if scripts.is_empty() => scripts.push(word),
            word => files.push(word),
        }
    }
    let mut commands = Vec::new();
    for script in scripts {
        commands.push(command(script.trim(), extended)?);
    }
    Some((Options::Sed(commands, silent), files))
}

fn command(script: &str, extended: bool) -> Option<Command> {
    if let Some(rest) = script.strip_prefix('s') {
        let delimiter = rest.chars().next().filter(|c| !c.is_alphanumeric())?;
        let mut parts = vec![String::new()];
        let mut chars = rest.chars().skip(1);
        while let Some(c) = chars.next() {
            if c == '\\' {
                let next = chars.next()?;
                if next != delimiter {
                    parts.last_mut()?.push('\\');
                }
                parts.last_mut()?.push(next);
            } else if c == delimiter {
                parts.push(String::new());
            } else {
                parts.last_mut()?.push(c);
            }
        }
        let [regex, with, flags] = parts.as_slice() else { return None };
        if flags.chars().any(|flag| !matches!(flag, 'g' | 'p')) {
            return None;
        }
        let regex = if extended { regex.clone() } else { basic(regex) };
        return Some(Command::Substitute {
            regex,
            with: with.clone(),
            all: flags.contains('g'),
            prints: flags.contains('p'),
        });
    }
    let action = script.chars().last().filter(|action| matches!(action, 'p' | 'd' | 'q'))?;
    let number = &script[..script.len() - 1];
    let number = if number == "$" { 0 } else { number.parse().ok().filter(|number| *number > 0)? };
    Some(Command::Line { number, action })
}

pub(super) fn apply(commands: &[Command], silent: bool, text: &str) -> Option<String> {
    let count = text.lines().count();
    let mut out = String::new();
    for (at, line) in text.lines().enumerate() {
        let mut line = line.to_owned();
        let (mut shown, mut more, mut ends) = (!silent, 0, false);
        for command in commands {
            match command {
                Command::Substitute { regex, with, all, prints } => {
                    let regex = convoke_job::pattern::compile(regex).ok()?;
                    if !regex.is_match(&line).ok()? {
                        continue;
                    }
                    line = substitute(&regex, &line, with, *all)?;
                    more += usize::from(*prints);
                }
                Command::Line { number, action } => {
                    if at + 1 == if *number == 0 { count } else { *number } {
                        match action {
                            'p' => more += 1,
                            'd' => shown = false,
                            _ => ends = true,
                        }
                    }
                }
            }
        }
        for _ in 0..usize::from(shown) + more {
            out.push_str(&line);
            out.push('\n');
        }
        if ends {
            break;
        }
    }
    Some(out)
}

macro_rules! replacement {
    ($captures:expr, $with:expr) => {{
        let mut out = String::new();
        let mut chars = $with.chars();
        while let Some(c) = chars.next() {
            match c {
                '&' => out.push_str($captures.get(0).map_or("", |found| found.as_str())),
                '\\' => match chars.next() {
                    Some(digit @ '1'..='9') => {
                        let group = digit.to_digit(10).unwrap_or(0) as usize;
                        out.push_str($captures.get(group).map_or("", |found| found.as_str()));
                    }
                    Some('n') => out.push('\n'),
                    Some(c) => out.push(c),
                    None => {}
                },
                c => out.push(c),
            }
        }
        out
    }};
}

fn substitute(regex: &fancy_regex::Regex, line: &str, with: &str, all: bool) -> Option<String> {
    let mut out = String::new();
    let mut at = 0;
    for captures in regex.captures_iter(line) {
        let captures = captures.ok()?;
        let found = captures.get(0)?;
        out.push_str(line.get(at..found.start())?);
        out.push_str(&replacement!(captures, with));
        at = found.end();
        if !all {
            break;
        }
    }
    out.push_str(line.get(at..)?);
    Some(out)
}

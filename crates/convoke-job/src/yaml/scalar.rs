//! What a plain scalar means in YAML 1.1 (job-definition.md §1), as LAVA's loader reads it.
//!
//! The forms are those of the YAML 1.1 type repository with the usual loader's narrowing: `y` and `n` are text, an
//! exponent needs a sign and a point, `08` is text. Nothing here fails: what is no other type is text.

use crate::node::NodeKind;

/// Resolves a plain scalar.
pub(super) fn resolve(text: &str) -> NodeKind {
    if let Some(kind) = word(text) {
        return kind;
    }
    // Everything below starts with one of these characters.
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return NodeKind::Text(text.to_owned());
    }
    if let Some(number) = int(text) {
        NodeKind::Int(number)
    } else if let Some(number) = float(text) {
        NodeKind::Float(number)
    } else if is_date(text) {
        NodeKind::Date(text.to_owned())
    } else {
        NodeKind::Text(text.to_owned())
    }
}

/// Resolves a scalar whose tag names its type; `None` when the text is no such value or the type is unknown.
pub(super) fn resolve_as(tag: &str, text: &str) -> Option<NodeKind> {
    match tag {
        "str" => Some(NodeKind::Text(text.to_owned())),
        "null" => matches!(word(text), Some(NodeKind::Null)).then_some(NodeKind::Null),
        "bool" => word(text).filter(|kind| matches!(kind, NodeKind::Bool(_))),
        "int" => int(text).map(NodeKind::Int),
        "float" => float(text).or_else(|| int(text).map(|number| number as f64)).map(NodeKind::Float),
        "timestamp" => is_date(text).then(|| NodeKind::Date(text.to_owned())),
        _ => None,
    }
}

fn word(text: &str) -> Option<NodeKind> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => NodeKind::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => NodeKind::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => NodeKind::Bool(false),
        _ => return None,
    })
}

fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn all(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(allowed)
}

/// `0b1010_0111`, `0755`, `0xff`, `1_000`, `1:30:00`; a number beyond 128 bits is no integer.
fn int(text: &str) -> Option<i128> {
    let (negative, digits) = signed(text);
    let number = if let Some(binary) = digits.strip_prefix("0b") {
        radix(binary, 2)?
    } else if let Some(hexadecimal) = digits.strip_prefix("0x") {
        radix(hexadecimal, 16)?
    } else if digits == "0" {
        0
    } else if digits.starts_with('0') {
        radix(digits, 8)?
    } else if digits.contains(':') {
        let mut parts = digits.split(':');
        let mut number = radix(parts.next()?, 10)?;
        for part in parts {
            number = number.checked_mul(60)?.checked_add(i128::from(sixty(part)?))?;
        }
        number
    } else {
        radix(digits, 10)?
    };
    Some(if negative { -number } else { number })
}

fn radix(digits: &str, radix: u32) -> Option<i128> {
    let allowed = |byte: u8| byte == b'_' || char::from(byte).is_digit(radix);
    let starts_well = radix != 10 || digits.starts_with(|first: char| first.is_ascii_digit());
    if !starts_well || !all(digits, allowed) {
        return None;
    }
    i128::from_str_radix(&digits.replace('_', ""), radix).ok()
}

/// One sexagesimal part after the first: `0` to `59`.
fn sixty(part: &str) -> Option<u8> {
    let fits = matches!(part.len(), 1 | 2) && part.bytes().all(|byte| byte.is_ascii_digit());
    part.parse().ok().filter(|number| fits && *number < 60)
}

/// `1.5`, `.5`, `1_000.5e+3`, `.inf`, `.NaN`, `1:30.5`.
fn float(text: &str) -> Option<f64> {
    let (negative, digits) = signed(text);
    if text == digits && matches!(digits, ".nan" | ".NaN" | ".NAN") {
        return Some(f64::NAN);
    }
    let number = if matches!(digits, ".inf" | ".Inf" | ".INF") { f64::INFINITY } else { decimal(digits)? };
    Some(if negative { -number } else { number })
}

fn decimal(digits: &str) -> Option<f64> {
    let (whole, rest) = digits.split_once('.')?;
    if let Some((first, sixties)) = whole.split_once(':') {
        if !all(rest, |byte| byte == b'_' || byte.is_ascii_digit()) && !rest.is_empty() {
            return None;
        }
        let mut number = plain(first)?;
        for part in sixties.split(':') {
            number = number * 60.0 + f64::from(sixty(part)?);
        }
        let fraction: f64 = format!("0.{}", rest.replace('_', "")).parse().ok()?;
        return Some(number + fraction);
    }
    let (fraction, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let digit = |byte: u8| byte == b'_' || byte.is_ascii_digit();
    let whole_fits = whole.is_empty() || (whole.starts_with(|first: char| first.is_ascii_digit()) && all(whole, digit));
    let fraction_fits = if whole.is_empty() {
        fraction.starts_with(|first: char| first.is_ascii_digit()) && all(fraction, digit)
    } else {
        fraction.bytes().all(digit)
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        exponent.strip_prefix(['+', '-']).is_some_and(|digits| all(digits, |byte| byte.is_ascii_digit()))
    });
    if !(whole_fits && fraction_fits && exponent_fits) {
        return None;
    }
    let exponent = exponent.map(|exponent| format!("e{exponent}")).unwrap_or_default();
    format!("0{}.{}0{exponent}", whole.replace('_', ""), fraction.replace('_', "")).parse().ok()
}

fn plain(digits: &str) -> Option<f64> {
    let fits = digits.starts_with(|first: char| first.is_ascii_digit())
        && all(digits, |byte| byte == b'_' || byte.is_ascii_digit());
    if fits { digits.replace('_', "").parse().ok() } else { None }
}

/// `2026-11-21`, `2026-1-2 3:04:05.6 +01:00`, `2026-11-21T20:00:00Z`.
fn is_date(text: &str) -> bool {
    let digits = |text: &str, least: usize, most: usize| {
        (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (date, time) = match text.find(['T', 't', ' ', '\t']) {
        Some(at) => {
            let rest = &text[at..];
            let time = if rest.starts_with(['T', 't']) { &rest[1..] } else { rest.trim_start_matches([' ', '\t']) };
            (&text[..at], Some(time))
        }
        None => (text, None),
    };
    let mut parts = date.splitn(3, '-');
    let (Some(year), Some(month), Some(day)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let Some(time) = time else { return digits(year, 4, 4) && digits(month, 2, 2) && digits(day, 2, 2) };
    let clock_end = time.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.')).unwrap_or(time.len());
    let (clock, zone) = (&time[..clock_end], time[clock_end..].trim_start_matches([' ', '\t']));
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let parts: Vec<&str> = clock.split(':').collect();
    let clock_fits = parts.len() == 3
        && digits(parts[0], 1, 2)
        && digits(parts[1], 2, 2)
        && digits(parts[2], 2, 2)
        && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let zone_fits = zone.is_empty()
        || zone == "Z"
        || zone.strip_prefix(['+', '-']).is_some_and(|offset| match offset.split_once(':') {
            Some((hours, minutes)) => digits(hours, 1, 2) && digits(minutes, 2, 2),
            None => digits(offset, 1, 2),
        });
    digits(year, 4, 4) && digits(month, 1, 2) && digits(day, 1, 2) && clock_fits && zone_fits
}

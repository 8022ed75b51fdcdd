//! Text for HTML: no markup, no control characters.

/// Text between tags or in an attribute with double quotes. Control characters are shown as their pictures.
pub(super) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push('\n'),
            '\0'..='\x1f' => out.extend(char::from_u32(0x2400 + u32::from(character))),
            '\x7f' => out.push('\u{2421}'),
            // These turn the text around them; of what a device says only itself may be turned.
            '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            _ => out.push(character),
        }
    }
    out
}

/// JSON that may stand in a script element: it holds no `<`, `>`, `&`, no line end that a script knows, and nothing that
/// turns the text around it when somebody looks at the source.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    let plain = serde_json::to_string(value).unwrap_or_else(|_| "null".into());
    let mut out = String::with_capacity(plain.len() + plain.len() / 16);
    let mut rest = plain.as_str();
    // Nearly all of it is copied as it is, so what may need care is looked for byte by byte.
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'<' | b'>' | b'&' | 0x7f | 0xc2 | 0xe2 | 0xef)) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let Some(character) = from.chars().next() else { break };
        match character {
            '<' | '>' | '&' | '\x7f'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => out.push(character),
        }
        rest = &from[character.len_utf8()..];
    }
    out.push_str(rest);
    out
}

/// A time span for people: `0.35 ms`, `12.3 ms`, `1.25 s`, `2 min 05 s`, `1 h 02 min`.
pub(super) fn span(ns: u64) -> String {
    let seconds = ns as f64 / 1e9;
    match seconds {
        s if s < 0.001 => format!("{:.2} ms", s * 1e3),
        s if s < 0.1 => format!("{:.1} ms", s * 1e3),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 10.0 => format!("{s:.2} s"),
        s if s < 60.0 => format!("{s:.1} s"),
        s if s < 3600.0 => format!("{} min {:02} s", (s / 60.0) as u64, s as u64 % 60),
        s => format!("{} h {:02} min", (s / 3600.0) as u64, (s / 60.0) as u64 % 60),
    }
}

/// An instant: `6.118 s`, after a minute `3:05.123`, after an hour `1:02:05.123`.
pub(super) fn clock(ns: u64) -> String {
    let ms = ns.saturating_add(500_000) / 1_000_000;
    let (ms, seconds) = (ms % 1000, ms / 1000);
    match seconds {
        0..60 => format!("{seconds}.{ms:03} s"),
        60..3600 => format!("{}:{:02}.{ms:03}", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02}.{ms:03}", seconds / 3600, seconds / 60 % 60, seconds % 60),
    }
}

/// A link to an instant of the timeline: `at` is shown.
pub(super) fn instant(ns: u64, more: &str) -> String {
    link(ns, more, &clock(ns))
}

/// A link to an instant of the timeline with these words, which are text.
pub(super) fn link(ns: u64, more: &str, words: &str) -> String {
    let seconds = ns as f64 / 1e9;
    format!("<a class=\"at\" href=\"#t={seconds:.6}{more}\">{}</a>", text(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_scripts_write_them() {
        const S: u64 = 1_000_000_000;
        let clocks = [(0, "0.000 s"), (6_117_900_000, "6.118 s"), (59_999_600_000, "1:00.000"), (185 * S, "3:05.000")];
        for (ns, wanted) in clocks.into_iter().chain([(3725 * S + 40_000_000, "1:02:05.040")]) {
            assert_eq!(clock(ns), wanted);
        }
        let spans = [(350_000, "0.35 ms"), (12_340_000, "12.3 ms"), (552_000_000, "552 ms"), (1_254_000_000, "1.25 s")];
        for (ns, wanted) in spans.into_iter().chain([(125 * S, "2 min 05 s"), (3725 * S, "1 h 02 min")]) {
            assert_eq!(span(ns), wanted);
        }
    }

    #[test]
    fn json_in_a_script_is_the_same_json_without_what_a_page_reads() {
        let text = "</script><!-- & \u{7f}\u{9f}\u{a0} \u{2028}\u{202e}\u{2030} \u{2066} \u{feff} \u{fb00} é €";
        let json = json(&text);
        assert_eq!(serde_json::from_str::<String>(&json).ok().as_deref(), Some(text));
        assert!(!json.contains(['<', '>', '&', '\u{7f}', '\u{9f}', '\u{2028}', '\u{202e}', '\u{2066}', '\u{feff}']));
        assert!(json.contains(" é €") && json.contains('\u{2030}') && json.contains('\u{fb00}'));
    }
}

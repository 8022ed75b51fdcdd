//! Where each byte of a YAML scalar's value stands in the document, so that a place in a script is a place in the job.
//!
//! The tree keeps a scalar's value and its span. Both are walked side by side: what YAML drops (indentation, folded line
//! ends, quotes) is skipped, what it replaces (escapes, doubled quotes) is taken as a whole. A value that cannot be
//! walked (an alias) stands, all of it, at the scalar's span.

use convoke_job::{Node, Span};

/// For every byte of a text, where it stands in another; half-open.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByteMap(Vec<Span>);

impl ByteMap {
    /// Every one of `length` bytes at the same place.
    pub(crate) fn whole(length: usize, span: Span) -> Self {
        ByteMap(vec![span; length])
    }

    /// Where a range of the text stands. An empty range stands at the byte it precedes, or ends the text.
    pub(crate) fn span(&self, span: Span) -> Span {
        let Some(last) = self.0.last() else { return Span::default() };
        let first = self.0.get(span.start).map_or(last.end, |at| at.start);
        let end = match span.end.checked_sub(1).filter(|end| *end >= span.start) {
            Some(end) => self.0.get(end).unwrap_or(last).end,
            None => first,
        };
        Span::new(first, end)
    }

    /// Where one byte stands.
    pub(crate) fn at(&self, byte: usize) -> Span {
        self.0.get(byte).or(self.0.last()).copied().unwrap_or_default()
    }

    /// Adds a byte.
    pub(crate) fn push(&mut self, span: Span) {
        self.0.push(span);
    }
}

/// The bytes of `value`, which is the text of `node` in the document `text`.
pub(crate) fn bytes(text: &str, node: &Node, value: &str) -> ByteMap {
    let whole = || ByteMap::whole(value.len(), node.span);
    let Some(raw) = text.get(node.span.start..node.span.end) else { return whole() };
    let block = is_block(&text[..node.span.start]);
    let (skipped, style) = if block { (0, Style::Plain) } else { style(raw) };
    walk(&raw[skipped..], node.span.start + skipped, value, style).unwrap_or_else(whole)
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    /// Plain and block scalars: the same characters, less blanks.
    Plain,
    Single,
    Double,
}

/// Whether the text before a scalar ends with the header of a block scalar and blanks. The span of such a scalar begins
/// with its first word.
fn is_block(before: &str) -> bool {
    let mut lines = before.rsplit('\n');
    if !lines.next().is_some_and(|indent| indent.chars().all(char::is_whitespace)) {
        return false;
    }
    let Some(header) = lines.find(|line| !line.trim().is_empty()) else { return false };
    let header = header.rfind(" #").map_or(header, |comment| &header[..comment]).trim_end();
    let mark = header.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
    let Some(before) = mark.strip_suffix(['|', '>']) else { return false };
    before.is_empty() || before.ends_with([' ', '\t'])
}

/// How many bytes of properties and headers come first, and how the rest is written.
fn style(raw: &str) -> (usize, Style) {
    let mut at = 0;
    while raw[at..].starts_with(['!', '&']) {
        let word = raw[at..].find(char::is_whitespace).unwrap_or(raw.len() - at);
        at += word;
        at += raw[at..].len() - raw[at..].trim_start().len();
    }
    match raw[at..].chars().next() {
        Some('\'') => (at + 1, Style::Single),
        Some('"') => (at + 1, Style::Double),
        Some('|' | '>') => (at + raw[at..].find('\n').map_or(1, |line| line + 1), Style::Plain),
        _ => (at, Style::Plain),
    }
}

fn walk(raw: &str, base: usize, value: &str, style: Style) -> Option<ByteMap> {
    let mut map = ByteMap(Vec::with_capacity(value.len()));
    let mut at = 0;
    for c in value.chars() {
        let length = loop {
            let rest = &raw[at..];
            let Some(next) = rest.chars().next() else {
                // Line ends that the scalar's header adds or keeps.
                if c.is_whitespace() {
                    break 0;
                }
                return None;
            };
            if style == Style::Double && next == '\\' {
                match escape(rest) {
                    Escape::Character(length) => break length,
                    Escape::LineEnd(length) => {
                        at += length;
                        continue;
                    }
                }
            }
            if style == Style::Single && rest.starts_with("''") && c == '\'' {
                break 2;
            }
            if next == c || (c == ' ' && next == '\n') {
                break next.len_utf8();
            }
            if next.is_whitespace() {
                at += next.len_utf8();
            } else if c.is_whitespace() {
                break 0;
            } else {
                return None;
            }
        };
        for _ in 0..c.len_utf8() {
            map.push(Span::new(base + at, base + at + length));
        }
        at += length;
    }
    Some(map)
}

enum Escape {
    Character(usize),
    LineEnd(usize),
}

fn escape(rest: &str) -> Escape {
    match rest[1..].chars().next() {
        Some('x') => Escape::Character(4.min(rest.len())),
        Some('u') => Escape::Character(6.min(rest.len())),
        Some('U') => Escape::Character(10.min(rest.len())),
        Some('\n' | '\r') => {
            let line = rest.find('\n').map_or(rest.len(), |end| end + 1);
            let indent = rest[line..].len() - rest[line..].trim_start_matches([' ', '\t']).len();
            Escape::LineEnd(line + indent)
        }
        Some(c) => Escape::Character(1 + c.len_utf8()),
        None => Escape::Character(1),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use convoke_job::node::NodeKind;
    use convoke_job::{Source, yaml};

    use super::*;

    /// Every word of every scalar of the document stands where the map says.
    #[track_caller]
    fn check(document: &str, words: usize) {
        let source = Source::new("test", document);
        let (root, findings) = yaml::parse(&source, yaml::Limits::default());
        assert!(findings.is_empty(), "{findings:?}");
        let mut seen = 0;
        for (_, node) in root.unwrap().as_map().unwrap() {
            let NodeKind::Text(value) = &node.kind else { panic!("{node:?}") };
            let map = bytes(document, node, value);
            assert_eq!(map.0.len(), value.len());
            for word in value.split_whitespace() {
                let start = word.as_ptr() as usize - value.as_ptr() as usize;
                let span = map.span(Span::new(start, start + word.len()));
                assert_eq!(&document[span.start..span.end], word, "in {value:?}");
                seen += 1;
            }
        }
        assert_eq!(seen, words);
    }

    #[test]
    fn block_scalars_are_mapped_line_by_line() {
        check("a: |\n  one two\n   two\n\n  three\n\nb: >-\n  fo ld\n  ed\n\n  x\n    more\n  y\n", 10);
        check("a: |2-\n    q\n   w\nb: | # comment\n\n   # keep\n   q\n", 5);
        check("? |\n  key\n: |+\n  one\n\n  two\n\n\nb: !!str |\n  x y\n", 4);
    }

    #[test]
    fn plain_and_quoted_scalars_are_mapped() {
        check("a: one   two\nb: 'x\n  y  z'\nc: \"p q\n  r\"\nd: &n plain\n  more\ne: é ü |x\n", 13);
        check("a:\n  on its own line\nb: \"a \\\n   b c\"\n", 7);
    }

    #[test]
    fn what_yaml_replaces_is_taken_whole() {
        let document = "a: 'it''s x'\nb: \"a\\n\\x41 \\u00e9b\"\nc: &x one\nd: *x\n";
        let source = Source::new("test", document);
        let root = yaml::parse(&source, yaml::Limits::default()).0.unwrap();
        let place = |key: &str, part: &str| {
            let node = root.get(key).unwrap();
            let value = node.as_text().unwrap();
            let start = value.find(part).unwrap();
            let span = bytes(document, node, value).span(Span::new(start, start + part.len()));
            document[span.start..span.end].to_owned()
        };
        assert_eq!(place("a", "'s"), "''s");
        assert_eq!(place("b", "A"), "\\x41");
        assert_eq!(place("b", "éb"), "\\u00e9b");
        assert_eq!(place("d", "ne"), "*x");
    }
}

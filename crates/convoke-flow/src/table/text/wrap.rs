//! Breaking words into lines.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::canvas::Paint;

/// A word and how it looks.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::table) struct Word(pub(in crate::table) String, pub(in crate::table) Paint);

/// Lines after the first are set in by this much.
const INDENT: usize = 2;

/// The lines of a text that looks alike all over.
pub(in crate::table) fn lines(text: &str, room: usize) -> Vec<String> {
    let words: Vec<Word> = words(text, Paint::Plain).collect();
    let line = |line: Vec<(usize, Word)>| line.into_iter().map(|(_, word)| word.0).collect::<Vec<_>>().join(" ");
    wrap(&words, room).into_iter().map(line).collect()
}

/// The words of a text.
pub(in crate::table) fn words(text: &str, paint: Paint) -> impl Iterator<Item = Word> {
    text.split(' ').map(move |word| Word(word.to_owned(), paint))
}

/// How wide the words are on one line.
pub(in crate::table) fn width(words: &[Word]) -> usize {
    words.iter().map(|word| word.0.width() + 1).sum::<usize>().saturating_sub(1)
}

/// The words in lines of at most `room` columns, each with its place in the line. A word that is longer is broken, after
/// a hyphen or the like where there is one.
pub(in crate::table) fn wrap(words: &[Word], room: usize) -> Vec<Vec<(usize, Word)>> {
    let room = room.max(4);
    let mut lines: Vec<Vec<(usize, Word)>> = Vec::new();
    let mut line: Vec<(usize, Word)> = Vec::new();
    let mut x = 0;
    for Word(text, paint) in words {
        let mut rest = text.as_str();
        loop {
            let indent = if lines.is_empty() { 0 } else { INDENT };
            let at = if line.is_empty() { indent } else { x + 1 };
            if at + rest.width() <= room {
                line.push((at, Word(rest.to_owned(), *paint)));
                x = at + rest.width();
                break;
            }
            if line.is_empty() {
                let cut = cut(rest, room - at);
                line.push((at, Word(rest[..cut].to_owned(), *paint)));
                rest = &rest[cut..];
            }
            lines.push(std::mem::take(&mut line));
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Where to break a word that is wider than `room`: at least one character goes.
fn cut(word: &str, room: usize) -> usize {
    let (mut x, mut end, mut good) = (0, 0, None);
    for (at, character) in word.char_indices() {
        let width = character.width().unwrap_or(0);
        if x + width > room && end > 0 {
            break;
        }
        x += width;
        end = at + character.len_utf8();
        if "-_./:=,".contains(character) && end > 1 {
            good = Some(end);
        }
    }
    good.filter(|good| good * 2 >= end).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, room: usize) -> Vec<String> {
        let words: Vec<Word> = words(text, Paint::Plain).collect();
        let line = |line: Vec<(usize, Word)>| {
            line.into_iter().fold(String::new(), |out, (at, word)| format!("{out:at$}{}", word.0))
        };
        wrap(&words, room).into_iter().map(line).collect()
    }

    #[test]
    fn words_go_to_the_next_line_and_long_ones_are_broken_after_hyphens() {
        assert_eq!(lines("lava-wait-all ready server", 16), ["lava-wait-all", "  ready server"]);
        assert_eq!(
            lines("lava-wait a-very-long-message-id", 12),
            ["lava-wait", "  a-very-", "  long-", "  message-id"]
        );
        assert_eq!(lines("xxxxxxxxxxxxxxxxxxxx", 8), ["xxxxxxxx", "  xxxxxx", "  xxxxxx"]);
        assert_eq!(lines("", 8), [""]);
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(lines("準備完了の合図", 8), ["準備完了", "  の合図"]);
    }
}

//! One line of the terminal, character by character, with colours.

use unicode_width::UnicodeWidthChar;

/// How a character looks where there are colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::table) enum Paint {
    #[default]
    Plain,
    Dim,
    Head,
    Send,
    Wait,
    Sync,
    Bad,
    Odd,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Paint::Plain => "",
            Paint::Dim => "2",
            Paint::Head => "1",
            Paint::Send => "32",
            Paint::Wait => "33",
            Paint::Sync => "36",
            Paint::Bad => "31;1",
            Paint::Odd => "35",
        }
    }
}

/// A line that is drawn on.
pub(super) struct Canvas(Vec<(char, Paint)>);

/// Stands behind a character that is two columns wide.
const TAIL: char = '\0';

impl Canvas {
    /// A blank one.
    pub(super) fn new(width: usize) -> Self {
        Canvas(vec![(' ', Paint::Plain); width])
    }

    /// Puts a text; what does not fit is left out. Control characters are shown as `�`.
    pub(super) fn put(&mut self, mut x: usize, text: &str, paint: Paint) {
        for character in text.chars() {
            let character = match character {
                control if control.is_control() => '\u{fffd}',
                '\u{a0}' => ' ',
                other => other,
            };
            let width = character.width().unwrap_or(0);
            if width == 0 || x + width > self.0.len() {
                continue;
            }
            self.0[x] = (character, paint);
            (x + 1..x + width).for_each(|tail| self.0[tail] = (TAIL, paint));
            x += width;
        }
    }

    /// Puts a character.
    pub(super) fn set(&mut self, x: usize, character: char, paint: Paint) {
        if let Some(place) = self.0.get_mut(x) {
            *place = (character, paint);
        }
    }

    /// The line without blanks at its end.
    pub(super) fn line(&self, colour: bool) -> String {
        let end = self.0.iter().rposition(|(character, _)| *character != ' ').map_or(0, |last| last + 1);
        let mut line = String::new();
        let mut now = Paint::Plain;
        for &(character, paint) in &self.0[..end] {
            if colour && paint != now && character != ' ' {
                if now != Paint::Plain {
                    line.push_str("\u{1b}[0m");
                }
                if paint != Paint::Plain {
                    line.push_str(&format!("\u{1b}[{}m", paint.code()));
                }
                now = paint;
            }
            if character != TAIL {
                line.push(character);
            }
        }
        if colour && now != Paint::Plain {
            line.push_str("\u{1b}[0m");
        }
        line
    }
}

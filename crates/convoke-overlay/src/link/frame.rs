//! One line of the link: `<LAVA2 K IIII P/N LLL CCCC TEXT>`.
//!
//! A frame is taken only when every field is whole, the length is right and the checksum fits. Of a damaged one the
//! fields in front may still be readable: then it can be asked for again.

use super::crc::crc;

/// How a frame begins.
pub(crate) const START: &str = "<LAVA2 ";
/// The longest frame.
pub const LONGEST: u8 = 220;
/// The longest text of one part.
pub const PART: usize = 180;
/// The most parts of a request or reply.
pub const PARTS: u16 = 9999;

/// What a frame is for; capitals come from the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `Q`: part of a request.
    Request,
    /// `A`: part of the reply received.
    Received,
    /// `P`: still waiting, are you there?
    Probe,
    /// `X`: the helper was ended, nobody waits for this any more.
    Ended,
    /// `V`: a visit has begun (`in`), has ended (`out`), or cannot be (`no`).
    Visited,
    /// `a`: part of the request received.
    Acknowledge,
    /// `n`: part of the request damaged, send it again now.
    Again,
    /// `r`: part of the reply.
    Reply,
    /// `f`: finished, nothing more will be typed for this id.
    Finished,
    /// `w`: still waiting for the group.
    Waiting,
    /// `u`: unknown id, send the request from its first part.
    Unknown,
    /// `v`: somebody wants to look at the device, the helper that reads is to give the console to a shell.
    Visit,
}

const KINDS: [(Kind, char); 12] = [
    (Kind::Request, 'Q'),
    (Kind::Received, 'A'),
    (Kind::Probe, 'P'),
    (Kind::Ended, 'X'),
    (Kind::Visited, 'V'),
    (Kind::Acknowledge, 'a'),
    (Kind::Again, 'n'),
    (Kind::Reply, 'r'),
    (Kind::Finished, 'f'),
    (Kind::Waiting, 'w'),
    (Kind::Unknown, 'u'),
    (Kind::Visit, 'v'),
];

impl Kind {
    /// Its letter.
    pub fn letter(self) -> char {
        KINDS.iter().find(|(kind, _)| *kind == self).map_or('?', |(_, letter)| *letter)
    }

    /// Whether devices send it.
    pub fn from_device(self) -> bool {
        self.letter().is_ascii_uppercase()
    }

    fn of(word: &str) -> Option<Self> {
        let letter = Some(word.chars().next()?).filter(|_| word.len() == 1)?;
        KINDS.iter().find(|(_, known)| *known == letter).map(|(kind, _)| *kind)
    }
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is for.
    pub kind: Kind,
    /// The transaction, chosen by the helper.
    pub id: u16,
    /// Which part, from 1.
    pub part: u16,
    /// Of how many.
    pub of: u16,
    /// At most [`PART`] characters of the link's alphabet.
    pub text: String,
}

impl Frame {
    /// A frame without text, about part `part` of `of`.
    pub fn about(kind: Kind, id: u16, part: u16, of: u16) -> Self {
        Frame { kind, id, part, of, text: String::new() }
    }

    /// The line, without its line end.
    pub fn line(&self) -> String {
        let head = format!("{} {:04x} {}/{} {}", self.kind.letter(), self.id, self.part, self.of, self.text.len());
        let sum = crc(format!("{head} {}", self.text).as_bytes());
        format!("{START}{head} {sum:04x} {}>", self.text)
    }

    /// Reads a line from `<` to `>`. A damaged frame gives what its fields in front seem to say, its text empty.
    ///
    /// # Errors
    /// The frame is damaged.
    pub fn parse(line: &str) -> Result<Frame, Option<Frame>> {
        let inner = line.strip_prefix(START).ok_or(None)?;
        let mut words = inner.strip_suffix('>').unwrap_or(inner).splitn(6, ' ');
        let mut head = || {
            let kind = Kind::of(words.next()?)?;
            let id = words.next().filter(|word| word.len() == 4).and_then(hexadecimal)?;
            let (part, of) = words.next()?.split_once('/')?;
            let (part, of) = (decimal(part)?, decimal(of)?);
            (1 <= part && part <= of && of <= PARTS).then(|| Frame::about(kind, id, part, of))
        };
        let frame = head().ok_or(None)?;
        let text = words.nth(2).unwrap_or_default();
        let whole = Frame { text: text.to_owned(), ..frame.clone() };
        // Written again it must be the same line: that compares its length and its checksum.
        let good = text.len() <= PART && text.bytes().all(is_carried) && whole.line() == line;
        if good { Ok(whole) } else { Err(Some(frame)) }
    }
}

/// Whether a byte may stand in the text of a frame.
pub(crate) fn is_carried(byte: u8) -> bool {
    byte == b'%' || is_plain(byte)
}

/// Whether a byte is carried as it is.
pub(crate) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.,:/@+=-".contains(&byte)
}

fn decimal(word: &str) -> Option<u16> {
    word.parse().ok().filter(|_| word.bytes().all(|byte| byte.is_ascii_digit()))
}

fn hexadecimal(word: &str) -> Option<u16> {
    u16::from_str_radix(word, 16).ok().filter(|_| word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

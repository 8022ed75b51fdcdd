//! One line of a log in bytes, and how lines are found again.
//!
//! ```text
//! ┌──────────────┬──────────────┬─────────┐
//! │ length, u32  │ CRC-32, u32  │ JSON    │   both numbers little-endian; the CRC is that of the JSON
//! └──────────────┴──────────────┴─────────┘
//! ```
//!
//! Where a frame is damaged the next whole one is searched for byte by byte. That is quick and finds nothing false: JSON
//! has no zero byte, and any four bytes of it read as a length are far above [`LIMIT`].

use std::ops::Range;

/// The largest JSON text of a frame, in bytes.
pub(crate) const LIMIT: usize = 16 * 1024 * 1024;

/// Bytes before the JSON.
pub(crate) const HEAD: usize = 8;

/// Adds a frame with the text `parts` put together. The caller has checked the limit.
pub(crate) fn push(out: &mut Vec<u8>, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut crc = crc32fast::Hasher::new();
    for part in parts {
        crc.update(part);
    }
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&crc.finalize().to_le_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// A piece of a log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A whole frame: its place; the JSON begins [`HEAD`] bytes in.
    Frame(Range<usize>),
    /// Bytes that are none.
    Damage(Range<usize>),
}

/// Cuts `bytes` into pieces, in order and without gaps; two damages never stand side by side.
pub(crate) fn pieces(bytes: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if let Some(end) = frame_at(bytes, at) {
            pieces.push(Piece::Frame(at..end));
            at = end;
            continue;
        }
        let next = (at + 1..bytes.len()).find(|next| frame_at(bytes, *next).is_some()).unwrap_or(bytes.len());
        pieces.push(Piece::Damage(at..next));
        at = next;
    }
    pieces
}

/// The end of the whole frame that begins at `at`.
fn frame_at(bytes: &[u8], at: usize) -> Option<usize> {
    let number = |from: usize| -> Option<u32> {
        let bytes = bytes.get(from..from + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    let length = usize::try_from(number(at)?).ok()?;
    if !(2..=LIMIT).contains(&length) {
        return None;
    }
    let text = bytes.get(at + HEAD..at + HEAD + length)?;
    (text[0] == b'{' && crc32fast::hash(text) == number(at + 4)?).then_some(at + HEAD + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(texts: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for text in texts {
            push(&mut out, &[text.as_bytes()]);
        }
        out
    }

    #[test]
    fn a_whole_log_is_its_frames() {
        assert_eq!(pieces(&log(&["{1}", "{22}"])), [Piece::Frame(0..11), Piece::Frame(11..23)]);
        assert_eq!(pieces(&[]), []);
    }

    #[test]
    fn a_log_cut_anywhere_keeps_the_frames_before_the_cut() {
        let whole = log(&["{1}", "{22}"]);
        for cut in 0..whole.len() {
            let frames = pieces(&whole[..cut]).iter().filter(|piece| matches!(piece, Piece::Frame(_))).count();
            assert_eq!(frames, usize::from(cut >= 11), "cut at {cut}");
        }
    }

    #[test]
    fn frames_after_a_damaged_byte_are_found_again() {
        let whole = log(&["{1}", "{22}", "{333}"]);
        for place in 11..23 {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x40;
            let expected = [Piece::Frame(0..11), Piece::Damage(11..23), Piece::Frame(23..36)];
            assert_eq!(pieces(&damaged), expected, "byte {place}");
        }
    }

    #[test]
    fn zeros_are_damage() {
        let mut bytes = log(&["{1}"]);
        bytes.extend([0; 4096]);
        assert_eq!(pieces(&bytes), [Piece::Frame(0..11), Piece::Damage(11..4107)]);
    }
}

//! Where the file systems of a disk image are: its partition table, MBR or GPT, read only.
//!
//! Nothing of it is trusted: what lies outside the image is no partition.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    /// As `fdisk` counts, from 1.
    pub(crate) number: u32,
    /// First byte.
    pub(crate) start: u64,
    /// Length in bytes.
    pub(crate) length: u64,
}

/// Sizes of a sector that disks have.
const SECTORS: [u64; 2] = [512, 4096];
/// Logical partitions and GPT entries that are looked at, at most.
const MOST: u32 = 128;

/// The partitions of an image; none when it has no table.
pub(crate) fn partitions(image: &File) -> io::Result<Vec<Partition>> {
    let length = image.metadata()?.len();
    let mut found = Vec::new();
    let Some(mbr) = block::<512>(image, 0)? else { return Ok(found) };
    if mbr[510..] != [0x55, 0xaa] {
        return Ok(found);
    }
    for sector in SECTORS {
        if let Some(header) = block::<92>(image, sector)?
            && header.starts_with(b"EFI PART")
        {
            found = gpt(image, &header, sector)?;
            break;
        }
    }
    if found.is_empty() {
        found = dos(image, &mbr)?;
    }
    found.retain(|part| part.length > 0 && part.start.checked_add(part.length).is_some_and(|end| end <= length));
    Ok(found)
}

fn gpt(image: &File, header: &[u8; 92], sector: u64) -> io::Result<Vec<Partition>> {
    let table = u64_at(header, 72).saturating_mul(sector);
    let (count, size) = (u32_at(header, 80).min(MOST), u64::from(u32_at(header, 84)));
    let mut found = Vec::new();
    for number in 0..count {
        let at = table.saturating_add(u64::from(number) * size);
        let Some(entry) = block::<48>(image, at)? else { break };
        if entry[..16] != [0; 16] {
            let (first, last) = (u64_at(&entry, 32), u64_at(&entry, 40));
            let length = last.saturating_add(1).saturating_sub(first).saturating_mul(sector);
            found.push(Partition { number: number + 1, start: first.saturating_mul(sector), length });
        }
    }
    Ok(found)
}

fn dos(image: &File, mbr: &[u8; 512]) -> io::Result<Vec<Partition>> {
    let mut found = Vec::new();
    let mut extended = None;
    for (number, at) in (1..=4).zip((446..).step_by(16)) {
        let (kind, first, count) = (mbr[at + 4], u64::from(u32_at(mbr, at + 8)), u64::from(u32_at(mbr, at + 12)));
        match kind {
            0 => {}
            0x05 | 0x0f | 0x85 => extended = Some(first),
            _ => found.push(Partition { number, start: first * 512, length: count * 512 }),
        }
    }
    // A chain of tables, each with a partition and the way to the next.
    let mut next = extended;
    let mut number = 5;
    while let (Some(base), Some(at)) = (extended, next)
        && number < MOST
        && let Some(table) = block::<512>(image, at * 512)?
        && table[510..] == [0x55, 0xaa]
    {
        let (first, count) = (u64::from(u32_at(&table, 454)), u64::from(u32_at(&table, 458)));
        if table[450] != 0 {
            found.push(Partition { number, start: (at + first) * 512, length: count * 512 });
            number += 1;
        }
        let link = u64::from(u32_at(&table, 470));
        next = (table[466] != 0 && link > 0).then_some(base + link);
        // One that leads nowhere new would lead on for ever.
        if next.is_some_and(|next| next <= at) {
            break;
        }
    }
    Ok(found)
}

/// Bytes of the image; none when it ends before.
pub(crate) fn block<const N: usize>(image: &File, at: u64) -> io::Result<Option<[u8; N]>> {
    let mut bytes = [0; N];
    match image.read_exact_at(&mut bytes, at) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_le_bytes)
}

//! Android's sparse form of an image, written out as the plain image that it stands for.
//!
//! ```text
//!   header: magic, version, sizes of both headers, block size, blocks, chunks
//!   chunk:  kind, blocks, bytes ── raw: the blocks │ fill: four bytes, repeated │ hole: nothing │ crc
//! ```
//!
//! Every size is checked against what is there; holes stay holes.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use super::partition::{block, u32_at};
use super::tree::FromStart;
use crate::error::Error;

const MAGIC: [u8; 4] = [0x3a, 0xff, 0x26, 0xed];

/// Whether an image is in this form.
pub(crate) fn is_sparse(image: &File) -> io::Result<bool> {
    Ok(block::<4>(image, 0)? == Some(MAGIC))
}

/// Writes the plain image into the empty file `out`.
pub(crate) fn expand(image: &File, out: &File, place: &str) -> Result<(), Error> {
    let damaged = |why: &str| Error::job(format!("{place} is a damaged sparse image: {why}"));
    let reading = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged("it ends early"),
        _ => Error::disk(&format!("read {place}"), &error),
    };
    let writing = |error: io::Error| Error::disk(&format!("write out {place}"), &error);
    let mut reader = BufReader::with_capacity(256 * 1024, FromStart::new(image));
    let mut header = [0; 28];
    reader.read_exact(&mut header).map_err(reading)?;
    let size_at = |at: usize| u64::from(u16::from_le_bytes([header[at], header[at + 1]]));
    let (header_size, chunk_header_size) = (size_at(8), size_at(10));
    let (block_size, blocks, chunks) = (u32_at(&header, 12), u32_at(&header, 16), u32_at(&header, 20));
    if header_size < 28 || chunk_header_size < 12 || block_size == 0 || block_size % 4 != 0 {
        return Err(damaged("its header is none"));
    }
    io::copy(&mut reader.by_ref().take(header_size - 28), &mut io::sink()).map_err(reading)?;
    let length = u64::from(blocks) * u64::from(block_size);
    let mut writer = BufWriter::with_capacity(256 * 1024, out);
    let mut at = 0u64;
    for _ in 0..chunks {
        let mut chunk = [0; 12];
        reader.read_exact(&mut chunk).map_err(reading)?;
        io::copy(&mut reader.by_ref().take(chunk_header_size - 12), &mut io::sink()).map_err(reading)?;
        let kind = u16::from_le_bytes([chunk[0], chunk[1]]);
        let covered = u64::from(u32_at(&chunk, 4)) * u64::from(block_size);
        let data = u64::from(u32_at(&chunk, 8)).saturating_sub(chunk_header_size);
        if covered > length - at {
            return Err(damaged("it is longer than it says"));
        }
        match kind {
            0xcac1 if data == covered => {
                let copied = io::copy(&mut reader.by_ref().take(data), &mut writer).map_err(writing)?;
                if copied < data {
                    return Err(damaged("it ends early"));
                }
            }
            0xcac2 if data == 4 => {
                let mut fill = [0; 4];
                reader.read_exact(&mut fill).map_err(reading)?;
                if fill == [0; 4] {
                    skip(&mut writer, covered).map_err(writing)?;
                } else {
                    let pattern = fill.repeat(block_size as usize / 4);
                    for _ in 0..covered / u64::from(block_size) {
                        writer.write_all(&pattern).map_err(writing)?;
                    }
                }
            }
            0xcac3 if data == 0 => skip(&mut writer, covered).map_err(writing)?,
            0xcac4 => {
                io::copy(&mut reader.by_ref().take(data), &mut io::sink()).map_err(reading)?;
                continue;
            }
            _ => return Err(damaged("it has a part of no known kind")),
        }
        at += covered;
    }
    writer.flush().map_err(writing)?;
    rustix::fs::ftruncate(out, length).map_err(|error| writing(error.into()))
}

fn skip(writer: &mut BufWriter<&File>, length: u64) -> io::Result<()> {
    writer.seek(SeekFrom::Current(i64::try_from(length).map_err(io::Error::other)?)).map(drop)
}

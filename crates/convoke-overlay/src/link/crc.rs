//! CRC-16/CCITT-FALSE: polynomial 1021, start ffff, not reflected. "123456789" gives 29b1.

/// The checksum of these bytes.
pub fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |sum: u16, byte| {
        let mixed = (sum >> 8) ^ u16::from(*byte);
        let mixed = mixed ^ (mixed >> 4);
        (sum << 8) ^ (mixed << 12) ^ (mixed << 5) ^ mixed
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_check_value() {
        assert_eq!(super::crc(b"123456789"), 0x29b1);
        assert_eq!(super::crc(b""), 0xffff);
    }
}

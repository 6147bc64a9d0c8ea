//! One record of a TFRecord file.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | length of the data |
//! | 4 | checksum of the length's 8 bytes |
//! | length | the data |
//! | 4 | checksum of the data |
//!
//! All numbers are little-endian. The checksum is CRC-32C, masked: a CRC over data that hold their
//! own CRC is weak.
//! Source: TensorFlow, `lib/io/record_writer.h` and `lib/hash/crc32c.h`.

/// The record that holds `data`.
pub fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let checksum = |bytes| masked_crc32c(bytes).to_le_bytes();
    [&length[..], &checksum(&length), data, &checksum(data)].concat()
}

fn masked_crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::{frame, masked_crc32c};

    #[test]
    fn checksums_are_the_known_ones() {
        // CRC-32C's check value over "123456789", and RFC 3720 B.4's over 32 zeros.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        // The same, turned by 15 bits, plus the constant.
        assert_eq!(masked_crc32c(b"123456789"), 0xc78a_b0e5);
    }

    #[test]
    fn a_record_is_length_checksum_data_checksum() {
        // Every event file that TensorFlow writes begins so: its first event has 24 bytes.
        let record = frame(&[7; 24]);
        assert_eq!(record[..12], [24, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22]);
        assert_eq!(record[12..36], [7; 24]);
        assert_eq!(record[36..], masked_crc32c(&[7; 24]).to_le_bytes());
        assert_eq!(frame(&[]).len(), 16);
    }
}

//! ZIP archives of uncompressed files (PKWARE's APPNOTE), with ZIP64 so that they may be of any size.

/// The mark of a number that stands in the ZIP64 field.
const IN_ZIP64: u32 = u32::MAX;
/// The version of ZIP that has ZIP64.
const VERSION: u16 = 45;
/// 1 January 1980, as MS-DOS counts: a data set's bytes don't depend on when it was made.
const DATE: u16 = 0x21;
/// Bytes of a local header before the file's name, and of its ZIP64 field after it.
const LOCAL: usize = 30;
const LOCAL_ZIP64: usize = 20;

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub name: String,
    /// Where its local header begins.
    pub offset: u64,
    pub size: u64,
    pub crc: u32,
}

impl Entry {
    /// The fields that both headers have: versions, flags, method (stored), time, date, CRC-32,
    /// both sizes, length of the name.
    fn common(&self) -> Vec<u8> {
        let mut bytes = [VERSION, 0, 0, 0, DATE].map(u16::to_le_bytes).concat();
        bytes.extend([self.crc, IN_ZIP64, IN_ZIP64].map(u32::to_le_bytes).concat());
        bytes.extend((self.name.len() as u16).to_le_bytes());
        bytes
    }

    /// The header before the data.
    pub fn local(&self) -> Vec<u8> {
        let mut bytes = [b"PK\x03\x04", self.common().as_slice()].concat();
        let zip64 = zip64(&[self.size, self.size]);
        bytes.extend((zip64.len() as u16).to_le_bytes());
        bytes.extend(self.name.bytes().chain(zip64));
        bytes
    }

    /// Length of the header before the data, for a name of so many bytes.
    pub fn local_length(name: usize) -> usize {
        LOCAL + name + LOCAL_ZIP64
    }

    /// The entry whose header before the data, of [`local_length`](Self::local_length), this is.
    pub fn from_local(bytes: &[u8], offset: u64) -> Option<Self> {
        let name = bytes.get(LOCAL..bytes.len().checked_sub(LOCAL_ZIP64)?)?;
        let name = String::from_utf8(name.to_vec()).ok()?;
        let crc = u32::from_le_bytes(bytes.get(14..18)?.try_into().ok()?);
        let size = u64::from_le_bytes(bytes.get(bytes.len() - 8..)?.try_into().ok()?);
        let entry = Self { name, offset, size, crc };
        (entry.local() == bytes).then_some(entry)
    }

    /// The header in the directory.
    pub fn central(&self) -> Vec<u8> {
        let mut bytes = [b"PK\x01\x02", &VERSION.to_le_bytes()[..], &self.common()].concat();
        let zip64 = zip64(&[self.size, self.size, self.offset]);
        // No comment, on disk 0, no attributes.
        bytes.extend([zip64.len() as u16, 0, 0, 0, 0, 0].map(u16::to_le_bytes).concat());
        bytes.extend(IN_ZIP64.to_le_bytes());
        bytes.extend(self.name.bytes().chain(zip64));
        bytes
    }
}

/// The extra field 1.
fn zip64(numbers: &[u64]) -> Vec<u8> {
    let mut bytes = [1u16, numbers.len() as u16 * 8].map(u16::to_le_bytes).concat();
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    bytes
}

/// ZIP64's end of the directory, its locator, and the end that older readers look for, of a directory that
/// begins at `directory` and takes `size` bytes.
pub(super) fn end(directory: u64, size: u64, entries: u64) -> Vec<u8> {
    let mut bytes = b"PK\x06\x06".to_vec();
    bytes.extend(44u64.to_le_bytes());
    bytes.extend([VERSION, VERSION].map(u16::to_le_bytes).concat());
    bytes.extend([0u32, 0].map(u32::to_le_bytes).concat());
    bytes.extend([entries, entries, size, directory].map(u64::to_le_bytes).concat());
    let position = directory + size;
    bytes.extend([&b"PK\x06\x07"[..], &[0; 4], &position.to_le_bytes(), &1u32.to_le_bytes()].concat());
    bytes.extend(b"PK\x05\x06");
    let entries = u16::try_from(entries).unwrap_or(u16::MAX);
    bytes.extend([0u16, 0, entries, entries].map(u16::to_le_bytes).concat());
    bytes.extend([u32::try_from(size).unwrap_or(IN_ZIP64), IN_ZIP64].map(u32::to_le_bytes).concat());
    bytes.extend([0; 2]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::Entry;

    #[test]
    fn a_local_header_says_what_the_entry_is() {
        let entry = Entry { name: "a/größe.png".into(), offset: 1 << 40, size: 5 << 32, crc: 0x1234_5678 };
        let header = entry.local();
        assert_eq!(header.len(), Entry::local_length(entry.name.len()));
        assert_eq!(Entry::from_local(&header, 1 << 40), Some(entry));
        for bytes in [&header[1..], &header[..header.len() - 1], &[]] {
            assert_eq!(Entry::from_local(bytes, 0), None);
        }
    }
}

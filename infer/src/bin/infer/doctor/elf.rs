//! The libraries that a library needs, as its file names them.
//!
//! The format is System V's ELF, 64 bits and little-endian, which is that of every Linux ONNX Runtime
//! runs on: the dynamic section lists offsets of names in a string table.

use std::{
    fs::File,
    io::{self, ErrorKind, Read, Seek, SeekFrom},
    path::Path,
};

const LOADED_SEGMENT: u64 = 1;
const DYNAMIC_SEGMENT: u64 = 2;
const NEEDED: u64 = 1;
const STRING_TABLE: u64 = 5;
const STRING_TABLE_SIZE: u64 = 10;
/// No real list of segments, dynamic section or table of names is longer.
const LONGEST: u64 = 1 << 24;

/// The names of the libraries that the one at `path` needs, in its order.
///
/// # Errors
///
/// If the file can't be read or is no such library.
pub fn needed(path: &Path) -> io::Result<Vec<String>> {
    needed_by(&mut File::open(path)?)
}

fn needed_by(file: &mut (impl Read + Seek)) -> io::Result<Vec<String>> {
    let header = read_at(file, 0, 64)?;
    if header[..6] != *b"\x7fELF\x02\x01" {
        return Err(other("no 64-bit little-endian ELF file"));
    }
    let (offset, size, count) = (number(&header, 32, 8), number(&header, 54, 2), number(&header, 56, 2));
    if size < 56 {
        return Err(other("its program headers are too short"));
    }
    let table = read_at(file, offset, size * count)?;
    let segments: Vec<Segment> = (table.chunks_exact(size as usize))
        .map(|entry| Segment {
            kind: number(entry, 0, 4),
            offset: number(entry, 8, 8),
            address: number(entry, 16, 8),
            size: number(entry, 32, 8),
        })
        .collect();
    let Some(dynamic) = segments.iter().find(|segment| segment.kind == DYNAMIC_SEGMENT) else {
        return Ok(Vec::new());
    };
    let dynamic = read_at(file, dynamic.offset, dynamic.size)?;
    let entries = || dynamic.chunks_exact(16).map(|entry| (number(entry, 0, 8), number(entry, 8, 8)));
    let value = |tag: u64| entries().find(|(found, _)| *found == tag).map(|(_, value)| value);
    let (Some(address), Some(size)) = (value(STRING_TABLE), value(STRING_TABLE_SIZE)) else {
        return Ok(Vec::new());
    };
    let loaded = (segments.iter())
        .filter(|segment| segment.kind == LOADED_SEGMENT)
        .find(|segment| (segment.address..segment.address.saturating_add(segment.size)).contains(&address))
        .ok_or_else(|| other("its table of names is in no segment"))?;
    let names = read_at(file, loaded.offset.saturating_add(address - loaded.address), size)?;
    let name = |at: u64| {
        let name = names.get(at as usize..)?.split(|byte| *byte == 0).next()?;
        Some(String::from_utf8_lossy(name).into_owned())
    };
    Ok(entries().filter(|(tag, _)| *tag == NEEDED).filter_map(|(_, at)| name(at)).collect())
}

struct Segment {
    kind: u64,
    offset: u64,
    address: u64,
    size: u64,
}

fn read_at(file: &mut (impl Read + Seek), offset: u64, length: u64) -> io::Result<Vec<u8>> {
    if length > LONGEST {
        return Err(other("one of its tables is too long"));
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; length as usize];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A little-endian number of `length` bytes, at most 8.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    (bytes[at..at + length].iter().rev()).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn other(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This test's own program is an ELF file wherever these tests matter.
    #[cfg(all(target_os = "linux", target_pointer_width = "64", target_endian = "little"))]
    #[test]
    fn a_program_needs_the_c_library() -> io::Result<()> {
        let needed = needed(&std::env::current_exe()?)?;
        assert!(needed.iter().any(|name| name.starts_with("libc.")), "{needed:?}");
        Ok(())
    }

    #[test]
    fn what_is_no_library_is_refused() {
        for bytes in [vec![], b"text".repeat(30), b"\x7fELF\x02\x01".repeat(30)] {
            assert!(needed_by(&mut io::Cursor::new(bytes)).is_err());
        }
    }
}

//! Which processor a library is for.

use std::{env::consts::ARCH, fs::File, io::Read, path::Path};

/// `e_machine` of an ELF file (System V ABI, and each processor's supplement), by Rust's names.
const MACHINES: [(u16, &str); 7] = [
    (3, "x86"),
    (21, "powerpc64"),
    (40, "arm"),
    (62, "x86_64"),
    (183, "aarch64"),
    (243, "riscv64"),
    (258, "loongarch64"),
];

/// The processor that an ELF file is for, if it isn't this one.
pub fn other_machine(path: &Path) -> Option<&'static str> {
    let mut header = [0; 20];
    File::open(path).ok()?.read_exact(&mut header).ok()?;
    other_than(ARCH, &header)
}

fn other_than(this: &str, header: &[u8; 20]) -> Option<&'static str> {
    // All these are little-endian, by byte 5.
    if header[..4] != *b"\x7fELF" || header[5] != 1 {
        return None;
    }
    let machine = u16::from_le_bytes([header[18], header[19]]);
    let known = |name: &str| MACHINES.iter().any(|(_, known)| *known == name);
    let (_, name) = MACHINES.iter().find(|(number, _)| *number == machine)?;
    (*name != this && known(this)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_names_its_processor() {
        let header = |machine: u16| {
            let mut header = [0; 20];
            header[..6].copy_from_slice(b"\x7fELF\x02\x01");
            header[18..].copy_from_slice(&machine.to_le_bytes());
            header
        };
        assert_eq!(other_than("x86_64", &header(183)), Some("aarch64"));
        assert_eq!(other_than("aarch64", &header(62)), Some("x86_64"));
        for (this, header) in [
            ("x86_64", header(62)),
            ("x86_64", header(9999)),
            ("s390x", header(62)),
            ("x86_64", *b"This is a text file."),
        ] {
            assert_eq!(other_than(this, &header), None);
        }
    }
}

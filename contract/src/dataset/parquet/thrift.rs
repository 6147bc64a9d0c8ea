//! Thrift's compact protocol (thrift-compact-protocol.md), as far as Parquet's structures need it to be written.

/// Types of fields and of elements.
const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// A structure that is being written, its fields in the order of their numbers.
#[derive(Default)]
pub(super) struct Thrift {
    bytes: Vec<u8>,
    /// The last field's number, and those of the structures that this one is in.
    last: u8,
    outer: Vec<u8>,
}

impl Thrift {
    /// The structure, ended.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }

    /// A field of 32 bits, not below 0.
    pub fn i32(&mut self, field: u8, value: u32) {
        self.field(field, I32);
        self.zigzag(value.into());
    }

    /// A field of 64 bits, not below 0.
    pub fn i64(&mut self, field: u8, value: u64) {
        self.field(field, I64);
        self.zigzag(value);
    }

    /// A field of text.
    pub fn text(&mut self, field: u8, text: &str) {
        self.field(field, BINARY);
        self.element(text);
    }

    /// A field that is a list of numbers of 32 bits.
    pub fn i32s(&mut self, field: u8, values: &[u32]) {
        self.list(field, I32, values.len());
        values.iter().for_each(|&value| self.zigzag(value.into()));
    }

    /// A field that is a list of texts.
    pub fn texts(&mut self, field: u8, texts: &[String]) {
        self.list(field, BINARY, texts.len());
        texts.iter().for_each(|text| self.element(text));
    }

    /// A field that is a list of so many structures, which follow: each begins and ends.
    pub fn structs(&mut self, field: u8, count: usize) {
        self.list(field, STRUCT, count);
    }

    /// A field that is a structure, which ends.
    pub fn begin_field(&mut self, field: u8) {
        self.field(field, STRUCT);
        self.begin();
    }

    /// Begins a structure of a list.
    pub fn begin(&mut self) {
        self.outer.push(self.last);
        self.last = 0;
    }

    /// Ends a structure that has begun.
    pub fn end(&mut self) {
        self.bytes.push(0);
        self.last = self.outer.pop().unwrap_or_default();
    }

    /// A field's number is written as its distance from the last one's, which is below 16 in all of Parquet's.
    fn field(&mut self, field: u8, kind: u8) {
        self.bytes.push((field - self.last) << 4 | kind);
        self.last = field;
    }

    fn list(&mut self, field: u8, kind: u8, count: usize) {
        self.field(field, LIST);
        match count {
            0..15 => self.bytes.push((count as u8) << 4 | kind),
            _ => {
                self.bytes.push(0xf0 | kind);
                self.varint(count as u64);
            }
        }
    }

    fn element(&mut self, text: &str) {
        self.varint(text.len() as u64);
        self.bytes.extend(text.bytes());
    }

    /// Numbers that may be below 0 have their sign in the last bit.
    fn zigzag(&mut self, value: u64) {
        self.varint(value << 1);
    }

    fn varint(&mut self, value: u64) {
        varint(&mut self.bytes, value);
    }
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
pub(super) fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::Thrift;

    #[test]
    fn as_the_protocol_says() {
        let mut thrift = Thrift::default();
        thrift.i32(1, 100);
        thrift.i64(3, 1 << 14);
        thrift.structs(4, 1);
        thrift.begin();
        thrift.text(2, "ab");
        thrift.end();
        thrift.texts(5, &["c".into()]);
        thrift.begin_field(6);
        thrift.i32s(1, &[0; 16]);
        thrift.end();
        let expected = [
            &[0x15, 0xc8, 0x01][..],
            &[0x26, 0x80, 0x80, 0x02],
            &[0x19, 0x1c, 0x28, 2, b'a', b'b', 0],
            &[0x19, 0x18, 1, b'c'],
            &[0x1c, 0x19, 0xf5, 16],
            &[0; 16],
            &[0, 0],
        ];
        assert_eq!(thrift.into_bytes(), expected.concat());
    }
}

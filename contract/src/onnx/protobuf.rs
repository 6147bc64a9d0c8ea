//! Walks protobuf messages without a schema, reading no more of them than is asked for.
//!
//! The encoding is the protobuf documentation's "Encoding" page; of its wire types, 0, 1, 2 and 5
//! are in use, and 3 and 4 (groups) are not part of ONNX.

use std::io::{self, Read, Seek, SeekFrom};

/// No string that is read is near this long; a longer one is a sign of other data.
const LONGEST_STRING: u64 = 16 << 20;

/// One field of a message.
pub struct Field {
    /// The field's number.
    pub number: u64,
    /// Offset of the field's first byte, its key.
    pub start: u64,
    /// The value.
    pub value: Value,
}

/// A field's value.
pub enum Value {
    /// A varint.
    Number(u64),
    /// This many bytes follow; the caller reads or skips them before it asks for the next field.
    Bytes(u64),
    /// A fixed-size value, stepped over.
    Skipped,
}

/// A message, or what is left of it.
pub struct Message<'a, R> {
    source: &'a mut R,
    position: u64,
    end: u64,
}

impl<'a, R: Read + Seek> Message<'a, R> {
    /// The message that goes from the source's position to its end.
    pub fn new(source: &'a mut R) -> io::Result<Self> {
        let position = source.stream_position()?;
        let end = source.seek(SeekFrom::End(0))?;
        source.seek(SeekFrom::Start(position))?;
        Ok(Self { source, position, end })
    }

    /// Offset of the next byte.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.position == self.end
    }

    /// The next field, or `None` at the end.
    pub fn next_field(&mut self) -> Result<Option<Field>, String> {
        if self.is_empty() {
            return Ok(None);
        }
        let start = self.position;
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => {
                self.skip(8)?;
                Value::Skipped
            }
            2 => {
                let length = self.varint()?;
                self.check(start, length)?;
                Value::Bytes(length)
            }
            5 => {
                self.skip(4)?;
                Value::Skipped
            }
            _ => return Err(format!("byte {start} starts no protobuf field")),
        };
        match key >> 3 {
            0 => Err(format!("byte {start} starts no protobuf field")),
            number => Ok(Some(Field { number, start, value })),
        }
    }

    /// The next `length` bytes as a message of its own, to be read to its end; this one continues
    /// after it.
    pub fn nested(&mut self, length: u64) -> Result<Message<'_, R>, String> {
        self.check(self.position, length)?;
        let position = self.position;
        self.position += length;
        (self.source.seek(SeekFrom::Start(position))).map_err(reading_failed)?;
        Ok(Message { source: self.source, position, end: position + length })
    }

    /// The next number of a packed field.
    pub fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            if self.is_empty() {
                let end = self.end;
                return Err(format!("it ends within a number at byte {end}: it is cut short or damaged"));
            }
            let mut byte = [0];
            self.fill(&mut byte)?;
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(format!("byte {} is in no protobuf number", self.position))
    }

    /// The next `length` bytes as text.
    pub fn string(&mut self, length: u64) -> Result<String, String> {
        self.check(self.position, length)?;
        if length > LONGEST_STRING {
            return Err(format!("the text at byte {} would be {length} bytes long", self.position));
        }
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        // ONNX and ONNX Runtime take what is not UTF-8 too.
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Steps over the next `length` bytes.
    pub fn skip(&mut self, length: u64) -> Result<(), String> {
        self.check(self.position, length)?;
        self.position += length;
        (self.source.seek(SeekFrom::Start(self.position))).map_err(reading_failed)?;
        Ok(())
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        self.check(self.position, bytes.len() as u64)?;
        self.source.read_exact(bytes).map_err(reading_failed)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// A field may not reach beyond its message: that is how a truncated file shows.
    fn check(&self, start: u64, length: u64) -> Result<(), String> {
        let left = self.end - self.position;
        if length <= left {
            return Ok(());
        }
        Err(format!(
            "at byte {start} a field of {length} bytes begins, but only {left} bytes follow: it is cut short or \
             damaged"
        ))
    }
}

fn reading_failed(error: io::Error) -> String {
    format!("reading it failed ({error})")
}

/// Appends a varint.
pub fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Appends a field that is a number.
pub fn put_number(bytes: &mut Vec<u8>, number: u64, value: u64) {
    put_varint(bytes, number << 3);
    put_varint(bytes, value);
}

/// Appends a field that is text or a message.
pub fn put_bytes(bytes: &mut Vec<u8>, number: u64, value: &[u8]) {
    put_varint(bytes, number << 3 | 2);
    put_varint(bytes, value.len() as u64);
    bytes.extend_from_slice(value);
}

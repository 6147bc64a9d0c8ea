//! Compressed files as gzip reads them: one member after another (RFC 1952), and zeros between or after
//! them, with which tapes and some downloads are filled up.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// How a compressed file starts.
pub const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Reads what all members of a compressed file hold.
pub struct Gzip<R> {
    /// None after the last one.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Gzip<R> {
    /// Of a file from its start.
    pub fn new(file: R) -> Self {
        Self { member: Some(GzDecoder::new(file)) }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let rest = self.member.take().map(GzDecoder::into_inner);
            if let Some(mut rest) = rest
                && skip_zeros(&mut rest)?
            {
                self.member = Some(GzDecoder::new(rest));
            }
        }
        Ok(0)
    }
}

/// Goes to the next byte that isn't 0, and tells whether there is one.
fn skip_zeros(file: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = file.fill_buf()?;
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        let (is_end, has_more) = (bytes.is_empty(), zeros < bytes.len());
        file.consume(zeros);
        if is_end || has_more {
            return Ok(has_more);
        }
    }
}

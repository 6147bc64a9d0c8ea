//! Whether a picture's file is there to its end.
//!
//! Some decoders fill with grey what a file that was cut off lacks, and say nothing. A generator would
//! learn that, so such files are refused, as Pillow refuses them.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use image::ImageFormat;

/// What a file that was cut off is said to be.
const CUT_OFF: &str = "the file is cut off";

/// Refuses a file whose end isn't there, where its form says where that is. The others' decoders tell by
/// themselves.
///
/// # Errors
/// `UnexpectedEof`; the reader's.
pub(super) fn check(file: &mut (impl BufRead + Seek), format: ImageFormat) -> io::Result<()> {
    file.rewind()?;
    let is_whole = match format {
        ImageFormat::Jpeg => has_end_of_image(file)?,
        ImageFormat::WebP => has_riff_length(file)?,
        _ => true,
    };
    file.rewind()?;
    match is_whole {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::UnexpectedEof, CUT_OFF)),
    }
}

/// A JPEG is a list of segments with their lengths and, after one that starts a scan, coded pixels; its
/// last marker is EOI (ITU-T T.81, B.1). Anything after it is ignored.
fn has_end_of_image(file: &mut impl BufRead) -> io::Result<bool> {
    loop {
        // Between two markers there are coded pixels, or bytes that every decoder passes over.
        file.skip_until(0xff)?;
        let mut marker = 0xff;
        while marker == 0xff {
            // Any number of them may come before a marker.
            let Some(byte) = next(file)? else { return Ok(false) };
            marker = byte;
        }
        match marker {
            0xd9 => return Ok(true),
            // A byte ff of coded pixels; TEM, RST and SOI, which have no length.
            0x00 | 0x01 | 0xd0..=0xd8 => {}
            _ => {
                let (Some(high), Some(low)) = (next(file)?, next(file)?) else { return Ok(false) };
                let length = u64::from(u16::from_be_bytes([high, low])).saturating_sub(2);
                io::copy(&mut file.by_ref().take(length), &mut io::sink())?;
            }
        }
    }
}

/// WebP is one RIFF chunk, whose length stands after its name.
fn has_riff_length(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let mut header = [0; 8];
    file.read_exact(&mut header)?;
    let [.., a, b, c, d] = header;
    let length = file.seek(SeekFrom::End(0))?;
    Ok(length >= header.len() as u64 + u64::from(u32::from_le_bytes([a, b, c, d])))
}

fn next(file: &mut impl Read) -> io::Result<Option<u8>> {
    let mut byte = [0];
    Ok((file.read(&mut byte)? == 1).then_some(byte[0]))
}

//! NumPy's `.npz`: a ZIP archive of the arrays `images`, (N, H, W) or (N, C, H, W), and `labels`, (N), both
//! uint8 and uncompressed. Of strings, `labels` is (N, characters at most), with [`NO_CHARACTER`] after the last.
//!
//! The archive is whole once it is finished; before, its manifest says how much of it there is.

#[cfg(feature = "read")]
mod read;

use std::{io, path::Path};

use crc32fast::Hasher;

use super::{
    Batch, Definition, Error, Facts, Holds, Manifest, Opened, Sink, Tail,
    growing::Growing,
    manifest::Part,
    plan::Labels,
    tail::FILE,
    zip::{self, Entry},
};
use crate::strings::Strings;

#[cfg(feature = "read")]
pub use read::{read, read_from};

/// NumPy's archive of two arrays.
pub struct Npz;

/// The arrays.
const IMAGES: &str = "images";
const LABELS: &str = "labels";
/// What `labels` has after a string's last character.
pub const NO_CHARACTER: u8 = 255;
/// How an array starts.
const MAGIC: [u8; 6] = *b"\x93NUMPY";
/// Bytes of an array's header: enough for any shape.
const ARRAY_HEADER: usize = 128;

impl Definition for Npz {
    fn facts(&self) -> &'static Facts {
        &Facts {
            name: "npz",
            summary: "NumPy's archive of two arrays",
            extension: Some("npz"),
            // Labels are bytes.
            most_classes: 256,
            strings: Holds::OneWidth,
            ..Facts::FOLDER
        }
    }

    fn open(&self, manifest: &Manifest, output: &Path, shape: [usize; 3]) -> Opened {
        let Manifest { first, seed, complete: count, ref labels, ref strings, ref tail, .. } = *manifest;
        let mut crc = Hasher::new();
        // The headers are filled in when the archive is finished.
        let header = vec![0; entry(IMAGES, 0, 0, 0).local().len() + ARRAY_HEADER];
        let pixels = shape.iter().product::<usize>() as u64 * count;
        let part = manifest.part(output, FILE, &header, header.len() as u64 + pixels);
        // After the pixels of a complete archive come the labels and the directory.
        let whole = part.record.filter(|_| part.complete).map(|record| record.to);
        let part = Part { complete: whole.is_some(), end: whole.or(part.end), ..part };
        let mut rest = pixels;
        let file = Growing::open(&part, |bytes| {
            let pixels = &bytes[..bytes.len().min(rest as usize)];
            crc.update(pixels);
            rest -= pixels.len() as u64;
        })?;
        if count > 0 && crc.clone().finalize() != tail.crc32 {
            let path = output.display();
            return Err(Error::Refused(format!(
                "{path} was changed since it was written: its CRC-32 is another"
            )));
        }
        let (labels, strings) = (labels.clone(), strings.clone());
        Ok(Box::new(Writer { file, shape, crc, first, count, seed, labels, strings }))
    }
}

struct Writer {
    file: Growing,
    shape: [usize; 3],
    crc: Hasher,
    first: u64,
    /// How many images there are.
    count: u64,
    seed: u64,
    labels: Labels,
    strings: Option<Strings>,
}

impl Writer {
    /// What the labels' array has of an image.
    fn row(&self, index: u64) -> Vec<u8> {
        match &self.strings {
            None => vec![self.labels.of(index) as u8],
            Some(strings) => {
                let mut row: Vec<u8> =
                    strings.text(self.seed, index, &self.labels).iter().map(|label| *label as u8).collect();
                row.resize(strings.length.most as usize, NO_CHARACTER);
                row
            }
        }
    }
}

impl Sink for Writer {
    fn append(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        self.count += batch.count();
        self.crc.update(batch.pixels);
        self.file.push(batch.pixels)
    }

    fn checkpoint(&mut self) -> io::Result<Tail> {
        Ok(Tail { crc32: self.crc.clone().finalize(), ..self.file.tail()? })
    }

    fn finish(&mut self) -> io::Result<Tail> {
        let indices = self.first..self.first + self.count;
        let characters = self.strings.as_ref().map(|strings| strings.length.most);
        let labels: Vec<u64> = [self.count].into_iter().chain(characters).collect();
        let Frame { before, between, after } =
            Frame::new(self.shape, &labels, &self.crc, indices.clone().map(|index| self.row(index)));
        self.file.replace_header(&before)?;
        self.file.push(&between)?;
        for index in indices {
            let row = self.row(index);
            self.file.push(&row)?;
        }
        self.file.push(&after)?;
        self.file.sync()?;
        let tail = Tail::of(self.file.length(), [(FILE, self.file.sealed()?)]);
        Ok(Tail { crc32: self.crc.clone().finalize(), ..tail })
    }
}

/// An archive's bytes but for its pixels and its labels: `before` the pixels, `between` them and the labels, and
/// `after` these.
pub struct Frame {
    /// Headers of the images.
    pub before: Vec<u8>,
    /// Headers of the labels.
    pub between: Vec<u8>,
    /// The directory.
    pub after: Vec<u8>,
}

impl Frame {
    /// The frame of images of `shape`, channels, height and width, whose pixels have the checksum `pixels`, and
    /// of labels, an array of `dims`, whose bytes are those of `rows`. There are as many images as rows.
    pub fn new(
        shape: [usize; 3],
        dims: &[u64],
        pixels: &Hasher,
        rows: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Self {
        let count = dims[0];
        let header = images_header(shape, count);
        let mut crc = Hasher::new();
        crc.update(&header);
        // The pixels' checksum was begun without the header, which is known only at the end.
        crc.combine(pixels);
        let size = header.len() as u64 + shape.iter().product::<usize>() as u64 * count;
        let images = entry(IMAGES, 0, size, crc.finalize());
        let before = [images.local(), header].concat();

        let header = array_header(dims);
        let bytes = dims.iter().product::<u64>();
        let mut crc = Hasher::new();
        crc.update(&header);
        rows.into_iter().for_each(|row| crc.update(row.as_ref()));
        let offset = images.local().len() as u64 + size;
        let labels = entry(LABELS, offset, header.len() as u64 + bytes, crc.finalize());
        let between = [labels.local(), header].concat();

        let directory = [images.central(), labels.central()].concat();
        let start = offset + between.len() as u64 + bytes;
        let after = [directory.as_slice(), &zip::end(start, directory.len() as u64, 2)].concat();
        Self { before, between, after }
    }
}

/// Header of the array of images.
fn images_header([channels, height, width]: [usize; 3], count: u64) -> Vec<u8> {
    match channels {
        1 => array_header(&[count, height as u64, width as u64]),
        _ => array_header(&[count, channels as u64, height as u64, width as u64]),
    }
}

/// An array's file in the archive.
fn entry(array: &str, offset: u64, size: u64, crc: u32) -> Entry {
    Entry { name: file_name(array), offset, size, crc }
}

/// What an array's file is called in the archive.
fn file_name(array: &str) -> String {
    format!("{array}.npy")
}

/// NumPy's format 1.0 (numpy.lib.format) of uint8 in C's order, byte for byte as NumPy writes it.
fn array_header(shape: &[u64]) -> Vec<u8> {
    let dims: Vec<String> = shape.iter().map(u64::to_string).collect();
    // A tuple of one, as Python writes it.
    let comma = if dims.len() == 1 { "," } else { "" };
    let dict = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({}{comma}), }}", dims.join(", "));
    let mut bytes = [&MAGIC[..], &[1, 0]].concat();
    bytes.extend((ARRAY_HEADER as u16 - 10).to_le_bytes());
    bytes.extend(dict.bytes());
    bytes.resize(ARRAY_HEADER - 1, b' ');
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::array_header;

    #[test]
    fn headers_are_those_of_numpy() {
        // From numpy.lib.format.write_array_header_1_0 of NumPy 2.4.6, whose spaces end at byte 128, too.
        for (shape, dict) in [
            (&[10][..], "{'descr': '|u1', 'fortran_order': False, 'shape': (10,), }"),
            (&[10, 28, 28], "{'descr': '|u1', 'fortran_order': False, 'shape': (10, 28, 28), }"),
            (&[7, 3, 48, 64], "{'descr': '|u1', 'fortran_order': False, 'shape': (7, 3, 48, 64), }"),
        ] {
            let header = array_header(shape);
            assert_eq!(header[..10], *b"\x93NUMPY\x01\x00\x76\x00");
            assert_eq!(header[10..], *format!("{dict:<117}\n").as_bytes());
        }
    }
}

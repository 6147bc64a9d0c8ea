//! NumPy's `.npz`: a ZIP archive of the arrays `images`, (N, H, W) or (N, C, H, W), and `labels`, (N),
//! both uint8 and uncompressed.
//!
//! The archive is whole once it is finished; before, its manifest says how much of it there is.

#[cfg(feature = "read")]
mod read;

use std::{io, path::Path};

use crc32fast::Hasher;

use super::{
    Batch, Definition, Error, Facts, Manifest, Opened, Sink, Tail,
    growing::Growing,
    manifest::Part,
    plan::Labels,
    tail::FILE,
    zip::{self, Entry},
};

#[cfg(feature = "read")]
pub use read::{read, read_from};

/// NumPy's archive of two arrays.
pub struct Npz;

/// The arrays.
const IMAGES: &str = "images";
const LABELS: &str = "labels";
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
            ..Facts::FOLDER
        }
    }

    fn open(&self, manifest: &Manifest, output: &Path, shape: [usize; 3]) -> Opened {
        let Manifest { first, labels, complete: count, ref tail, .. } = *manifest;
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
        Ok(Box::new(Writer { file, shape, crc, first, count, labels }))
    }
}

struct Writer {
    file: Growing,
    shape: [usize; 3],
    crc: Hasher,
    first: u64,
    /// How many images there are.
    count: u64,
    labels: Labels,
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
        let Self { first, count, labels, .. } = *self;
        let label = |i: u64| labels.of(first + i) as u8;
        let Frame { before, between, after } = Frame::new(self.shape, count, &self.crc, label);
        self.file.replace_header(&before)?;
        self.file.push(&between)?;
        for i in 0..count {
            self.file.push(&[label(i)])?;
        }
        self.file.push(&after)?;
        self.file.sync()?;
        let tail = Tail::of(self.file.length(), [(FILE, self.file.sealed()?)]);
        Ok(Tail { crc32: self.crc.clone().finalize(), ..tail })
    }
}

/// An archive's bytes but for its pixels and its labels: `before` the pixels, `between` them and the labels,
/// which are a byte each, and `after` these.
pub struct Frame {
    /// Headers of the images.
    pub before: Vec<u8>,
    /// Headers of the labels.
    pub between: Vec<u8>,
    /// The directory.
    pub after: Vec<u8>,
}

impl Frame {
    /// The frame of `count` images of `shape`, channels, height and width, whose pixels have the checksum
    /// `pixels`, and whose labels are `label` of 0, 1, 2, …
    pub fn new(shape: [usize; 3], count: u64, pixels: &Hasher, label: impl Fn(u64) -> u8) -> Self {
        let header = images_header(shape, count);
        let mut crc = Hasher::new();
        crc.update(&header);
        // The pixels' checksum was begun without the header, which is known only at the end.
        crc.combine(pixels);
        let size = header.len() as u64 + shape.iter().product::<usize>() as u64 * count;
        let images = entry(IMAGES, 0, size, crc.finalize());
        let before = [images.local(), header].concat();

        let header = array_header(&[count]);
        let mut crc = Hasher::new();
        crc.update(&header);
        (0..count).for_each(|i| crc.update(&[label(i)]));
        let offset = images.local().len() as u64 + size;
        let labels = entry(LABELS, offset, header.len() as u64 + count, crc.finalize());
        let between = [labels.local(), header].concat();

        let directory = [images.central(), labels.central()].concat();
        let start = offset + between.len() as u64 + count;
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

//! The two files of MNIST, which its many readers take: images and labels, as IDX (described on
//! MNIST's page, yann.lecun.com/exdb/mnist). Colour makes a file of four dimensions. Test images are a
//! second pair, as MNIST's are.
//!
//! The headers say how many images are complete, so that a pair can be read at any time.
//!
//! | file | header, 32-bit words, big-endian | then |
//! |---|---|---|
//! | images | 2051, count, height, width | count × height × width pixels, row by row |
//! | images in colour | 2052, count, height, width, channels | the same, a pixel's channels side by side |
//! | labels | 2049, count | count labels |

mod read;
#[cfg(test)]
mod tests;

use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
};

use super::{
    Batch, Definition, Error, Facts, Holds, Manifest, Opened, Sink, Tail, growing::Growing,
    images::interleaved, manifest::Part,
};

pub use read::{images_from_bytes, is_colour, labels_from_bytes, read_images, read_labels};

/// MNIST's two files, in a folder.
pub struct Idx;

/// What begins the names of the training pair and of the test pair.
const PAIRS: [&str; 2] = ["train", "t10k"];

/// The name of a file of images, grey or in colour.
fn images_name(pair: &str, dims: usize) -> String {
    format!("{pair}-images-idx{}-ubyte", dims + 1)
}

/// The name of a file of labels.
fn labels_name(pair: &str) -> String {
    format!("{pair}-labels-idx1-ubyte")
}

/// The header of `count` items of these dimensions.
pub fn header(count: u32, dims: &[u32]) -> Vec<u8> {
    let words = [magic(dims.len() + 1), count].into_iter().chain(dims.iter().copied());
    words.flat_map(u32::to_be_bytes).collect()
}

/// The first word of a file of unsigned bytes, 0x08, in this number of dimensions.
fn magic(dimensions: usize) -> u32 {
    0x0800 | dimensions as u32
}

impl Definition for Idx {
    fn facts(&self) -> &'static Facts {
        &Facts {
            name: "idx",
            summary: "MNIST's two files, in a folder",
            has_test: true,
            // Labels are bytes, and a file counts its images in 32 bits.
            most_classes: 256,
            most_images: u32::MAX as u64,
            strings: Holds::Nothing,
            ..Facts::FOLDER
        }
    }

    fn in_the_way(&self, output: &Path, _: &[String]) -> Option<PathBuf> {
        let names =
            PAIRS.iter().flat_map(|pair| [images_name(pair, 2), images_name(pair, 3), labels_name(pair)]);
        names.map(|name| output.join(name)).find(|path| path.exists())
    }

    fn open(&self, manifest: &Manifest, output: &Path, shape: [usize; 3]) -> Opened {
        let Manifest { first, images, count, .. } = *manifest;
        let all = first..first + images;
        let ranges = [all.start..all.end.min(count), all.start.max(count)..all.end];
        let pairs = (PAIRS.into_iter().zip(ranges).filter(|(_, range)| !range.is_empty()))
            .map(|(name, range)| Pair::open(output, name, range, shape, manifest))
            .collect::<Result<_, _>>()?;
        Ok(Box::new(Writer { pairs }))
    }
}

struct Writer {
    pairs: Vec<Pair>,
}

/// Images and their labels.
struct Pair {
    name: &'static str,
    /// Which images of the data set are its own, and how many of them there are.
    range: Range<u64>,
    count: u64,
    /// Dimensions of an image.
    dims: Vec<u32>,
    images: Growing,
    labels: Growing,
}

/// Names of what a manifest has on record.
fn records(pair: &str) -> [String; 2] {
    ["images", "labels"].map(|what| format!("{pair}-{what}"))
}

impl Pair {
    fn open(
        folder: &Path,
        name: &'static str,
        range: Range<u64>,
        [channels, height, width]: [usize; 3],
        manifest: &Manifest,
    ) -> Result<Self, Error> {
        let mut dims = vec![height as u32, width as u32];
        dims.extend((channels > 1).then_some(channels as u32));
        let size = (channels * height * width) as u64;
        let count = (manifest.first + manifest.complete).clamp(range.start, range.end) - range.start;
        let open = |file: String, record: &str, dims: &[u32], size: u64| {
            let (path, header) = (folder.join(file), header(0, dims));
            let part = manifest.part(&path, record, &header, header.len() as u64 + count * size);
            Growing::open(&Part { end: part.end.filter(|_| count > 0), ..part }, |_| {})
        };
        let [images_record, labels_record] = records(name);
        let images = open(images_name(name, dims.len()), &images_record, &dims, size)?;
        let labels = open(labels_name(name), &labels_record, &[], 1)?;
        Ok(Self { name, range, count, dims, images, labels })
    }

    /// Appends those images of a batch that are its own.
    fn append(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        let [channels, height, width] = batch.shape;
        let size = channels * height * width;
        let edge =
            |index: u64| (index.clamp(batch.first, batch.first + batch.count()) - batch.first) as usize;
        let own = edge(self.range.start)..edge(self.range.end);
        // IDX has the channels of a pixel beside each other.
        for image in batch.pixels[own.start * size..own.end * size].chunks_exact(size.max(1)) {
            self.images.push(&interleaved(image, channels))?;
        }
        let label = |i: usize| batch.labels.get(i).map_or(0, |label| *label as u8);
        let labels: Vec<u8> = own.clone().map(label).collect();
        self.count += own.len() as u64;
        self.labels.push(&labels)
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        for (file, dims) in [(&mut self.images, self.dims.as_slice()), (&mut self.labels, &[])] {
            // The items first, then the header that counts them.
            file.sync()?;
            file.replace_header(&header(self.count as u32, dims))?;
            file.sync()?;
        }
        Ok(())
    }
}

impl Sink for Writer {
    fn append(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        self.pairs.iter_mut().try_for_each(|pair| pair.append(batch))
    }

    fn checkpoint(&mut self) -> io::Result<Tail> {
        let mut tail = Tail::default();
        for pair in &mut self.pairs {
            pair.checkpoint()?;
            tail.add(records(pair.name).into_iter().zip([pair.images.record(), pair.labels.record()]));
        }
        Ok(tail)
    }

    fn finish(&mut self) -> io::Result<Tail> {
        let mut tail = self.checkpoint()?;
        for pair in &mut self.pairs {
            tail.add(records(pair.name).into_iter().zip([pair.images.sealed()?, pair.labels.sealed()?]));
        }
        Ok(tail)
    }
}

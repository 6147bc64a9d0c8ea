//! The two files of MNIST, which its many readers take: images and labels, as IDX (described on
//! MNIST's page, yann.lecun.com/exdb/mnist). Colour makes a file of four dimensions. Test images are a
//! second pair, as MNIST's are.
//!
//! The headers say how many images are complete, so that a pair can be read at any time.

use std::{io, ops::Range, path::Path};

use super::{Error, Growing, Safe, Sink, Tail};
use crate::dataset::{manifest::Manifest, pipeline::Batch};

/// IDX's code of unsigned bytes, before the number of dimensions.
const UNSIGNED_BYTES: u8 = 8;

pub struct Idx {
    pairs: Vec<Pair>,
}

/// Images and their labels.
struct Pair {
    name: &'static str,
    /// Which images of the data set are its own, and how many of them there are.
    range: Range<u64>,
    count: u64,
    /// Dimensions of an image.
    dims: Vec<usize>,
    images: Growing,
    labels: Growing,
}

/// Names of what a manifest has on record.
fn records(pair: &str) -> [String; 2] {
    ["images", "labels"].map(|what| format!("{pair}-{what}"))
}

/// The files that a data set may have.
pub fn names() -> Vec<String> {
    (["train", "t10k"].iter().flat_map(|pair| {
        ["images-idx3-ubyte", "images-idx4-ubyte", "labels-idx1-ubyte"].map(|name| format!("{pair}-{name}"))
    }))
    .collect()
}

impl Idx {
    pub fn open(folder: &Path, shape: [usize; 3], manifest: &Manifest) -> Result<Self, Error> {
        let Manifest { first, images, count, .. } = *manifest;
        let all = first..first + images;
        let pairs = [("train", all.start..all.end.min(count)), ("t10k", all.start.max(count)..all.end)];
        let pairs = (pairs.into_iter().filter(|(_, range)| !range.is_empty()))
            .map(|(name, range)| Pair::open(folder, name, range, shape, manifest))
            .collect::<Result<_, _>>()?;
        Ok(Self { pairs })
    }
}

impl Pair {
    fn open(
        folder: &Path,
        name: &'static str,
        range: Range<u64>,
        [channels, height, width]: [usize; 3],
        manifest: &Manifest,
    ) -> Result<Self, Error> {
        let dims = if channels == 1 { vec![height, width] } else { vec![height, width, channels] };
        let size = (channels * height * width) as u64;
        let count = (manifest.first + manifest.complete).clamp(range.start, range.end) - range.start;
        let open = |path: &Path, record: &str, dims: &[usize], size: u64| {
            let header = header(0, dims);
            if count == 0 {
                return Ok(Growing::create(path, &header)?);
            }
            let header = header.len() as u64;
            let (record, complete) = (manifest.tail.files.get(record), manifest.is_complete());
            let safe = Safe { path, header, end: header + count * size, record, complete };
            Growing::resume(&safe, |_| {})
        };
        let [images_record, labels_record] = records(name);
        let path = folder.join(format!("{name}-images-idx{}-ubyte", dims.len() + 1));
        let images = open(&path, &images_record, &dims, size)?;
        let labels = open(&folder.join(format!("{name}-labels-idx1-ubyte")), &labels_record, &[], 1)?;
        Ok(Self { name, range, count, dims, images, labels })
    }

    /// Appends those images of a batch that are its own.
    fn append(&mut self, batch: &Batch) -> io::Result<()> {
        let [channels, height, width] = batch.shape;
        let size = channels * height * width;
        let edge = |index: u64| (index.clamp(batch.first, batch.first + batch.len()) - batch.first) as usize;
        let own = edge(self.range.start)..edge(self.range.end);
        let pixels = &batch.pixels[own.start * size..own.end * size];
        match channels {
            1 => self.images.append(pixels)?,
            _ => {
                // IDX has the channels of a pixel beside each other.
                let plane = height * width;
                for image in pixels.chunks_exact(size.max(1)) {
                    let pixels: Vec<u8> =
                        (0..plane * channels).map(|i| image[i % channels * plane + i / channels]).collect();
                    self.images.append(&pixels)?;
                }
            }
        }
        let label = |i: usize| batch.labels.get(i).map_or(0, |label| *label as u8);
        let labels: Vec<u8> = own.clone().map(label).collect();
        self.count += own.len() as u64;
        self.labels.append(&labels)
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        for (file, dims) in [(&mut self.images, self.dims.as_slice()), (&mut self.labels, &[])] {
            // First what the header speaks of.
            file.sync()?;
            file.replace_header(&header(self.count, dims))?;
            file.sync()?;
        }
        Ok(())
    }
}

/// The header of so many items.
fn header(count: u64, dims: &[usize]) -> Vec<u8> {
    let mut header = vec![0, 0, UNSIGNED_BYTES, dims.len() as u8 + 1];
    header.extend((count as u32).to_be_bytes());
    header.extend(dims.iter().flat_map(|dim| (*dim as u32).to_be_bytes()));
    header
}

impl Sink for Idx {
    fn append(&mut self, batch: &Batch) -> io::Result<()> {
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

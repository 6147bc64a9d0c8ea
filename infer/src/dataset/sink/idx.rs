//! The two files of MNIST, which its many readers take: images and labels, as IDX (described on
//! MNIST's page, yann.lecun.com/exdb/mnist). Colour makes a file of four dimensions.
//!
//! The headers say how many images are complete, so that the pair can be read at any time.

use std::{io, path::Path};

use super::{Growing, Sink, Tail, grow};
use crate::dataset::pipeline::Batch;

/// IDX's code of unsigned bytes, before the number of dimensions.
const UNSIGNED_BYTES: u8 = 8;

pub struct Idx {
    images: Growing,
    labels: Growing,
}

impl Idx {
    pub fn open(folder: &Path, shape: [usize; 3], complete: u64) -> io::Result<Self> {
        let [channels, height, width] = shape;
        let planes = [height, width];
        let colour = [height, width, channels];
        let dims: &[usize] = if channels == 1 { &planes } else { &colour };
        let size = shape.iter().product::<usize>() as u64;
        let name = format!("train-images-idx{}-ubyte", dims.len() + 1);
        Ok(Self {
            images: begin(&folder.join(name), dims, complete, size)?,
            labels: begin(&folder.join("train-labels-idx1-ubyte"), &[], complete, 1)?,
        })
    }
}

/// A file with its header, and so many items of so many bytes.
fn begin(path: &Path, dims: &[usize], complete: u64, size: u64) -> io::Result<Growing> {
    let mut header = vec![0, 0, UNSIGNED_BYTES, dims.len() as u8 + 1];
    header.extend([0; 4]);
    header.extend(dims.iter().flat_map(|dim| (*dim as u32).to_be_bytes()));
    if complete > 0 {
        return grow(path, header.len() as u64 + complete * size);
    }
    let mut file = grow(path, 0)?;
    file.append(&header)?;
    Ok(file)
}

impl Sink for Idx {
    fn append(&mut self, batch: &Batch) -> io::Result<()> {
        let [channels, height, width] = batch.shape;
        match channels {
            1 => self.images.append(&batch.pixels)?,
            _ => {
                // IDX has the channels of a pixel beside each other.
                let plane = height * width;
                for image in batch.pixels.chunks_exact(channels * plane) {
                    let pixels: Vec<u8> =
                        (0..plane * channels).map(|i| image[i % channels * plane + i / channels]).collect();
                    self.images.append(&pixels)?;
                }
            }
        }
        let count = batch.pixels.len() / (channels * height * width).max(1);
        let label = |i: usize| batch.labels.get(i).map_or(0, |label| *label as u8);
        let labels: Vec<u8> = (0..count).map(label).collect();
        self.labels.append(&labels)
    }

    fn checkpoint(&mut self, complete: u64) -> io::Result<Tail> {
        for file in [&mut self.images, &mut self.labels] {
            file.sync()?;
            file.replace(4, &(complete as u32).to_be_bytes())?;
            file.sync()?;
        }
        Ok(Tail::default())
    }
}

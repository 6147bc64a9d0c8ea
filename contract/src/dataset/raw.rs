//! Pixels and nothing else: a byte each, image by image, `(channel, row, column)`.

use std::{io, path::Path};

use super::{Batch, Definition, Error, Manifest, Sink, Tail, growing::Growing};

/// The pixels, a byte each.
pub struct Raw;

impl Definition for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn summary(&self) -> &'static str {
        "The pixels, a byte each"
    }

    fn extension(&self) -> Option<&'static str> {
        Some("raw")
    }

    fn is_stream(&self) -> bool {
        true
    }

    fn open(&self, manifest: &Manifest, output: &Path, _: [usize; 3]) -> Result<Box<dyn Sink + Send>, Error> {
        Ok(Box::new(Growing::only(manifest, output)?))
    }
}

impl Sink for Growing {
    fn append(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        self.push(batch.pixels)
    }

    fn checkpoint(&mut self) -> io::Result<Tail> {
        self.tail()
    }
}

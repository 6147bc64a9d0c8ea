//! Pixels and nothing else: a byte each, image by image, `(channel, row, column)`.

#[cfg(feature = "read")]
mod read;

use std::{io, path::Path};

use super::{Batch, Definition, Facts, Holds, Manifest, Opened, Sink, Tail, growing::Growing};

#[cfg(feature = "read")]
pub use read::read;

/// The pixels, a byte each.
pub struct Raw;

impl Definition for Raw {
    fn facts(&self) -> &'static Facts {
        &Facts {
            name: "raw",
            summary: "The pixels, a byte each",
            extension: Some("raw"),
            is_stream: true,
            strings: Holds::OneWidth,
            ..Facts::FOLDER
        }
    }

    fn open(&self, manifest: &Manifest, output: &Path, _: [usize; 3]) -> Opened {
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
